//! Names to addresses.

use std::net::SocketAddr;

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

/// The addresses of a host, in the order in which to try them. No host stands for this machine.
pub(crate) async fn resolve(address: &Address, family: Family) -> anyhow::Result<Vec<SocketAddr>> {
    let host = address.host.as_deref().unwrap_or("localhost");
    let addresses: Vec<_> = lookup_host((host, address.port))
        .await
        .with_context(|| format!("the name {host} could not be resolved"))
        .hint("check how it is spelt, or give an IP address")?
        .filter(|address| family.has(*address))
        .collect();
    if addresses.is_empty() {
        bail!("{host} has no {} address", family.name());
    }
    Ok(addresses)
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
