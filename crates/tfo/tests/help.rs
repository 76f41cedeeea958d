//! What people read before they use the commands: help, manual pages, completions.
//!
//! After a change that is meant: `INSTA_UPDATE=always cargo test -p tfo --test help`, and a look at the difference.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use clap::{Command, CommandFactory, Parser};
use clap_complete::Shell;
use tfo::classic;
use tfo::cli::Cli;

/// Both programs and all their subcommands, the hidden ones too, under the names of their manual pages.
fn commands() -> Vec<(String, Command)> {
    commands_in(100)
}

/// Neither the terminal nor a release changes their text.
fn commands_in(columns: usize) -> Vec<(String, Command)> {
    let mut commands = Vec::new();
    for program in [Cli::command(), classic::Args::command()] {
        let mut program = tfo::help::laid_out(program, columns).version("0.0.0");
        program.build();
        let name = program.get_name().to_owned();
        add_with_subcommands(name, program, &mut commands);
    }
    commands
}

fn add_with_subcommands(name: String, command: Command, commands: &mut Vec<(String, Command)>) {
    for subcommand in command.get_subcommands() {
        let name = format!("{name}-{}", subcommand.get_name());
        add_with_subcommands(name, subcommand.clone().version("0.0.0"), commands);
    }
    commands.push((name, command));
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
        insta::assert_snapshot!(
            format!("{name}--help"),
            tfo::help::printed(command.render_long_help())
        );
    }
}

#[test]
fn short_help() {
    for (name, mut command) in commands() {
        insta::assert_snapshot!(format!("{name}-h"), tfo::help::printed(command.render_help()));
    }
}

#[test]
fn each_help_has_examples_and_exit_statuses() {
    for (name, mut command) in commands() {
        let help = tfo::help::printed(command.render_long_help());
        for heading in ["Examples:", "Exit status"] {
            assert!(help.contains(heading), "{name} --help lacks {heading}");
        }
    }
}

/// What stands under "Examples:" is taken by the command as it is, as far as its arguments go.
#[test]
fn examples_in_help_can_be_typed() {
    let mut typed = 0;
    for (name, mut command) in commands() {
        let help = tfo::help::printed(command.render_long_help());
        let (_, examples) = help.split_once("\nExamples:\n").unwrap();
        let lines = examples.lines().take_while(|line| line.starts_with("  "));
        for example in lines.filter(|line| !line.starts_with("   ")) {
            let example = example.trim().split("  ").next().unwrap();
            // run looks names up.
            for words in commands_of(&example.replace("example.com", "localhost")) {
                let parsed = match &*words[0] {
                    "tfo" => Cli::try_parse_from(&words).map(drop),
                    "tcp-fast-open" => classic::Args::try_parse_from(&words).map(drop),
                    _ => continue,
                };
                assert!(parsed.is_ok(), "{name}: {example}: {parsed:?}");
                typed += 1;
            }
        }
    }
    assert!(typed > 80, "{typed}");
}

/// The words of each command in a line for a shell, from the name of one of ours on. Quotes hold words together.
fn commands_of(line: &str) -> Vec<Vec<String>> {
    let (mut commands, mut words, mut word) = (Vec::new(), Vec::new(), String::new());
    let mut quote = None;
    for character in line.chars().chain([' ', ';']) {
        match (character, quote) {
            (open, Some(quoted)) if open == quoted => quote = None,
            (_, Some(_)) => word.push(character),
            ('\'' | '"', None) => quote = Some(character),
            (' ' | ';' | '|' | '<' | '>' | '(' | ')', None) => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                if character != ' ' {
                    let all = std::mem::take(&mut words);
                    let start = all
                        .iter()
                        .position(|word| ["tfo", "tcp-fast-open"].contains(&&**word));
                    commands.extend(start.map(|start| all[start..].to_vec()));
                }
            }
            _ => word.push(character),
        }
    }
    commands
}

