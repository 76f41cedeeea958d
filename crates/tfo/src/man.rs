//! `tfo man`: the manual pages.
//!
//! clap_mangen makes what comes from the options; what stands below them in help becomes sections of their own, in the order that
//! man-pages(7) asks for.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use anyhow::Context;
use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use crate::help::sections::{self, Block, Section};
use crate::hint::Hint;
use crate::status::Status;
use crate::{stdout, width};

/// Print tfo's manual page, or write all of them into a folder
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER)]
pub struct Args {
    /// Where to write them all: tfo.1, tfo-serve.1, tcp-fast-open.1 and so on; the folder is made if only it is missing
    dir: Option<PathBuf>,
}

const AFTER: &str = "\
Examples:
  tfo man | man -l -
  tfo man /usr/local/share/man/man1

Exit status:
  0  done
  2  wrong usage, or the folder could not be written";

/// Of the last release: pages are the same wherever they are made.
const DATE: &str = "2026-11-27";
const MANUAL: &str = "TCP Fast Open";
/// What comes after the sections of the command's own, in this order.
const LAST: [&str; 5] = ["EXIT STATUS", "ENVIRONMENT", "FILES", "NOTES", "EXAMPLES"];

/// Prints the page of the first of these commands, or writes the pages of all.
///
/// # Errors
/// Those of standard output or of the folder.
pub fn run(args: &Args, commands: Vec<Command>) -> anyhow::Result<Status> {
    let pages = pages(commands)?;
    let Some(dir) = &args.dir else {
        if let Some((_, page)) = pages.first() {
            stdout::lock().write_all(page.as_bytes())?;
        }
        return Ok(Status::Works);
    };
    let writing = || format!("writing manual pages to {}", dir.display());
    // Not the folders above it: a path that was mistyped must not become one.
    match fs::create_dir(dir) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            return Err(error)
                .with_context(writing)
                .hint("only the last folder is made: mkdir -p makes those above it");
        }
        _ => {}
    }
    for (name, page) in pages {
        fs::write(dir.join(format!("{name}.1")), page).with_context(writing)?;
    }
    Ok(Status::Works)
}

/// The pages of these programs and of their subcommands: names without the section, and texts.
///
/// # Errors
/// None that is known: they are written to memory.
pub fn pages(commands: Vec<Command>) -> anyhow::Result<Vec<(String, String)>> {
    let mut all = Vec::new();
    for mut command in commands {
        command.build();
        let source = format!(
            "{} {}",
            command.get_name(),
            command.get_version().unwrap_or_default()
        );
        add(command, &source, None, &mut all);
    }
    let names: Vec<String> = all.iter().map(|page| page.name.clone()).collect();
    let pages = all.iter().map(|page| Ok((page.name.clone(), page.text(&names)?)));
    pages.collect()
}

struct Page {
    name: String,
    command: Command,
    source: String,
    parent: Option<String>,
}

/// Adds the command's page and then those of its subcommands that are shown.
fn add(command: Command, source: &str, parent: Option<&str>, pages: &mut Vec<Page>) {
    let name = command
        .get_display_name()
        .unwrap_or(command.get_name())
        .to_owned();
    let subcommands: Vec<_> = command
        .get_subcommands()
        .filter(|sub| !sub.is_hide_set())
        .cloned()
        .collect();
    pages.push(Page {
        name: name.clone(),
        command,
        source: source.to_owned(),
        parent: parent.map(str::to_owned),
    });
    for subcommand in subcommands {
        add(subcommand, source, Some(&name), pages);
    }
}

impl Page {
    fn text(&self, names: &[String]) -> anyhow::Result<String> {
        let man = Man::new(self.command.clone())
            .title(self.name.to_uppercase())
            .date(DATE)
            .source(&self.source)
            .manual(MANUAL);
        let mut rendered = Vec::new();
        man.render_title(&mut rendered)?;
        man.render_name_section(&mut rendered)?;
        man.render_synopsis_section(&mut rendered)?;
        man.render_description_section(&mut rendered)?;
        man.render_options_section(&mut rendered)?;
        if self.command.get_subcommands().any(|sub| !sub.is_hide_set()) {
            man.render_subcommands_section(&mut rendered)?;
        }
        let below = self
            .command
            .get_after_long_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        for section in in_order(sections::parse(&below)) {
            write_section(&section).to_writer(&mut rendered)?;
        }
        let text = String::from_utf8(rendered)?;
        let see_also = self.see_also(names, &text);
        // Each part begins with the same definition.
        let definition = Roff::new().render();
        let parts = text + &see_also;
        let parts = parts.replace(&definition, "");
        // Before the values that an option may have, more than mandoc likes.
        let parts = parts
            .replace(".br\n\n.br\n", ".sp\n")
            .replace(".br\n.sp\n.br\n", ".sp\n");
        Ok(definition + &tidy(&parts))
    }

