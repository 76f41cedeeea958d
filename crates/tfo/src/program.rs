//! What surrounds every command: its arguments, its errors, its exit status.

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

use crate::status::Status;
use crate::style::{BOLD, ERROR, HINT};
use crate::{help, hint, printable, stdout, width};

/// Parses the arguments, runs the command with them and turns the result into the exit status.
pub fn main<A: Parser>(
    arguments: impl IntoIterator<Item = OsString>,
    run: impl FnOnce(&A) -> anyhow::Result<Status>,
) -> ExitCode {
    let arguments = match parse(arguments) {
        Ok(arguments) => arguments,
        Err(help_or_error) => {
            // An error of printing has nowhere to go.
            let _ = match has_hostile_arguments() {
                false => print_help_or_error(&help_or_error),
                true => {
                    let text = help_or_error.render().to_string();
                    io::stderr().write_all(printable::lines(&text).as_bytes())
                }
            };
            return u8::try_from(help_or_error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from);
        }
    };
    match run(&arguments) {
        Ok(status) => status.into(),
        Err(error) if stdout::was_closed(&error) => Status::Works.into(),
        Err(error) => {
            let _ = print_error(&error, &mut anstream::stderr());
            Status::Unusable.into()
        }
    }
}

fn parse<A: Parser>(arguments: impl IntoIterator<Item = OsString>) -> Result<A, clap::Error> {
    let mut command = help::laid_out(A::command(), width::of_help());
    let arguments = help::asked_by_a_word(&command, arguments);
    let mut matches = command.try_get_matches_from_mut(arguments)?;
    A::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))
}

fn print_help_or_error(help_or_error: &clap::Error) -> io::Result<()> {
    let text = help::printed(help_or_error.render().ansi());
    match help_or_error.use_stderr() {
        true => anstream::stderr().lock().write_all(text.as_bytes()),
        false => anstream::stdout().lock().write_all(text.as_bytes()),
    }
}

/// Whether an argument, such as a file's name that the shell filled in, must not go to a terminal as it is.
fn has_hostile_arguments() -> bool {
    std::env::args_os().any(|argument| argument.to_string_lossy().contains(printable::is_hostile))
}

fn print_error(error: &anyhow::Error, out: &mut impl Write) -> io::Result<()> {
    let text = error.to_string();
    writeln!(
        out,
        "{ERROR}error:{ERROR:#} {BOLD}{}{BOLD:#}",
        printable::lines(&text)
    )?;
    for cause in causes(error) {
        writeln!(out, "  because {}", printable::lines(&cause))?;
    }
    hint::of(error).map_or(Ok(()), |hint| {
        writeln!(out, "{HINT}hint:{HINT:#} {}", printable::lines(hint))
    })
}

/// The error and its causes on one line.
pub(crate) fn message(error: &anyhow::Error) -> String {
    let mut message = error.to_string();
    for cause in causes(error) {
        message = message + ": " + &cause;
    }
    message
}

/// The causes that are not part of the error's own text: many errors end with their cause's words.
fn causes(error: &anyhow::Error) -> Vec<String> {
    let texts: Vec<_> = error.chain().map(ToString::to_string).collect();
    texts
        .windows(2)
        .filter(|pair| !pair[0].ends_with(&pair[1]))
        .map(|pair| pair[1].clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;
    use crate::hint::Hint;

    fn printed(error: &anyhow::Error) -> String {
        let mut text = Vec::new();
        print_error(error, &mut anstream::StripStream::new(&mut text)).unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn an_error_comes_with_its_causes_and_the_hint() {
        let error = Err::<(), _>(io::Error::from_raw_os_error(98))
            .context("bind 127.0.0.1:80")
            .hint("choose another port")
            .context("the server did not start")
            .unwrap_err();
        assert_eq!(
            printed(&error),
            "error: the server did not start\n  because bind 127.0.0.1:80\n  because Address already in use (os error 98)\nhint: choose another port\n"
        );
    }

    #[test]
    fn names_in_an_error_cannot_write_elsewhere() {
        let error = Err::<(), _>(io::Error::from_raw_os_error(2))
            .context("can't read \x1b[2J\u{202e}a")
            .hint("give another name than \x07")
            .unwrap_err();
        assert_eq!(
            printed(&error),
            "error: can't read \u{fffd}[2J\u{fffd}a\n  because No such file or directory (os error 2)\nhint: give another name than \u{fffd}\n"
        );
    }

    #[test]
    fn a_cause_that_the_error_ends_with_is_not_said_twice() {
        let cause = anyhow::anyhow!("no such key");
        let error = Err::<(), _>(cause).context("keys.txt: no such key").unwrap_err();
        assert_eq!(printed(&error), "error: keys.txt: no such key\n");
        let error = error.context("reading the keys");
        assert_eq!(message(&error), "reading the keys: keys.txt: no such key");
    }
}
