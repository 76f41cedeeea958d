//! Whether `net.ipv4.tcp_fastopen_key` is set. The key itself stays in the kernel.

/// What `net.ipv4.tcp_fastopen_key` holds, without the key.
///
/// The key is a secret: with it anyone can make cookies for any client. It is read, checked and wiped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyState {
    /// The kernel has no such sysctl.
    Missing,
    /// Zeros: the kernel makes up a key of its own when the first listener uses Fast Open, and another one after the next boot.
    Unset,
    /// One key, set by somebody or made by the kernel.
    One,
    /// A primary key and a backup key, as in the middle of a rotation.
    Two,
    /// The file is root's alone (mode 0600), and this process may not read it.
    Unreadable,
}

/// Counts the keys in the sysctl's text: up to two, of four groups of hexadecimal digits each.
pub(super) fn parse(text: &str) -> Option<KeyState> {
    let keys = text.trim_end().split(',');
    let set = keys
        .map(|key| is_key(key).then(|| key.bytes().any(|digit| !matches!(digit, b'0' | b'-'))))
        .collect::<Option<Vec<bool>>>()?;
    match set[..] {
        [false] => Some(KeyState::Unset),
        [true] => Some(KeyState::One),
        [_, _] => Some(KeyState::Two),
        _ => None,
    }
}

fn is_key(text: &str) -> bool {
    let is_group = |group: &str| group.len() == 8 && group.bytes().all(|digit| digit.is_ascii_hexdigit());
    text.split('-').count() == 4 && text.split('-').all(is_group)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZEROS: &str = "00000000-00000000-00000000-00000000";
    const KEY: &str = "a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4";

    #[test]
    fn the_kernels_text_is_taken() {
        assert_eq!(parse(&format!("{ZEROS}\n")), Some(KeyState::Unset));
        assert_eq!(parse(&format!("{KEY}\n")), Some(KeyState::One));
        assert_eq!(parse(&format!("{KEY},{ZEROS}\n")), Some(KeyState::Two));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "\n",
            "0",
            "a1a1a1a1",
            ",",
            "zzzzzzzz-b2b2b2b2-c3c3c3c3-d4d4d4d4",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
        assert_eq!(parse(&format!("{KEY},{KEY},{KEY}")), None);
        assert_eq!(parse(&format!("{KEY}-a1a1a1a1")), None);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_taken_or_refused(text: String) {
            parse(&text);
        }
    }
}
