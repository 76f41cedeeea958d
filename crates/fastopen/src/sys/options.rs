//! What an application wants of a socket before it connects.

use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};

use super::setup::SocketSetup;

/// What an application wants of a socket before it connects.
#[derive(Clone, Debug, Default)]
pub(crate) struct SocketOptions {
    pub(crate) local_v4: Option<SocketAddrV4>,
    pub(crate) local_v6: Option<SocketAddrV6>,
    pub(crate) mark: Option<u32>,
    pub(crate) device: Option<String>,
    pub(crate) mptcp: bool,
    pub(crate) nodelay: bool,
    pub(crate) setup: Option<SocketSetup>,
}

impl SocketOptions {
    pub(crate) fn set_local_address(&mut self, local: SocketAddr) {
        match canonical(local) {
            SocketAddr::V4(local) => self.local_v4 = Some(local),
            SocketAddr::V6(local) => self.local_v6 = Some(local),
        }
    }

    /// Whether that destination can be connected to from one of the local addresses, or there are none.
    pub(crate) fn reach(&self, destination: SocketAddr) -> bool {
        (self.local_v4.is_none() && self.local_v6.is_none()) || self.local_address(destination).is_some()
    }

    /// The address to bind before connecting there, in the form of the destination's family.
    pub(crate) fn local_address(&self, destination: SocketAddr) -> Option<SocketAddr> {
        match (canonical(destination), destination) {
            (SocketAddr::V4(_), SocketAddr::V4(_)) => self.local_v4.map(SocketAddr::V4),
            (SocketAddr::V4(_), SocketAddr::V6(_)) => self
                .local_v4
                .map(|local| SocketAddr::new(local.ip().to_ipv6_mapped().into(), local.port())),
            (SocketAddr::V6(destination), _) => self.local_v6.map(|mut local| {
                // A link-local address is one on the link that the destination names.
                if local.scope_id() == 0 && local.ip().is_unicast_link_local() {
                    local.set_scope_id(destination.scope_id());
                }
                SocketAddr::V6(local)
            }),
        }
    }
}

/// A v4-mapped IPv6 address as the IPv4 address that it is.
fn canonical(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V6(v6) => match v6.ip().to_ipv4_mapped() {
            Some(ip) => SocketAddr::new(ip.into(), v6.port()),
            None => address,
        },
        SocketAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_address_takes_the_form_of_the_destinations_family() {
        let mut options = SocketOptions::default();
        assert!(options.reach("[2001:db8::1]:80".parse().unwrap()), "any will do");
        options.set_local_address("192.0.2.1:0".parse().unwrap());
        options.set_local_address("[fe80::1]:7".parse().unwrap());
        for (destination, local) in [
            ("198.51.100.1:80", "192.0.2.1:0"),
            ("[::ffff:198.51.100.1]:80", "[::ffff:192.0.2.1]:0"),
            ("[fe80::2%3]:80", "[fe80::1%3]:7"),
            ("[2001:db8::1]:80", "[fe80::1]:7"),
        ] {
            let destination = destination.parse().unwrap();
            let local = Some(local.parse().unwrap());
            assert_eq!(options.local_address(destination), local, "{destination}");
        }
    }

    #[test]
    fn a_mapped_local_address_is_an_ipv4_one() {
        let mut options = SocketOptions::default();
        options.set_local_address("[::ffff:192.0.2.1]:9".parse().unwrap());
        let local = options.local_address("198.51.100.1:80".parse().unwrap());
        assert_eq!(local, Some("192.0.2.1:9".parse().unwrap()));
        assert!(!options.reach("[2001:db8::1]:80".parse().unwrap()));
    }
}
