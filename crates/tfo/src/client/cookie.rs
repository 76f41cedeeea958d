//! The kernel's cookie for a server, before and after a connection.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use fastopen::Cookie;
use fastopen_host::cookies;

/// The cookies that the kernel has for the addresses that a connection may go to, each for one address of this machine.
#[derive(Debug)]
pub(super) struct Cookies(Vec<cookies::Entry>);

/// What happened to the cookie for the server during a connection.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Change {
    pub(super) before: Option<Cookie>,
    pub(super) after: Option<Cookie>,
}

impl Change {
    /// Whether another cookie took the place of the one that there was; nothing where there was none.
    pub(super) fn replaced(self) -> Option<bool> {
        let before = self.before?;
        Some(self.after.is_some_and(|after| after != before))
    }
}

impl Cookies {
    /// What the kernel has now; nothing where it does not tell.
    pub(super) fn now(addresses: impl IntoIterator<Item = IpAddr>) -> Option<Self> {
        let servers: Vec<_> = addresses.into_iter().map(reached).collect();
        let mut entries = cookies::list().ok()?;
        entries.retain(|entry| servers.contains(&entry.destination.to_canonical()));
        Some(Self(entries))
    }

    /// The cookie for a connection between these addresses.
    fn of(&self, local: Option<SocketAddr>, server: IpAddr) -> Option<Cookie> {
        let source = local.map(|local| local.ip().to_canonical());
        self.0
            .iter()
            .filter(|entry| entry.destination.to_canonical() == server.to_canonical())
            .find(|entry| entry.source.is_none() || source.is_none() || entry.source == source)?
            .cookie
    }

    /// How the kernel's cookie for a connection between these addresses has changed since; nothing where it does not tell.
    pub(super) fn change(&self, local: Option<SocketAddr>, server: IpAddr) -> Option<Change> {
        Some(Change {
            before: self.of(local, server),
            after: Self::now([server])?.of(local, server),
        })
    }
}

/// Where a connection to that address goes: one to the unspecified address goes to the loopback address.
fn reached(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_another_cookie_replaces_one() {
        let [old, new]: [Cookie; 2] =
            ["3021b9d889017eeb", "c1d1e9742a47a9bc"].map(|text| text.parse().unwrap());
        for (before, after, replaced) in [
            (None, None, None),
            (None, Some(new), None),
            (Some(old), Some(old), Some(false)),
            (Some(old), Some(new), Some(true)),
            (Some(old), None, Some(false)),
        ] {
            assert_eq!(
                Change { before, after }.replaced(),
                replaced,
                "{before:?} {after:?}"
            );
        }
    }

    #[test]
    fn each_address_of_this_machine_has_its_own() {
        let entry = |source: &str, cookie: &str| cookies::Entry {
            destination: "192.0.2.2".parse().unwrap(),
            source: source.parse().ok(),
            age: None,
            mss: None,
            syn_drops: 0,
            last_syn_drop: None,
            cookie: cookie.parse().ok(),
            rtt: None,
        };
        let cookies = Cookies(vec![
            entry("192.0.2.1", "3021b9d889017eeb"),
            entry("192.0.2.9", "c1d1e9742a47a9bc"),
        ]);
        let server = "192.0.2.2".parse().unwrap();
        for (local, cookie) in [
            ("192.0.2.9:4000", Some("c1d1e9742a47a9bc")),
            ("[::ffff:192.0.2.1]:4000", Some("3021b9d889017eeb")),
            ("192.0.2.3:4000", None),
        ] {
            let cookie = cookie.map(|text| text.parse().unwrap());
            assert_eq!(cookies.of(local.parse().ok(), server), cookie, "{local}");
        }
    }
}
