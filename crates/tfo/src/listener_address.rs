//! A listener as the command line names it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// A port, and the address where one is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListenerAddress {
    text: String,
    pub(crate) ip: Option<IpAddr>,
    pub(crate) port: u16,
}

impl ListenerAddress {
    pub(crate) fn is(&self, address: SocketAddr) -> bool {
        let ip = address.ip().to_canonical();
        self.port == address.port() && self.ip.is_none_or(|wanted| wanted.to_canonical() == ip)
    }
}

impl fmt::Display for ListenerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for ListenerAddress {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix(':').unwrap_or(text);
        let (ip, port) = if let Ok(address) = text.parse::<SocketAddr>() {
            (Some(address.ip()), address.port())
        } else if let Ok(port) = digits.parse() {
            (None, port)
        } else {
            return Err(
                "a listener is named by its port, or by its IP address and port: 8000, :8000, 192.0.2.2:80, [2001:db8::2]:80",
            );
        };
        if port == 0 {
            return Err("no listener has port 0");
        }
        Ok(Self {
            text: text.to_owned(),
            ip,
            port,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(place: &str, address: &str) -> bool {
        place
            .parse::<ListenerAddress>()
            .unwrap()
            .is(address.parse().unwrap())
    }

    #[test]
    fn a_port_is_every_address_and_an_address_itself() {
        for place in ["80", ":80"] {
            for address in ["0.0.0.0:80", "[::]:80", "192.0.2.2:80"] {
                assert!(is(place, address), "{place} {address}");
            }
            assert!(!is(place, "0.0.0.0:8080"));
        }
        assert!(is("192.0.2.2:80", "[::ffff:192.0.2.2]:80"));
        assert!(!is("192.0.2.2:80", "0.0.0.0:80"));
        assert!(is("[::]:80", "[::]:80"));
    }

    #[test]
    fn what_names_no_listener_is_refused() {
        for text in [
            "",
            ":",
            "http",
            "host:80",
            ":0",
            "65536",
            "192.0.2.2",
            "::1",
            "[::1]",
        ] {
            assert!(text.parse::<ListenerAddress>().is_err(), "{text}");
        }
    }
}
