//! Names to addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::{Context, bail};
use tokio::net::lookup_host;

use crate::address::Address;
use crate::hint::Hint;

/// Which addresses to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Any,
    Ipv4,
    Ipv6,
}

/// The addresses of a host, in the order in which to try them. Without a host they are the loopback addresses.
pub(crate) async fn resolve(address: &Address, family: Family) -> anyhow::Result<Vec<SocketAddr>> {
    let Some(host) = address.host.as_deref() else {
        return Ok(loopback(address.port, family));
    };
    let addresses: Vec<_> = lookup_host((host, address.port))
        .await
        .with_context(|| format!("the name {host} could not be resolved"))
        .hint("check its spelling, or give an IP address")?
        .filter(|address| family.has(*address))
        .collect();
    match addresses.is_empty() {
        // Whatever the machine's own list of names leaves out (RFC 6761, section 6.3).
        true if host.eq_ignore_ascii_case("localhost") => Ok(loopback(address.port, family)),
        true => bail!("{host} has no {} address", family.name()),
        false => Ok(addresses),
    }
}

fn loopback(port: u16, family: Family) -> Vec<SocketAddr> {
    let addresses = [Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()];
    addresses
        .map(|ip: IpAddr| SocketAddr::new(ip, port))
        .into_iter()
        .filter(|address| family.has(*address))
        .collect()
}

impl Family {
    fn has(self, address: SocketAddr) -> bool {
        match self {
            Self::Any => true,
            Self::Ipv4 => address.is_ipv4(),
            Self::Ipv6 => address.is_ipv6(),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Any => "usable",
            Self::Ipv4 => "IPv4",
            Self::Ipv6 => "IPv6",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn this_machine_has_an_address_of_each_family() {
        for (text, family, addresses) in [
            (":80", Family::Any, &["[::1]:80", "127.0.0.1:80"][..]),
            (":80", Family::Ipv4, &["127.0.0.1:80"]),
            (":80", Family::Ipv6, &["[::1]:80"]),
            ("localhost:80", Family::Ipv6, &["[::1]:80"]),
            ("LOCALHOST:80", Family::Ipv4, &["127.0.0.1:80"]),
        ] {
            let resolved = resolve(&text.parse().unwrap(), family).await.unwrap();
            let resolved: Vec<_> = resolved.iter().map(ToString::to_string).collect();
            assert_eq!(resolved, addresses, "{text} {family:?}");
        }
        assert!(
            resolve(&"127.0.0.1:80".parse().unwrap(), Family::Ipv6)
                .await
                .is_err()
        );
    }
}
