//! How wide the output may be, and text broken at words to fit.

use std::ops::RangeInclusive;

use textwrap::core::Word;
use textwrap::{Options, WordSeparator, WordSplitter, WrapAlgorithm};

/// Lines longer than this are hard to read, and in fewer columns than this nothing can be laid out.
const LIMITS: RangeInclusive<usize> = 40..=120;
/// Where standard output is no terminal.
const DEFAULT: usize = 80;

/// How many columns a line on standard output may take: as many as the terminal has, between 40 and 120, or 80 where there is none.
pub fn of_stdout() -> usize {
    of_terminal().map_or(DEFAULT, |columns| columns.clamp(*LIMITS.start(), *LIMITS.end()))
}

/// How many columns help may take: as many as the terminal has, or as `COLUMNS` says, between 40 and 100.
pub fn of_help() -> usize {
    const WIDEST: usize = 100;
    let said = || std::env::var("COLUMNS").ok()?.parse().ok();
    of_terminal()
        .or_else(said)
        .unwrap_or(WIDEST)
        .clamp(*LIMITS.start(), WIDEST)
}

/// How many columns the terminal has that standard output is, if it is one that says so.
#[cfg(unix)]
pub fn of_terminal() -> Option<usize> {
    // The crate terminal_size reports nothing where the number of rows is 0, as with `stty cols 60` on a new pseudo-terminal.
    let columns = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?.ws_col;
    (columns > 0).then(|| columns.into())
}

/// Not known on Windows.
#[cfg(windows)]
pub fn of_terminal() -> Option<usize> {
    None
}

/// Breaks text between its words; a word that is longer than a line stays whole. Escape sequences of styles take no room.
///
/// ```
/// assert_eq!(tfo::width::wrap("the option is stripped", 11), ["the option", "is stripped"]);
/// ```
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let lines = textwrap::wrap(text, options(columns));
    lines.into_iter().map(std::borrow::Cow::into_owned).collect()
}

/// Text that begins with `first`, and whose lines after the first are indented by as many columns as `first` takes.
///
/// ```
/// assert_eq!(tfo::width::hang("hint: ", "try a longer delay", 16), "hint: try a\n      longer\n      delay");
/// ```
pub fn hang(first: &str, text: &str, columns: usize) -> String {
    let indent = " ".repeat(textwrap::core::display_width(first));
    let options = options(columns).subsequent_indent(&indent);
    textwrap::fill(&format!("{first}{text}"), options)
}

/// A row of a table: cells, each with the columns that it has there. The last one may take several lines. Where that is too wide, a list:
/// the first cell, and the others below it.
///
/// ```
/// let cells = [("[::]:443", 12), ("queue 256", 11), ("nginx (17)", 10)];
/// assert_eq!(tfo::width::row(&cells, 40), "  [::]:443      queue 256    nginx (17)");
/// assert_eq!(tfo::width::row(&cells, 36), "  [::]:443      queue 256    nginx\n                             (17)");
/// assert_eq!(tfo::width::row(&cells, 24), "  [::]:443\n      queue 256, nginx\n      (17)");
/// ```
pub fn row(cells: &[(&str, usize)], columns: usize) -> String {
    let Some((last, others)) = cells.split_last() else {
        return String::new();
    };
    let mut line = String::new();
    for (text, width) in others {
        let room = width.saturating_sub(display(text));
        line += &format!("  {text}{:room$}", "");
    }
    line += "  ";
    let room = columns.saturating_sub(display(&line));
    let fits =
        others.iter().all(|(text, width)| display(text) <= *width) && display(line.trim_end()) <= columns;
    if fits && last.0.split(' ').all(|word| display(word) <= room) {
        return hang(&line, last.0, columns).trim_end().to_owned();
    }
    let others: Vec<_> = cells.iter().skip(1).map(|(text, _)| text.trim()).collect();
    let others: Vec<_> = others.into_iter().filter(|text| !text.is_empty()).collect();
    let first = cells.first().map_or("", |(text, _)| text);
    let below = hang("      ", &others.join(", "), columns);
    format!("  {first}\n{below}").trim_end().to_owned()
}

