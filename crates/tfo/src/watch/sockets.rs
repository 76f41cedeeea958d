//! All sockets of a moment, as sums: in all, by listener and by peer.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use fastopen_host::listeners::Listener;
use fastopen_host::sockets::Socket;

use super::peers::Peers;
use super::tally::{End, Ends, Incoming, place};

/// Sums over sockets that are counted one by one, in memory that does not grow with their number.
#[derive(Clone, Debug, Default)]
pub(super) struct Sockets {
    pub(super) all: Ends,
    pub(super) listeners: Vec<Listening>,
    pub(super) peers: Peers,
    by_place: HashMap<(IpAddr, u16), usize>,
}

/// The listeners at one address: several with `SO_REUSEPORT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listening {
    pub(super) address: SocketAddr,
    /// How many sockets listen there.
    pub(super) sockets: u64,
    /// How many fast connections may be unconfirmed; `None` where the kernel does not report it.
    pub(super) fast_open_queue: Option<u64>,
    /// How many connections wait to be accepted.
    pub(super) to_accept: u64,
    pub(super) incoming: Incoming,
}

impl Sockets {
    /// Begins with the listeners.
    pub(super) fn new(listeners: impl IntoIterator<Item = Listener>) -> Self {
        let mut sockets = Self::default();
        for listener in listeners {
            sockets.add_listener(&listener);
        }
        sockets
    }

    fn add_listener(&mut self, listener: &Listener) {
        let next = self.listeners.len();
        let index = *self.by_place.entry(place(listener.address)).or_insert(next);
        if index == next {
            self.listeners.push(Listening {
                address: listener.address,
                sockets: 0,
                fast_open_queue: None,
                to_accept: 0,
                incoming: Incoming::default(),
            });
        }
        let listening = &mut self.listeners[index];
        listening.sockets += 1;
        listening.to_accept += u64::from(listener.to_accept);
        if let Some(queue) = listener.fast_open_queue {
            listening.fast_open_queue = Some(listening.fast_open_queue.unwrap_or(0) + u64::from(queue));
        }
    }

    /// Counts a socket.
    pub(super) fn add(&mut self, socket: &Socket) {
        let listener = self.listener_of(socket.local);
        let Some(end) = End::of(socket, listener.is_some()) else {
            return;
        };
        self.all += end;
        if let Some(index) = listener {
            self.listeners[index].incoming += end;
        }
        self.peers.add(socket.remote.ip(), end);
    }

    /// A connection's socket has the address family of its listener, whatever the client speaks.
    fn listener_of(&self, local: SocketAddr) -> Option<usize> {
        let anywhere = match local {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let places = [place(local), (anywhere, local.port())];
        places.iter().find_map(|place| self.by_place.get(place).copied())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use fastopen_host::sockets::State;

    use super::super::tally::tests::socket;
    use super::*;

    pub(in super::super) fn listener(address: &str, queue: u32) -> Listener {
        Listener {
            address: address.parse().unwrap(),
            fast_open_queue: Some(queue),
            to_accept: 1,
            uid: 0,
            inode: 0,
        }
    }

    fn incoming(sockets: &Sockets) -> Vec<(String, u64)> {
        let listeners = sockets.listeners.iter();
        listeners
            .map(|listening| (listening.address.to_string(), listening.incoming.total()))
            .collect()
    }

    #[test]
    fn connections_are_counted_at_their_listener() {
        let mut sockets = Sockets::new([
            listener("0.0.0.0:80", 16),
            listener("192.0.2.1:80", 16),
            listener("[::]:80", 16),
        ]);
        for (local, times) in [
            ("192.0.2.1:80", 1),
            ("192.0.2.9:80", 2),
            ("[::ffff:192.0.2.1]:80", 3),
            ("[fe80::1%4]:80", 4),
            ("192.0.2.1:81", 5),
        ] {
            for _ in 0..times {
                sockets.add(&socket(local, "192.0.2.2:4711", State::Established, 0, 0));
            }
        }
        assert_eq!(
            incoming(&sockets),
            [
                ("0.0.0.0:80".to_owned(), 2),
                ("192.0.2.1:80".to_owned(), 1),
                ("[::]:80".to_owned(), 7)
            ]
        );
        assert_eq!(
            (sockets.all.incoming.plain, sockets.all.outgoing.unknown),
            (10, 5)
        );
        assert_eq!(sockets.peers.by_size().len(), 1);
    }

    #[test]
    fn listeners_at_one_address_are_one() {
        let sockets = Sockets::new([listener("0.0.0.0:80", 16), listener("0.0.0.0:80", 16)]);
        let [both] = &sockets.listeners[..] else {
            panic!("{sockets:?}")
        };
        assert_eq!(
            (both.sockets, both.fast_open_queue, both.to_accept),
            (2, Some(32), 2)
        );
    }

    #[test]
    fn what_is_opened_from_a_listeners_port_is_no_arrival() {
        let mut sockets = Sockets::new([listener("0.0.0.0:80", 16)]);
        sockets.add(&socket("192.0.2.1:80", "192.0.2.2:80", State::Established, 0, 2));
        assert_eq!(incoming(&sockets)[0].1, 0);
        assert_eq!(sockets.all.outgoing.ignored, 1);
    }
}
