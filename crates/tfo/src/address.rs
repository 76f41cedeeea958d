//! Addresses as people type them.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

/// Where to listen or to connect: `2222`, `:2222`, `host`, `host:2222`, `192.0.2.2:2222` or `[2001:db8::2]:2222`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// A name or an IP address; `None` is this machine.
    pub host: Option<String>,
    /// The port.
    pub port: u16,
}

impl Address {
    /// The port unless another is given: that of the classic example.
    pub const DEFAULT_PORT: u16 = 2222;
}

impl FromStr for Address {
    type Err = ParseAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (host, port) = split(text)?;
        let port = match port {
            None => Self::DEFAULT_PORT,
            Some(digits) => digits.parse().map_err(|_| ParseAddressError::Port)?,
        };
        if host.contains(|c: char| c.is_whitespace() || matches!(c, '/' | '[' | ']')) {
            return Err(ParseAddressError::Host);
        }
        let host = (!host.is_empty()).then(|| host.to_owned());
        Ok(Self { host, port })
    }
}

/// Parses an address to connect to, which port 0 is not.
///
/// # Errors
/// [`ParseAddressError`] says how an address is written.
pub fn target(text: &str) -> Result<Address, ParseAddressError> {
    match text.parse()? {
        Address { port: 0, .. } => Err(ParseAddressError::PortZero),
        address => Ok(address),
    }
}

/// An address as a shell takes it: one of them may take the brackets for a pattern.
pub(crate) fn for_a_shell(address: SocketAddr) -> String {
    match address.is_ipv6() {
        true => format!("'{address}'"),
        false => address.to_string(),
    }
}

pub(crate) fn split(text: &str) -> Result<(&str, Option<&str>), ParseAddressError> {
    if let Some(bracketed) = text.strip_prefix('[') {
        let (host, rest) = bracketed.split_once(']').ok_or(ParseAddressError::Host)?;
        let port = match rest {
            "" => None,
            rest => Some(rest.strip_prefix(':').ok_or(ParseAddressError::Port)?),
        };
        let is_a_host = !host.is_empty();
        return is_a_host.then_some((host, port)).ok_or(ParseAddressError::Host);
    }
    let colons = text.matches(':').count();
    match text.split_once(':') {
        _ if text.is_empty() => Err(ParseAddressError::Host),
        _ if text.bytes().all(|c| c.is_ascii_digit()) => Ok(("", Some(text))),
        Some((host, port)) if colons == 1 => Ok((host, Some(port))),
        // An IPv6 address without brackets.
        _ => Ok((text, None)),
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            None => write!(f, ":{}", self.port),
            Some(host) if host.contains(':') => write!(f, "[{host}]:{}", self.port),
            Some(host) => write!(f, "{host}:{}", self.port),
        }
    }
}

/// Text that is not an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseAddressError {
    /// The part before the port.
    #[error(
        "an address is written as 2222, host:2222, 192.0.2.2:2222 or [2001:db8::2]:2222, without a scheme or a path"
    )]
    Host,
    /// The port.
    #[error("a port is a number up to 65535, as in host:2222")]
    Port,
    /// No server has port 0: to listen on it means to listen on any free port.
    #[error("there is no port 0 to connect to; a server on any free port prints which one it has")]
    PortZero,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_usual_way_of_writing_it() {
        for (text, host, port) in [
            ("2222", None, 2222),
            (":80", None, 80),
            ("host", Some("host"), 2222),
            ("host:80", Some("host"), 80),
            ("192.0.2.2", Some("192.0.2.2"), 2222),
            ("192.0.2.2:80", Some("192.0.2.2"), 80),
            ("[2001:db8::2]:80", Some("2001:db8::2"), 80),
            ("[2001:db8::2]", Some("2001:db8::2"), 2222),
            ("2001:db8::2", Some("2001:db8::2"), 2222),
            ("::", Some("::"), 2222),
            ("[fe80::1%eth0]:80", Some("fe80::1%eth0"), 80),
        ] {
            let address = Address {
                host: host.map(str::to_owned),
                port,
            };
            assert_eq!(text.parse(), Ok(address.clone()), "{text}");
            assert_eq!(address.to_string().parse(), Ok(address), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_an_example() {
        use ParseAddressError::*;
        for (text, error) in [
            ("", Host),
            ("[]:80", Host),
            ("[::1", Host),
            ("[::1]80", Port),
            ("host:", Port),
            ("host:http", Port),
            ("host:65536", Port),
            ("65536", Port),
            ("http://host:80", Host),
            ("host/path", Host),
            ("a b", Host),
        ] {
            assert_eq!(text.parse::<Address>(), Err(error), "{text}");
        }
    }

    #[test]
    fn port_0_is_for_listening_only() {
        for text in ["0", ":0", "host:0", "[::1]:0"] {
            assert!(text.parse::<Address>().is_ok(), "{text}");
            assert_eq!(target(text), Err(ParseAddressError::PortZero), "{text}");
        }
        assert_eq!(target("host:1"), "host:1".parse());
    }
}
