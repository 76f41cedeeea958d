//! A list of targets, a line each, as standard input may have it.

use std::io::{self, BufRead, Read};

/// No target is longer than this, in bytes: a name has at most 253.
const LONGEST: usize = 4096;

/// A target as it was given, or a line that can't be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Given {
    Target(String),
    /// How it begins, and what is wrong with it.
    Unusable(String, &'static str),
}

/// The lines that are neither empty nor comments. One that is too long or not text is reported, and the list goes on.
pub(crate) struct TargetLines<R> {
    input: R,
    /// Whether the line that was reported last has not ended yet.
    within_a_line: bool,
}

impl<R: BufRead> TargetLines<R> {
    pub(crate) fn of(input: R) -> Self {
        let within_a_line = false;
        Self { input, within_a_line }
    }

    /// The next line, and whether all of it was kept; `None` at the end.
    fn next_line(&mut self) -> io::Result<Option<(Vec<u8>, bool)>> {
        // Not before the line is reported: one without an end would never be.
        if std::mem::take(&mut self.within_a_line) {
            self.input.skip_until(b'\n')?;
        }
        let mut line = Vec::new();
        let read = Read::take(&mut self.input, LONGEST as u64 + 1).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(None);
        }
        let whole = line.len() <= LONGEST;
        self.within_a_line = !whole && line.last() != Some(&b'\n');
        Ok(Some((line, whole)))
    }
}

impl<R: BufRead> Iterator for TargetLines<R> {
    type Item = io::Result<Given>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (line, whole) = match self.next_line() {
                Ok(line) => line?,
                Err(error) => return Some(Err(error)),
            };
            match given(&line, whole) {
                Some(given) => return Some(Ok(given)),
                None => continue,
            }
        }
    }
}

fn given(line: &[u8], whole: bool) -> Option<Given> {
    let line = line.trim_ascii();
    if line.is_empty() || line.starts_with(b"#") {
        return None;
    }
    let beginning = || {
        const SHOWN: usize = 64;
        String::from_utf8_lossy(&line[..line.len().min(SHOWN)]).into_owned()
    };
    Some(match std::str::from_utf8(line) {
        _ if !whole => Given::Unusable(beginning(), "the line is longer than any target"),
        Ok(text) => Given::Target(text.to_owned()),
        Err(_) => Given::Unusable(beginning(), "the line is not UTF-8 text"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(input: &[u8]) -> Vec<Given> {
        TargetLines::of(input).map(Result::unwrap).collect()
    }

    fn target(text: &str) -> Given {
        Given::Target(text.to_owned())
    }

    #[test]
    fn a_bad_line_does_not_end_the_list() {
        let input = b"one\n\n  # comment\nt\xffwo\n three \r\nfour";
        let found = all(input);
        assert_eq!(found[0], target("one"));
        assert_eq!(
            found[1],
            Given::Unusable("t\u{fffd}wo".to_owned(), "the line is not UTF-8 text")
        );
        assert_eq!(found[2..], [target("three"), target("four")]);
    }

    #[test]
    fn a_line_is_bounded() {
        let long = [b"x".repeat(LONGEST + 1), b"\nnext\n".to_vec()].concat();
        let found = all(&long);
        assert!(
            matches!(&found[0], Given::Unusable(beginning, why) if beginning.len() == 64 && why.contains("longer")),
            "{found:?}"
        );
        assert_eq!(found[1..], [target("next")]);
        let longest = [b"x".repeat(LONGEST - 1), b"\nnext\n".to_vec()].concat();
        assert_eq!(all(&longest).len(), 2);
        assert!(matches!(all(&longest)[0], Given::Target(_)));
        let endless = TargetLines::of(io::BufReader::new(io::repeat(b'x').take(50 << 20))).count();
        assert_eq!(endless, 1, "in a bounded memory");
    }

    #[test]
    fn a_line_without_an_end_is_reported_at_once() {
        let mut lines = TargetLines::of(io::BufReader::new(io::repeat(b'x')));
        assert!(matches!(lines.next(), Some(Ok(Given::Unusable(_, _)))));
    }
}
