//! What people read before they use the commands: help, manual pages, completions.
//!
//! After a change that is meant: `INSTA_UPDATE=always cargo test -p tfo --test help`, and a look at the difference.

use clap::{Command, CommandFactory};
use clap_complete::Shell;
use tfo::classic;
use tfo::cli::Cli;

/// Both programs and all their subcommands, the hidden ones too, under the names of their manual pages.
fn commands() -> Vec<(String, Command)> {
    let mut commands = Vec::new();
    for program in [Cli::command(), classic::Args::command()] {
        let mut program = unchanging(program);
        program.build();
        let name = program.get_name().to_owned();
        add_with_subcommands(name, program, &mut commands);
    }
    commands
}

fn add_with_subcommands(name: String, command: Command, commands: &mut Vec<(String, Command)>) {
    for subcommand in command.get_subcommands() {
        let name = format!("{name}-{}", subcommand.get_name());
        add_with_subcommands(name, unchanging(subcommand.clone()), commands);
    }
    commands.push((name, command));
}

/// Neither the terminal nor a release changes its text.
fn unchanging(command: Command) -> Command {
    command.term_width(100).version("0.0.0")
}

#[test]
fn definitions_are_sound() {
    for (_, command) in commands() {
        command.debug_assert();
    }
}

#[test]
fn help() {
    for (name, mut command) in commands() {
        insta::assert_snapshot!(format!("{name}--help"), command.render_long_help());
    }
}

#[test]
fn short_help() {
    for (name, mut command) in commands() {
        insta::assert_snapshot!(format!("{name}-h"), command.render_help());
    }
}

#[test]
fn each_help_has_examples_and_exit_statuses() {
    for (name, mut command) in commands() {
        let help = command.render_long_help().to_string();
        for heading in ["Examples:", "Exit status"] {
            assert!(help.contains(heading), "{name} --help lacks {heading}");
        }
    }
}

#[test]
fn manual_pages() {
    for (name, command) in commands() {
        let mut page = Vec::new();
        clap_mangen::Man::new(command).render(&mut page).unwrap();
        insta::assert_snapshot!(format!("{name}.1"), String::from_utf8(page).unwrap());
    }
}

#[test]
fn completions() {
    for shell in [Shell::Bash, Shell::Fish, Shell::Zsh] {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut unchanging(Cli::command()), "tfo", &mut script);
        insta::assert_snapshot!(format!("completions-{shell}"), String::from_utf8(script).unwrap());
    }
}