/// How many columns text takes on a terminal, without the escape sequences of its styles.
pub fn display(text: &str) -> usize {
    textwrap::core::display_width(text)
}

fn options(columns: usize) -> Options<'static> {
    Options::new(columns)
        .break_words(false)
        .word_separator(WordSeparator::Custom(words))
        .word_splitter(WordSplitter::NoHyphenation)
        .wrap_algorithm(WrapAlgorithm::FirstFit)
}

/// Words at spaces, but a number and its unit are one.
fn words(line: &str) -> Box<dyn Iterator<Item = Word<'_>> + '_> {
    let mut rest = line;
    Box::new(std::iter::from_fn(move || {
        let mut end = 0;
        for word in WordSeparator::AsciiSpace.find_words(rest) {
            let whole = &rest[..end];
            if end > 0 && !(whole.trim_end().ends_with(|c: char| c.is_ascii_digit()) && is_unit(word.word)) {
                break;
            }
            end += word.word.len() + word.whitespace.len();
        }
        let (word, after) = rest.split_at(end);
        rest = after;
        (end > 0).then(|| Word::from(word))
    }))
}

/// Whether a word begins with a unit, which punctuation or the end of a style may follow.
fn is_unit(word: &str) -> bool {
    let end = word.find(|c: char| !c.is_alphabetic() && c != '%');
    matches!(
        end.map_or(word, |end| &word[..end]),
        "ms" | "s" | "%" | "KiB" | "MiB"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::style::GOOD;

    #[test]
    fn words_stay_whole() {
        assert_eq!(wrap("a bc def", 4), ["a bc", "def"]);
        assert_eq!(
            wrap("net.ipv4.tcp_fastopen is 1", 7),
            ["net.ipv4.tcp_fastopen", "is 1"]
        );
        assert_eq!(wrap("well-known", 5), ["well-known"]);
    }

    #[test]
    fn the_last_cell_takes_as_many_lines_as_it_needs() {
        let listener = |holders| {
            row(
                &[
                    ("0.0.0.0:6379", 26),
                    ("fast, queue 256", 17),
                    ("backlog 511", 13),
                    (holders, 0),
                ],
                80,
            )
        };
        let holders = listener("nginx (1201), nginx (1202)");
        let column = " ".repeat(64);
        assert!(
            holders.ends_with(&format!("  backlog 511    nginx (1201),\n{column}nginx (1202)")),
            "{holders}"
        );
        assert!(!listener("").contains('\n'));
        assert_eq!(row(&[("a", 9), ("b", 9), ("", 0)], 12), "  a\n      b");
    }

    #[test]
    fn a_number_stays_with_its_unit() {
        assert_eq!(wrap("saves -1.71 ms, at", 12), ["saves", "-1.71 ms, at"]);
        assert_eq!(wrap("the 95 % interval", 7), ["the", "95 %", "interval"]);
        let styled = format!("it is {GOOD}1.71 ms{GOOD:#} sooner");
        assert_eq!(wrap(&styled, 11)[1], format!("{GOOD}1.71 ms{GOOD:#}"));
        assert_eq!(wrap("port 80 sends it", 8), ["port 80", "sends it"]);
        assert_eq!(wrap("  indented 1 s", 10), ["  indented", "1 s"]);
        assert_eq!(wrap("", 9), [""]);
    }

    #[test]
    fn columns_are_counted_as_a_terminal_does() {
        assert_eq!(wrap("…… …", 4), ["…… …"]);
        assert_eq!(wrap("東京 x", 4), ["東京", "x"], "two columns each");
        assert_eq!(wrap(&format!("{GOOD}ok{GOOD:#} yes"), 6).len(), 1);
        assert_eq!(display(&format!("{GOOD}ok{GOOD:#}")), 2);
    }

    #[test]
    fn later_lines_stand_below_the_first_ones_text() {
        let first = format!("{GOOD}ok{GOOD:#}  ");
        let text = hang(&first, "one two three", 11);
        assert_eq!(text, format!("{first}one two\n    three"));
    }
}