    /// The command that it belongs to, and the commands that it speaks of.
    fn see_also(&self, names: &[String], text: &str) -> String {
        let text = text.replace("\\-", "-");
        let speaks_of = |name: &str| {
            let typed = name.replacen('-', " ", if name.starts_with("tfo-") { 2 } else { 0 });
            text.match_indices(&typed).any(|(at, _)| {
                let after = text[at + typed.len()..].chars().next();
                !after.is_some_and(|next| next.is_ascii_alphanumeric() || next == '-')
            })
        };
        let related = |name: &&String| {
            **name != self.name
                && (self.parent.as_ref() == Some(name) || (name.contains('-') && speaks_of(name)))
        };
        let pages = names.iter().filter(related).map(String::as_str).chain(["tcp(7)"]);
        let mut see_also = Roff::new();
        see_also.control("SH", ["SEE ALSO"]);
        let mut line = Vec::new();
        for page in pages {
            if !line.is_empty() {
                line.push(roman(", "));
            }
            let (name, section) = page.split_once('(').unwrap_or((page, "1)"));
            line.extend([bold(name), roman(format!("({section}"))]);
        }
        see_also.text(line);
        see_also.render()
    }
}

/// The source as every reader takes it: in ASCII, in lines of 80 columns but for those that are copied, without spaces at their ends.
fn tidy(source: &str) -> String {
    const COLUMNS: usize = 80;
    let mut tidy = String::new();
    let mut copied = false;
    for line in source.lines() {
        copied = (copied || line == ".EX") && line != ".EE";
        let line = line.trim_end();
        let lines = match copied || line.starts_with('.') {
            true => vec![line.to_owned()],
            false => width::wrap(line, COLUMNS),
        };
        for (at, line) in lines.iter().enumerate() {
            // It would be taken for a request.
            if at > 0 && line.starts_with(['.', '\'']) {
                tidy += "\\&";
            }
            for character in line.chars() {
                match character.is_ascii() {
                    true => tidy.push(character),
                    false => tidy += &format!("\\[u{:04X}]", u32::from(character)),
                }
            }
            tidy.push('\n');
        }
    }
    tidy
}

/// As man-pages(7) orders them; what has no heading of its own is a note.
fn in_order(sections: Vec<Section>) -> Vec<Section> {
    let mut named: Vec<Section> = Vec::new();
    for mut section in sections {
        let (title, of_what) = match section.title.split_once(" (") {
            Some((title, of_what)) => (
                title.to_uppercase(),
                Some(of_what.trim_end_matches(')').to_owned()),
            ),
            None if section.title.is_empty() => ("NOTES".to_owned(), None),
            None => (section.title.to_uppercase(), None),
        };
        if let Some(of_what) = of_what {
            let mut characters = of_what.chars();
            let first = characters.next().into_iter().flat_map(char::to_uppercase);
            let sentence: String = first.chain(characters).chain(['.']).collect();
            section.blocks.insert(0, Block::Paragraph(sentence));
        }
        section.title = title;
        match named.iter_mut().find(|other| other.title == section.title) {
            Some(same) => same.blocks.append(&mut section.blocks),
            None => named.push(section),
        }
    }
    named.sort_by_key(|section| {
        LAST.iter()
            .position(|last| *last == section.title)
            .map_or(0, |at| at + 1)
    });
    named
}

fn write_section(section: &Section) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", [section.title.as_str()]);
    let mut before: Option<&Block> = None;
    for block in &section.blocks {
        let follows = before.is_some();
        match block {
            Block::Paragraph(text) => {
                if follows {
                    roff.control("PP", []);
                }
                roff.text([roman(text)]);
            }
            // Not to be broken either.
            Block::Item { term, meaning } if section.title == "EXAMPLES" || meaning.is_empty() => {
                if follows {
                    roff.control("PP", []);
                }
                roff.control("EX", []).text([bold(term)]).control("EE", []);
                if !meaning.is_empty() {
                    roff.control("RS", ["4"]).text([roman(meaning)]).control("RE", []);
                }
            }
            Block::Item { term, meaning } => {
                roff.control("TP", []).text([bold(term)]).text([roman(meaning)]);
            }
            Block::Verbatim(lines) => {
                if follows {
                    roff.control("PP", []);
                }
                roff.control("EX", []);
                for line in lines {
                    roff.text([roman(line)]);
                }
                roff.control("EE", []);
            }
        }
        before = Some(block);
    }
    roff
}
