//! Sections as a terminal shows them. Lines to be copied stay whole, however narrow it is.

use super::UNBROKEN;
use super::sections::{Block, Section};
use crate::width;

/// Terms that are longer have their meaning on the next line.
const LONGEST_TERM: usize = 37;
/// Where there are fewer columns beside the terms, each meaning is below its term.
const NARROWEST: usize = 30;

pub(super) fn lay_out(sections: &[Section], columns: usize) -> String {
    let sections: Vec<String> = sections.iter().map(|section| one(section, columns)).collect();
    sections.join("\n")
}

fn one(section: &Section, columns: usize) -> String {
    let mut text = String::new();
    let mut indent = 0;
    if !section.title.is_empty() {
        text += &lines("", &format!("{}:", section.title), columns);
        indent = 2;
    }
    let margin = " ".repeat(indent);
    let column = column(section);
    let mut before: Option<&Block> = None;
    for block in &section.blocks {
        let item = |block: &Block| matches!(block, Block::Item { .. });
        if before.is_some_and(|before| !(item(before) && item(block))) {
            text.push('\n');
        }
        text += &match block {
            Block::Paragraph(paragraph) => lines(&margin, paragraph, columns),
            Block::Item { term, meaning } => self::item(term, meaning, column, columns),
            Block::Verbatim(kept) => kept
                .iter()
                .map(|line| whole(&format!("{margin}{line}")))
                .collect(),
        };
        before = Some(block);
    }
    text
}

/// Where the meanings of a section's terms begin.
fn column(section: &Section) -> usize {
    let terms = section.blocks.iter().filter_map(|block| match block {
        Block::Item { term, meaning } if !meaning.is_empty() => Some(width::display(term)),
        _ => None,
    });
    let short = terms.filter(|term| *term <= LONGEST_TERM).max();
    short.map_or(6, |longest| longest + 4)
}

fn item(term: &str, meaning: &str, column: usize, columns: usize) -> String {
    let first = format!("  {term}");
    if meaning.is_empty() {
        return whole(&first);
    }
    if columns < column + NARROWEST {
        return whole(&first) + &lines("      ", meaning, columns);
    }
    let below = lines(&" ".repeat(column), meaning, columns);
    let room = column.saturating_sub(width::display(&first));
    match room {
        0 | 1 => whole(&first) + &below,
        room => format!("{first}{}{}", " ".repeat(room), below.trim_start()),
    }
}

/// Text that may be broken between its words.
fn lines(margin: &str, text: &str, columns: usize) -> String {
    let room = columns.saturating_sub(margin.len()).max(1);
    let lines = width::wrap(text, room);
    lines.iter().map(|line| format!("{margin}{line}\n")).collect()
}

/// A line that clap doesn't break.
fn whole(line: &str) -> String {
    line.replace(' ', &UNBROKEN.to_string()) + "\n"
}

#[cfg(test)]
mod tests {
    use super::super::sections;
    use super::*;

    fn at(text: &str, columns: usize) -> String {
        lay_out(&sections::parse(text), columns).replace(UNBROKEN, " ")
    }

    #[test]
    fn commands_and_what_is_to_be_copied_stay_whole() {
        let text = "Examples:\n  tfo one --two three     Does this and that\n  tfo a-longer-one --four five six seven eight nine\n  \
                    \x20                     Does more\n\nRules:\nThe first one decides, whatever follows:\n\n    port = [80, 443, \"8000-8099\"]\n";
        assert_eq!(
            at(text, 60),
            "Examples:\n  tfo one --two three  Does this and that\n  tfo a-longer-one --four five six seven eight nine\n                       \
             Does more\n\nRules:\n  The first one decides, whatever follows:\n\n  port = [80, 443, \"8000-8099\"]\n"
        );
        assert_eq!(
            at(text, 24),
            "Examples:\n  tfo one --two three\n      Does this and that\n  tfo a-longer-one --four five six seven eight nine\n      Does \
             more\n\nRules:\n  The first one decides,\n  whatever follows:\n\n  port = [80, 443, \"8000-8099\"]\n"
        );
    }

    #[test]
    fn meanings_are_filled_beside_their_terms() {
        let text =
            "Exit status:\n  0  it works, or what was asked is done, which is the same\n  2  wrong usage\n";
        assert_eq!(
            at(text, 40),
            "Exit status:\n  0  it works, or what was asked is\n     done, which is the same\n  2  wrong usage\n"
        );
    }
}
