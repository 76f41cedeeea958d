//! What to connect to, as people type it.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use tokio::net::lookup_host;

use super::service::{Schemes, Service};
use crate::address::{self, ParseAddressError};

/// Where to connect and what is spoken there: `host`, `host:port`, `[2001:db8::2]:port` or a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    text: String,
    /// A name or an IP address.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) service: Service,
    /// What to ask an HTTP server for.
    pub(crate) path: String,
}

impl Target {
    /// The port of a host that is given alone.
    const DEFAULT_PORT: u16 = 443;

    /// Every address that the name has, each once.
    pub(crate) async fn resolve(&self) -> std::io::Result<Vec<SocketAddr>> {
        let mut addresses = Vec::new();
        for address in lookup_host((self.host.as_str(), self.port)).await? {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        Ok(addresses)
    }
}

impl FromStr for Target {
    type Err = ParseTargetError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) => (Some(scheme), rest),
            None => (None, text),
        };
        let known = scheme.map(|scheme| Service::by_scheme(scheme).ok_or(ParseTargetError::Scheme));
        let known = known.transpose()?;
        let (authority, path) = match rest.find(['/', '?', '#']) {
            Some(at) if scheme.is_some() => rest.split_at(at),
            _ => (rest, "/"),
        };
        let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let (host, port) = address::split(authority)?;
        let port = match port {
            Some(digits) => digits.parse().map_err(|_| ParseAddressError::Port)?,
            None => known.map_or(Self::DEFAULT_PORT, |(_, port)| port),
        };
        if port == 0 {
            return Err(ParseTargetError::PortZero);
        }
        if host.contains(|c: char| c.is_whitespace() || matches!(c, '/' | '[' | ']')) {
            return Err(ParseAddressError::Host.into());
        }
        Ok(Self {
            text: text.to_owned(),
            host: if host.is_empty() { "localhost" } else { host }.to_owned(),
            port,
            service: known.map_or(Service::on_port(port), |(service, _)| service),
            path: request_path(path),
        })
    }
}

/// A URL's path and query as a request names them.
fn request_path(path: &str) -> String {
    let path = path.split_once('#').map_or(path, |(path, _)| path);
    match path {
        "" => "/".to_owned(),
        query if query.starts_with('?') => format!("/{query}"),
        path => path.to_owned(),
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Text that is no target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ParseTargetError {
    /// A URL of a kind that is not known.
    #[error("a URL begins with {Schemes}")]
    Scheme,
    /// No connection can be made to it.
    #[error("port 0 is no target: give the port that the server listens on")]
    PortZero,
    /// The host or the port.
    #[error("a target is written as host, host:443, 192.0.2.2:443, [2001:db8::2]:443 or https://host/path")]
    Address(#[from] ParseAddressError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_usual_way_of_writing_it() {
        use Service::*;
        for (text, host, port, service, path) in [
            ("example.com", "example.com", 443, Tls, "/"),
            ("example.com:80", "example.com", 80, Http, "/"),
            ("example.com:8443", "example.com", 8443, Tls, "/"),
            ("192.0.2.2:53", "192.0.2.2", 53, Dns, "/"),
            ("[2001:db8::2]:6379", "2001:db8::2", 6379, Redis, "/"),
            ("2001:db8::2", "2001:db8::2", 443, Tls, "/"),
            (":8080", "localhost", 8080, Http, "/"),
            ("http://example.com", "example.com", 80, Http, "/"),
            ("HTTPS://example.com", "example.com", 443, Tls, "/"),
            (
                "https://u:p@example.com:444/a?b#c",
                "example.com",
                444,
                Tls,
                "/a?b",
            ),
            ("http://example.com?q=/", "example.com", 80, Http, "/?q=/"),
            ("http://[2001:db8::2]:81/x", "2001:db8::2", 81, Http, "/x"),
            ("redis://cache", "cache", 6379, Redis, "/"),
            ("tls://mail:25", "mail", 25, Tls, "/"),
        ] {
            let target: Target = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(
                (
                    target.host.as_str(),
                    target.port,
                    target.service,
                    target.path.as_str()
                ),
                (host, port, service, path),
                "{text}"
            );
            assert_eq!(target.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_target_is_refused() {
        for text in [
            "",
            "host:",
            "host:65536",
            "host/path",
            "a b",
            "[::1",
            "http://",
            "http:///x",
        ] {
            let error = text.parse::<Target>().unwrap_err();
            assert!(matches!(error, ParseTargetError::Address(_)), "{text}: {error}");
        }
        for text in ["host:0", "http://host:0/", "[::1]:0"] {
            assert_eq!(text.parse::<Target>(), Err(ParseTargetError::PortZero), "{text}");
        }
        assert_eq!("ftp://host".parse::<Target>(), Err(ParseTargetError::Scheme));
    }
}
