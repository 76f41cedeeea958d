//! Names from other sources, made safe to print.
//!
//! What is printed on standard error passes through here in [`program`](crate::program) and [`warning`](crate::warning); on standard
//! output whoever prints the name of a file, an interface or a process does it.

use std::borrow::Cow;
use std::path::Path;

pub use fastopen_host::printable::{is_hostile, printable};

/// A path.
pub fn path(path: &Path) -> String {
    printable(&path.to_string_lossy()).into_owned()
}

/// Text of several lines, as errors and hints may have.
pub fn lines(text: &str) -> Cow<'_, str> {
    match text.contains(|character| character != '\n' && is_hostile(character)) {
        false => Cow::Borrowed(text),
        true => text
            .split('\n')
            .map(printable)
            .collect::<Vec<_>>()
            .join("\n")
            .into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stay_lines() {
        assert_eq!(lines("one\ntwo"), "one\ntwo");
        assert_eq!(lines("one\n\x1b[1mtwo\r"), "one\n\u{fffd}[1mtwo\u{fffd}");
    }
}
