//! What this machine says of a server of its own: its listeners and its settings stand in `/proc`.

use std::net::{IpAddr, SocketAddr};

use fastopen_host::counters::{Counter, Counters};
use fastopen_host::listeners::{self, Listener};
use fastopen_host::owners::Owners;
use fastopen_host::sysctl::{self, FastOpenBits, SynCookies};

use super::evidence::OwnServer;

impl OwnServer {
    /// The listener on an address of this machine; `None` where this network namespace has none, as behind an address translation to
    /// a container, or where it can't be read. `risen` is by how much the counters rose since probing began.
    pub(super) fn find(address: SocketAddr, risen: Option<&Counters>) -> Option<Self> {
        let listeners = listeners::list().ok()?;
        let listener = best(&listeners, address)?;
        let bits = sysctl::fast_open().ok()??;
        let rose = |counter| risen.is_some_and(|risen| risen.get(counter).is_some_and(|by| by > 0));
        Some(Self {
            listener_asks: listener.fast_open_queue.map(|_| listener.uses_fast_open()),
            program: program(listener.inode),
            server_bit: bits.contains(FastOpenBits::SERVER),
            needs_no_cookie: bits.contains(FastOpenBits::SERVER_NO_COOKIE),
            syn_cookies: matches!(sysctl::syn_cookies(), Ok(Some(SynCookies::Always))),
            syn_cookies_sent: rose(Counter::SynCookieSent),
            overflowed: rose(Counter::ListenOverflow),
        })
    }
}

/// The listener that takes connections to an address: one on that address comes before one on every address.
fn best(listeners: &[Listener], address: SocketAddr) -> Option<&Listener> {
    let wanted = address.ip().to_canonical();
    let takes = |listener: &&Listener| {
        let ip = listener.address.ip().to_canonical();
        let any = ip.is_unspecified() && (wanted.is_ipv4() || ip.is_ipv6());
        listener.address.port() == address.port() && (ip == wanted || any)
    };
    let rank = |listener: &&Listener| match listener.address.ip().to_canonical() {
        ip if ip == wanted => 0,
        IpAddr::V4(_) if wanted.is_ipv4() => 1,
        IpAddr::V6(_) if wanted.is_ipv6() => 1,
        _ => 2,
    };
    listeners.iter().filter(takes).min_by_key(rank)
}

fn program(inode: u64) -> Option<String> {
    let owners = Owners::find([inode]).ok()?;
    owners.of(inode).first().map(|process| process.name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listener(address: &str) -> Listener {
        Listener {
            address: address.parse().unwrap(),
            fast_open_queue: Some(0),
            to_accept: 0,
            uid: 0,
            inode: 1,
        }
    }

    #[test]
    fn the_listener_that_takes_the_connection_is_found() {
        let all = ["0.0.0.0:80", "[::]:80", "192.0.2.1:80", "127.0.0.1:81", "[::]:82"].map(listener);
        let found =
            |address: &str| best(&all, address.parse().unwrap()).map(|found| found.address.to_string());
        for (address, listener) in [
            ("192.0.2.1:80", Some("192.0.2.1:80")),
            ("127.0.0.1:80", Some("0.0.0.0:80")),
            ("[::1]:80", Some("[::]:80")),
            ("[::ffff:127.0.0.1]:80", Some("0.0.0.0:80")),
            ("127.0.0.1:82", Some("[::]:82")),
            ("192.0.2.1:81", None),
            ("127.0.0.1:83", None),
        ] {
            assert_eq!(found(address).as_deref(), listener, "{address}");
        }
    }
}
