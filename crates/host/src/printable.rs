//! Names from other sources, made safe to print on a terminal.

use std::borrow::Cow;

/// The text with a replacement character for each character by which it could write elsewhere on a terminal, change its colours, or
/// make text appear in another order: control characters, those that direct bidirectional text, and line separators.
///
/// ```
/// use fastopen_host::printable::printable;
///
/// assert_eq!(printable("eth0"), "eth0");
/// assert_eq!(printable("\x1b[2Jeth0\u{202e}"), "\u{fffd}[2Jeth0\u{fffd}");
/// ```
pub fn printable(text: &str) -> Cow<'_, str> {
    match text.contains(is_hostile) {
        false => Cow::Borrowed(text),
        true => Cow::Owned(text.replace(is_hostile, "\u{fffd}")),
    }
}

/// Whether a terminal does more with a character than show it.
pub fn is_hostile(character: char) -> bool {
    let directs = matches!(
        character,
        '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    directs || character.is_control()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_that_a_terminal_obeys() {
        for hostile in
            "\0\n\r\t\x1b\x7f\u{80}\u{9b}\u{61c}\u{200e}\u{200f}\u{202a}\u{202e}\u{2028}\u{2066}\u{2069}"
                .chars()
        {
            assert_eq!(printable(&format!("a{hostile}b")), "a\u{fffd}b", "{hostile:?}");
        }
        for harmless in ["größe.pcap", "写真", "a b", "{}'\"\\", "🦀"] {
            assert!(matches!(printable(harmless), Cow::Borrowed(_)), "{harmless}");
        }
    }
}
