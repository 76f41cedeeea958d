//! How wide the output may be, and text broken at words to fit.

use std::ops::RangeInclusive;

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

/// A row of a table: cells, each with the columns that it has there. Where that is too wide, a list: the first cell, and the others
/// below it.
///
/// ```
/// let cells = [("[::]:443", 12), ("queue 256", 11), ("nginx", 5)];
/// assert_eq!(tfo::width::row(&cells, 40), "  [::]:443      queue 256    nginx");
/// assert_eq!(tfo::width::row(&cells, 24), "  [::]:443\n      queue 256, nginx");
/// ```
pub fn row(cells: &[(&str, usize)], columns: usize) -> String {
    let mut line = String::new();
    for (text, width) in cells {
        let room = width.saturating_sub(display(text));
        line += &format!("  {text}{:room$}", "");
    }
    let line = line.trim_end();
    let fits = cells.iter().all(|(text, width)| display(text) <= *width);
    if fits && display(line) <= columns {
        return line.to_owned();
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
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation)
        .wrap_algorithm(WrapAlgorithm::FirstFit)
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