fn pages() -> Vec<(String, String)> {
    let programs = [Cli::command(), classic::Args::command()];
    let pages = tfo::man::pages(programs.map(|program| program.version("0.0.0")).into())
        .expect("they are written to memory");
    assert!(pages.len() > 25);
    pages
}

#[test]
fn manual_pages() {
    for (name, page) in pages() {
        insta::assert_snapshot!(format!("{name}.1"), page);
    }
}

/// Lines of 60 and 80 columns break prose only.
#[test]
fn commands_in_help_stay_whole() {
    let commands = |columns| {
        let mut all = Vec::new();
        for (name, mut command) in commands_in(columns) {
            let help = tfo::help::printed(command.render_long_help());
            let copied = |line: &&str| {
                ["  tfo ", "  sudo ", "  ssh ", "  pass "]
                    .iter()
                    .any(|start| line.starts_with(start))
            };
            let (_, below) = help.split_once("Print help").unwrap();
            let prose = below
                .lines()
                .filter(|line| line.len() > columns && line.starts_with("      "));
            assert_eq!(prose.count(), 0, "{name} at {columns}: {help}");
            // The command without what it does.
            let below = below
                .lines()
                .filter(copied)
                .map(|line| line.trim().split("  ").next().unwrap().to_owned());
            all.extend(below.map(|command| (name.clone(), command)));
        }
        all
    };
    let wide = commands(100);
    assert!(wide.len() > 60);
    assert_eq!(commands(80), wide);
    assert_eq!(commands(60), wide);
}

#[test]
fn completions() {
    for shell in [Shell::Bash, Shell::Fish, Shell::Zsh] {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Cli::command().version("0.0.0"), "tfo", &mut script);
        insta::assert_snapshot!(format!("completions-{shell}"), String::from_utf8(script).unwrap());
    }
}

/// The verbs that people are shown.
fn verbs() -> Vec<Command> {
    let tfo = Cli::command();
    let verbs: Vec<_> = tfo
        .get_subcommands()
        .filter(|verb| !verb.is_hide_set())
        .cloned()
        .collect();
    assert!(verbs.len() >= 13);
    verbs
}

#[test]
fn each_verb_is_where_people_look_for_it() {
    // Read when the test runs: a package of this crate is built without it.
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md")).unwrap();
    let (_, table) = readme.split_once("\n## The command\n").unwrap();
    let (table, _) = table.split_once("\n## ").unwrap();
    let rows: Vec<_> = table.lines().filter(|line| line.starts_with("| `tfo ")).collect();
    let help = Cli::command().render_long_help().to_string();
    for verb in verbs() {
        let name = verb.get_name();
        let is_named = |row: &&str| row.split('|').nth(1).unwrap().contains(name);
        assert_eq!(
            rows.iter().filter(|row| is_named(row)).count(),
            1,
            "README.md's table: {name}"
        );
        let example = format!("tfo {name} ");
        assert!(
            help.contains(&example) || name == "disable",
            "tfo --help has no example of {name}"
        );
    }
}

/// The schema that a verb's `--json` names is there.
#[test]
fn each_json_has_its_schema() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
    let mut named = BTreeSet::new();
    for (name, mut command) in commands() {
        if command
            .get_arguments()
            .any(|argument| argument.get_id() == "json")
        {
            let help = tfo::help::printed(command.render_long_help());
            let schemas = help.split("schemas/").skip(1);
            let schemas: Vec<_> = schemas.filter_map(|rest| rest.split_once(".json")).collect();
            assert!(!schemas.is_empty(), "{name} --help does not name the schema");
            named.extend(schemas.into_iter().map(|(schema, _)| schema.to_owned()));
        }
    }
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = files.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned());
    // `run` writes its report where `--report` says.
    named.insert("run".to_owned());
    assert_eq!(files.collect::<BTreeSet<_>>(), named);
}
