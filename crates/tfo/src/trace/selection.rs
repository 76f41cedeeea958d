//! Which connections are of interest.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use anyhow::Context;

use crate::hint::Hint;

/// Connections from or to a host, a port, both or any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Selection {
    /// The host's addresses; none for any host.
    pub(super) hosts: Vec<IpAddr>,
    pub(super) port: Option<u16>,
}

impl Selection {
    /// Resolves the host.
    pub(super) fn new(host: Option<&str>, port: Option<u16>) -> anyhow::Result<Self> {
        let Some(name) = host else {
            return Ok(Self { hosts: vec![], port });
        };
        let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
        let mut hosts: Vec<IpAddr> = (bare.unwrap_or(name), 0)
            .to_socket_addrs()
            .with_context(|| format!("{name} can't be resolved"))
            .hint("give the host's address instead of its name")?
            .map(|address| address.ip().to_canonical())
            .collect();
        hosts.sort_unstable();
        hosts.dedup();
        Ok(Self { hosts, port })
    }

    /// Whether a segment between these ends is one of theirs.
    #[inline]
    pub(super) fn takes(&self, source: SocketAddr, destination: SocketAddr) -> bool {
        let ends = [source, destination];
        let port = |port| ends.iter().any(|end| end.port() == port);
        let host = || ends.iter().any(|end| self.hosts.contains(&end.ip()));
        self.port.is_none_or(port) && (self.hosts.is_empty() || host())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_end_counts_in_either_direction() {
        let [client, server] = ["192.0.2.1:4000", "192.0.2.2:80"].map(|text| text.parse().unwrap());
        for (host, port, takes) in [
            (None, None, true),
            (None, Some(80), true),
            (None, Some(4000), true),
            (None, Some(81), false),
            (Some("192.0.2.1"), None, true),
            (Some("192.0.2.2"), Some(80), true),
            (Some("192.0.2.3"), Some(80), false),
            (Some("192.0.2.1"), Some(443), false),
            (Some("2001:db8::1"), None, false),
            (Some("[2001:db8::1]"), None, false),
        ] {
            let selection = Selection::new(host, port).unwrap();
            for (source, destination) in [(client, server), (server, client)] {
                assert_eq!(selection.takes(source, destination), takes, "{host:?} {port:?}");
            }
        }
    }

    #[test]
    fn an_unresolvable_name_stands_in_the_error() {
        let error = Selection::new(Some("no such host"), None).unwrap_err();
        assert!(error.to_string().contains("no such host"), "{error}");
    }
}
