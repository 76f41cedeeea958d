//! What this machine says of a server of its own: its listeners and its settings stand in `/proc`.

use std::net::{IpAddr, SocketAddr};

use fastopen_host::counters::{Counter, Counters};
use fastopen_host::listeners::{self, Listener};
use fastopen_host::owners::Owners;
use fastopen_host::sysctl::{self, FastOpenBits, SynCookies};

use crate::address;

/// A listener of this machine, and the settings that count for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OwnServer {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Whether it asks for Fast Open; nothing where the kernel does not tell.
    pub(crate) listener_asks: Option<bool>,
    /// The program that listens, where it is known.
    pub(crate) program: Option<String>,
    /// `net.ipv4.tcp_fastopen`.
    pub(crate) bits: FastOpenBits,
    /// Whether SYN cookies are always sent (`net.ipv4.tcp_syncookies` is 2).
    pub(crate) syn_cookies: bool,
    /// Whether some were sent while it was probed.
    pub(crate) syn_cookies_sent: bool,
    /// Whether a listener's queue for Fast Open overflowed while it was probed.
    pub(crate) overflowed: bool,
}

impl OwnServer {
    /// The listener on an address of this machine; `None` where this network namespace has none, as behind an address translation to
    /// a container, or where it can't be read. `risen` is by how much the counters rose since probing began.
    pub(crate) fn find(address: SocketAddr, risen: Option<&Counters>) -> Option<Self> {
        let listeners = listeners::list().ok()?;
        let listener = best(&listeners, address)?;
        let bits = sysctl::fast_open().ok()??;
        let rose = |counter| risen.is_some_and(|risen| risen.get(counter).is_some_and(|by| by > 0));
        Some(Self {
            address: listener.address,
            listener_asks: listener.fast_open_queue.map(|_| listener.uses_fast_open()),
            program: program(listener.inode),
            bits,
            syn_cookies: matches!(sysctl::syn_cookies(), Ok(Some(SynCookies::Always))),
            syn_cookies_sent: rose(Counter::SynCookieSent),
            overflowed: rose(Counter::ListenOverflow),
        })
    }

    /// Whether the server bit of `net.ipv4.tcp_fastopen` is on.
    pub(crate) fn server_bit(&self) -> bool {
        self.bits.contains(FastOpenBits::SERVER)
    }

    /// Whether the settings let every server do without cookies (0x200).
    pub(crate) fn needs_no_cookie(&self) -> bool {
        self.bits.contains(FastOpenBits::SERVER_NO_COOKIE)
    }

    /// The commands that switch it on now, where it is off.
    pub(crate) fn switch_on(&self) -> Option<String> {
        let bit = (!self.server_bit()).then(|| {
            let with_it = (self.bits | FastOpenBits::SERVER).bits();
            format!("sudo sysctl -w net.ipv4.tcp_fastopen={with_it}")
        });
        let listener = (self.listener_asks == Some(false))
            .then(|| format!("sudo tfo enable {}", address::for_a_shell(self.address)));
        let commands: Vec<_> = bit.into_iter().chain(listener).collect();
        (!commands.is_empty()).then(|| commands.join(" && "))
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
    fn what_is_off_is_switched_on() {
        let commands = |address: &str, asks, bits| {
            let own = OwnServer {
                address: address.parse().unwrap(),
                listener_asks: asks,
                program: None,
                bits: FastOpenBits::from_bits(bits),
                syn_cookies: false,
                syn_cookies_sent: false,
                overflowed: false,
            };
            own.switch_on()
        };
        assert_eq!(
            commands("0.0.0.0:80", Some(false), 3).unwrap(),
            "sudo tfo enable 0.0.0.0:80"
        );
        assert_eq!(
            commands("[::]:80", Some(false), 0x401).unwrap(),
            "sudo sysctl -w net.ipv4.tcp_fastopen=1027 && sudo tfo enable '[::]:80'"
        );
        assert_eq!(
            commands("[::]:80", Some(true), 1).unwrap(),
            "sudo sysctl -w net.ipv4.tcp_fastopen=3"
        );
        assert_eq!(commands("[::]:80", Some(true), 3), None);
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
