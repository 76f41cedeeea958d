//! The text of `/proc/net/netstat`: pairs of lines, names over values.

use crate::error::Error;

const PREFIX: &str = "TcpExt:";

/// The names and values of the `TcpExt` lines; none where there are no such lines.
pub(super) fn tcp_ext(netstat: &str) -> Result<Vec<(&str, &str)>, Error> {
    let mut lines = netstat.lines().filter_map(|line| line.strip_prefix(PREFIX));
    let mut pairs = Vec::new();
    while let Some(names) = lines.next() {
        let values = lines
            .next()
            .ok_or_else(|| malformed("TcpExt has names but no values".to_owned()))?;
        let (names, values) = (names.split_ascii_whitespace(), values.split_ascii_whitespace());
        let (name_count, value_count) = (names.clone().count(), values.clone().count());
        if name_count != value_count {
            return Err(malformed(format!(
                "TcpExt has {name_count} names and {value_count} values"
            )));
        }
        pairs.extend(names.zip(values));
    }
    Ok(pairs)
}

pub(super) fn value(name: &str, text: &str) -> Result<u64, Error> {
    text.parse().map_err(|_| {
        let shown: String = text.chars().take(32).collect();
        malformed(format!("{name} is {shown:?}, which is no count"))
    })
}

fn malformed(problem: String) -> Error {
    Error::malformed("/proc/net/netstat", problem)
}

#[cfg(test)]
mod tests {
    use super::super::{Counter, Counters};

    /// Linux 6.18, in a fresh namespace after a few fast connections.
    const LINUX_6_18: &str = include_str!("../../tests/fixtures/netstat-6.18");

    #[test]
    fn the_kernels_text_is_taken() {
        let counters = Counters::parse(LINUX_6_18).unwrap();
        assert_eq!(counters.iter().count(), Counter::ALL.len());
        assert_eq!(counters.get(Counter::Active), Some(3));
        assert_eq!(counters.get(Counter::CookieRequested), Some(1));
    }

    #[test]
    fn names_in_another_order_among_others_are_found() {
        let text = "IpExt: InNoRoutes TCPFastOpenActive\nIpExt: 5 6\n\
                    TcpExt: Xyz TCPFastOpenPassive TCPFastOpenActive\nTcpExt: 1 2 3\n";
        let counters = Counters::parse(text).unwrap();
        assert_eq!(counters.get(Counter::Active), Some(3));
        assert_eq!(counters.get(Counter::Passive), Some(2));
        assert_eq!(counters.get(Counter::ActiveFail), None);
    }

    #[test]
    fn a_kernel_without_them_has_none() {
        for text in [
            "",
            "\n\n",
            "IpExt: InNoRoutes\nIpExt: 1\n",
            "TcpExt: \nTcpExt: \n",
        ] {
            assert_eq!(Counters::parse(text).unwrap(), Counters::default(), "{text:?}");
        }
    }

    #[test]
    fn broken_text_is_an_error_that_names_the_file() {
        for text in [
            "TcpExt: TCPFastOpenActive\n",
            "TcpExt: TCPFastOpenActive ListenDrops\nTcpExt: 1\n",
            "TcpExt: TCPFastOpenActive\nTcpExt: 1 2\n",
            "TcpExt: TCPFastOpenActive\nTcpExt: -1\n",
            "TcpExt: TCPFastOpenActive\nTcpExt: 99999999999999999999999\n",
            "TcpExt: TCPFastOpenActive\nTcpExt: \u{1b}[2J\n",
        ] {
            let error = Counters::parse(text).unwrap_err().to_string();
            assert!(error.starts_with("/proc/net/netstat"), "{text:?}: {error}");
            assert!(!error.contains('\u{1b}'), "{error:?}");
        }
    }

    #[test]
    fn every_cut_is_taken_or_refused() {
        for cut in 0..LINUX_6_18.len() {
            let _ = Counters::parse(&LINUX_6_18[..cut]);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_taken_or_refused(text: String) {
            let _ = Counters::parse(&text);
        }

        #[test]
        fn any_two_lines_are_taken_or_refused(names in "[A-Za-z ]{0,80}", values in "[0-9 -]{0,80}") {
            let _ = Counters::parse(&format!("TcpExt: {names}\nTcpExt: {values}\n"));
        }
    }
}
