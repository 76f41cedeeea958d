//! The parts of what stands below the options.
//!
//! ```text
//! Heading (of what):
//! A paragraph, which is filled. Another one follows an empty line.
//!   term  what it means
//!   another, longer term
//!         what it means, in lines that are indented further
//!
//!     what is kept as it is, after an empty line or a heading
//! ```
//! A paragraph before the first heading has none.

/// What stands below a heading.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Section {
    /// Without colon; empty where there is no heading.
    pub(crate) title: String,
    pub(crate) blocks: Vec<Block>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Block {
    Paragraph(String),
    Item {
        term: String,
        meaning: String,
    },
    /// Lines to be copied.
    Verbatim(Vec<String>),
}

/// How far an item is indented, and lines to be copied.
const ITEM: usize = 2;
const VERBATIM: usize = 4;

pub(crate) fn parse(text: &str) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    // Whether there is no line right before, and whether that is a heading.
    let (mut apart, mut fresh) = (true, true);
    for line in text.lines() {
        let content = line.trim();
        if content.is_empty() {
            (apart, fresh) = (true, true);
            continue;
        }
        let indent = line.len() - line.trim_start().len();
        let title = content.strip_suffix(':').filter(|_| apart && indent == 0);
        apart = false;
        if let Some(title) = title {
            sections.push(Section {
                title: title.to_owned(),
                blocks: Vec::new(),
            });
            fresh = true;
            continue;
        }
        if sections.is_empty() {
            sections.push(Section::default());
        }
        if let Some(section) = sections.last_mut() {
            section.add(line, indent, fresh);
        }
        fresh = false;
    }
    sections
}

impl Section {
    fn add(&mut self, line: &str, indent: usize, fresh: bool) {
        let content = line.trim();
        match (self.blocks.last_mut(), indent) {
            (Some(Block::Verbatim(lines)), VERBATIM..) if !fresh => lines.push(kept(line)),
            (Some(Block::Item { meaning, .. }), VERBATIM..) if !fresh => join(meaning, content),
            (_, VERBATIM..) => self.blocks.push(Block::Verbatim(vec![kept(line)])),
            (_, ITEM) => {
                let (term, meaning) = content.split_once("  ").unwrap_or((content, ""));
                self.blocks.push(Block::Item {
                    term: term.to_owned(),
                    meaning: meaning.trim_start().to_owned(),
                });
            }
            (Some(Block::Paragraph(text)), _) if !fresh => join(text, content),
            _ => self.blocks.push(Block::Paragraph(content.to_owned())),
        }
    }
}

fn kept(line: &str) -> String {
    line.get(VERBATIM..).unwrap_or_default().to_owned()
}

fn join(text: &mut String, more: &str) {
    if !text.is_empty() {
        text.push(' ');
    }
    text.push_str(more);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_told_by_its_indentation() {
        let text = "A word\nbefore.\n\nExamples:\n  a --b     Both\n  a long one -- c\n            That\n            too\n  bare\n\n\
                    Rules:\nThe first\ndecides:\n\n    [[rule]]\n      port = 1\n\n    second\n\nAnother.\n";
        let item = |term: &str, meaning: &str| Block::Item {
            term: term.to_owned(),
            meaning: meaning.to_owned(),
        };
        let paragraph = |text: &str| Block::Paragraph(text.to_owned());
        let verbatim = |lines: &[&str]| Block::Verbatim(lines.iter().map(ToString::to_string).collect());
        let expected = [
            ("", vec![paragraph("A word before.")]),
            (
                "Examples",
                vec![
                    item("a --b", "Both"),
                    item("a long one -- c", "That too"),
                    item("bare", ""),
                ],
            ),
            (
                "Rules",
                vec![
                    paragraph("The first decides:"),
                    verbatim(&["[[rule]]", "  port = 1"]),
                    verbatim(&["second"]),
                    paragraph("Another."),
                ],
            ),
        ];
        let expected = expected.map(|(title, blocks)| Section {
            title: title.to_owned(),
            blocks,
        });
        assert_eq!(parse(text), expected);
    }
}
