//! What surrounds every command: its arguments, its errors, its exit status.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

use crate::status::Status;
use crate::style::{BOLD, ERROR, HINT};
use crate::{hint, printable, stdout};

/// Parses the arguments, runs the command with them and turns what comes of it into the exit status.
pub fn main<A: Parser>(run: impl FnOnce(&A) -> anyhow::Result<Status>) -> ExitCode {
    let arguments = match A::try_parse() {
        Ok(arguments) => arguments,
        Err(help_or_mistake) => {
            // When nobody reads it there is nobody to tell.
            let _ = match has_hostile_arguments() {
                false => help_or_mistake.print(),
                true => {
                    let text = help_or_mistake.render().to_string();
                    io::stderr().write_all(printable::lines(&text).as_bytes())
                }
            };
            return u8::try_from(help_or_mistake.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from);
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
    let mut said = text;
    for cause in error.chain().skip(1).map(ToString::to_string) {
        // Many errors end with their cause's words already.
        if !said.ends_with(&cause) {
            writeln!(out, "  because {}", printable::lines(&cause))?;
        }
        said = cause;
    }
    hint::of(error).map_or(Ok(()), |hint| {
        writeln!(out, "{HINT}hint:{HINT:#} {}", printable::lines(hint))
    })
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
    }
}
