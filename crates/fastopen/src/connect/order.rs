//! In which order the addresses of a name are tried.

use std::collections::HashSet;
use std::net::SocketAddr;

/// Alternates between IPv6 and IPv4, beginning with the family of the first address, and drops repetitions (RFC 8305, section 4).
///
/// The resolver's order within each family (RFC 6724) stays.
pub(crate) fn interleave(addresses: impl IntoIterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let mut seen = HashSet::new();
    let addresses: Vec<_> = addresses
        .into_iter()
        .filter(|address| seen.insert(*address))
        .collect();
    let Some(first) = addresses.first() else {
        return addresses;
    };
    let (preferred, other): (Vec<_>, Vec<_>) = addresses
        .iter()
        .copied()
        .partition(|address| address.is_ipv6() == first.is_ipv6());
    let (mut preferred, mut other) = (preferred.into_iter(), other.into_iter());
    let mut ordered = Vec::with_capacity(addresses.len());
    while ordered.len() < addresses.len() {
        ordered.extend(preferred.next());
        ordered.extend(other.next());
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ordered(addresses: &[&str]) -> Vec<String> {
        interleave(addresses.iter().map(|address| address.parse().unwrap()))
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn families_alternate_from_the_first_one() {
        assert_eq!(
            ordered(&["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1", "2.2.2.2:1"]),
            ["[::1]:1", "1.1.1.1:1", "[::2]:1", "2.2.2.2:1", "[::3]:1"]
        );
        assert_eq!(
            ordered(&["1.1.1.1:1", "2.2.2.2:1", "[::1]:1"]),
            ["1.1.1.1:1", "[::1]:1", "2.2.2.2:1"]
        );
    }

    #[test]
    fn repetitions_go_and_nothing_is_nothing() {
        assert_eq!(
            ordered(&["1.1.1.1:1", "1.1.1.1:1", "1.1.1.1:2"]),
            ["1.1.1.1:1", "1.1.1.1:2"]
        );
        assert!(ordered(&[]).is_empty());
    }
}
