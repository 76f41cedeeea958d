//! What stands below the options in help, and as sections in manual pages: examples, notes, exit statuses.
//!
//! Each verb has it as text, which [`sections`] reads; [`terminal`] lays it out for a width, and [`man`](crate::man) as sections.

pub(crate) mod sections;
mod terminal;

use std::ffi::OsString;
use std::fmt::Display;

use clap::Command;

/// Stands for a space where no line may be broken: clap breaks lines at spaces alone.
const UNBROKEN: char = '\u{a0}';

/// The command, with its help and that of its subcommands laid out for so many columns. What it prints goes through [`printed`].
pub fn laid_out(command: Command, columns: usize) -> Command {
    let text = command.get_after_long_help().map(|text| {
        let sections = sections::parse(&text.to_string());
        terminal::lay_out(&sections, columns)
    });
    let command = command
        .term_width(columns)
        .mut_subcommands(|subcommand| laid_out(subcommand, columns));
    match text {
        Some(text) => command.after_long_help(text),
        None => command,
    }
}

/// The arguments, with `help VERB` as `VERB --help`. clap's own subcommand for that would stand in every list of commands, and in
/// completions with all commands once more.
pub fn asked_by_a_word(command: &Command, arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments: Vec<_> = arguments.into_iter().collect();
    let mut command = command;
    for index in 1..arguments.len() {
        let word = &arguments[index];
        if command.has_subcommands() && word == "help" {
            arguments.remove(index);
            arguments.push("--help".into());
            break;
        }
        match command.find_subcommand(word) {
            Some(subcommand) => command = subcommand,
            None => break,
        }
    }
    arguments
}

/// Help as it is printed.
pub fn printed(help: impl Display) -> String {
    help.to_string().replace(UNBROKEN, " ")
}
