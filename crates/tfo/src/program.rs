//! What surrounds every command: its arguments, its errors, its exit status.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

use crate::status::Status;
use crate::style::{BOLD, ERROR, HINT};
use crate::{hint, stdout};

/// Parses the arguments, runs the command with them and turns what comes of it into the exit status.
pub fn main<A: Parser>(run: impl FnOnce(&A) -> anyhow::Result<Status>) -> ExitCode {
    let arguments = match A::try_parse() {
        Ok(arguments) => arguments,
        Err(help_or_mistake) => {
            // When nobody reads it there is nobody to tell.
            let _ = help_or_mistake.print();
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

fn print_error(error: &anyhow::Error, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{ERROR}error:{ERROR:#} {BOLD}{error}{BOLD:#}")?;
    let mut said = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        // Many errors end with their cause's words already.
        if !said.ends_with(&cause) {
            writeln!(out, "  because {cause}")?;
        }
        said = cause;
    }
    hint::of(error).map_or(Ok(()), |hint| writeln!(out, "{HINT}hint:{HINT:#} {hint}"))
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
    fn a_cause_that_the_error_ends_with_is_not_said_twice() {
        let cause = anyhow::anyhow!("no such key");
        let error = Err::<(), _>(cause).context("keys.txt: no such key").unwrap_err();
        assert_eq!(printed(&error), "error: keys.txt: no such key\n");
    }
}
