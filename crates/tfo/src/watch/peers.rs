//! Connections by the host at the other end, in bounded memory.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::IpAddr;

use super::tally::{End, Ends};

/// How many peers are always listed; up to twice as many between two reductions.
pub(super) const KEPT: usize = 4096;

/// Peers with their connections. Beyond the bound those with the fewest connections are counted together.
#[derive(Clone, Debug, Default)]
pub(super) struct Peers {
    rows: HashMap<IpAddr, Ends>,
    others: Ends,
}

impl Peers {
    /// Counts a connection. An IPv4 address written as IPv6 is the IPv4 address.
    pub(super) fn add(&mut self, peer: IpAddr, end: End) {
        let peer = peer.to_canonical();
        if self.rows.len() >= 2 * KEPT && !self.rows.contains_key(&peer) {
            self.forget_the_smallest();
        }
        *self.rows.entry(peer).or_default() += end;
    }

    fn forget_the_smallest(&mut self) {
        let mut peers: Vec<_> = self
            .rows
            .iter()
            .map(|(peer, ends)| (ends.total(), *peer))
            .collect();
        peers.select_nth_unstable_by_key(KEPT, |&(total, _)| Reverse(total));
        for (_, peer) in peers.drain(KEPT..) {
            self.others += self.rows.remove(&peer).unwrap_or_default();
        }
    }

    /// The peers, those with the most connections first.
    pub(super) fn by_size(&self) -> Vec<(IpAddr, Ends)> {
        let mut rows: Vec<_> = self.rows.iter().map(|(peer, ends)| (*peer, *ends)).collect();
        rows.sort_unstable_by_key(|&(peer, ends)| (Reverse(ends.total()), peer));
        rows
    }

    /// The connections of the peers that are not listed.
    pub(super) fn others(&self) -> Ends {
        self.others
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn peer(number: u32) -> IpAddr {
        Ipv4Addr::from_bits(number).into()
    }

    #[test]
    fn the_busiest_come_first() {
        let mut peers = Peers::default();
        for (number, connections) in [(1, 1), (2, 3), (3, 2)] {
            for _ in 0..connections {
                peers.add(peer(number), End::Plain);
            }
        }
        let order: Vec<_> = peers.by_size().into_iter().map(|(peer, _)| peer).collect();
        assert_eq!(order, [peer(2), peer(3), peer(1)]);
        assert_eq!(peers.others(), Ends::default());
    }

    #[test]
    fn a_mapped_address_is_the_same_peer() {
        let mut peers = Peers::default();
        peers.add("192.0.2.1".parse().unwrap(), End::Plain);
        peers.add("::ffff:192.0.2.1".parse().unwrap(), End::Fast(true));
        assert_eq!(peers.by_size().len(), 1);
    }

    #[test]
    fn a_million_peers_take_bounded_memory_and_lose_no_connection() {
        const PEERS: u32 = 1_000_000;
        let mut peers = Peers::default();
        for number in 0..PEERS {
            peers.add(peer(number), End::Fast(false));
            assert!(peers.rows.len() <= 2 * KEPT);
            // One that comes again and again is never forgotten.
            if number % 10 == 0 {
                peers.add(peer(u32::MAX), End::Plain);
            }
        }
        let rows = peers.by_size();
        assert_eq!(rows[0].0, peer(u32::MAX));
        assert_eq!(rows[0].1.incoming.plain, u64::from(PEERS / 10));
        let told_apart: u64 = rows.iter().map(|(_, ends)| ends.total()).sum();
        assert_eq!(told_apart + peers.others().total(), u64::from(PEERS + PEERS / 10));
    }
}
