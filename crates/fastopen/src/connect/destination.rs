//! What can be connected to.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// Where to connect.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Destination {
    /// These addresses.
    Addresses(Vec<SocketAddr>),
    /// The addresses of this name, which a [resolver](crate::Connector::with_resolver) finds.
    Name {
        /// The host's name.
        host: String,
        /// The TCP port.
        port: u16,
    },
}

/// What can be connected to: socket addresses, and names with a port, in the forms that [`std::net::ToSocketAddrs`] takes.
///
/// Unlike that trait it leaves names as they are, so that the caller chooses who resolves them, and for how long.
///
/// ```
/// use fastopen::{Destination, ToDestination};
///
/// let name = "example.com:80".to_destination()?;
/// assert_eq!(name, Destination::Name { host: "example.com".to_owned(), port: 80 });
/// let address = "[2001:db8::1]:80".to_destination()?;
/// assert_eq!(address, Destination::Addresses(vec!["[2001:db8::1]:80".parse().unwrap()]));
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait ToDestination {
    /// Tells an address from a name.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] for a string without a port.
    fn to_destination(&self) -> io::Result<Destination>;
}

impl ToDestination for Destination {
    fn to_destination(&self) -> io::Result<Destination> {
        Ok(self.clone())
    }
}

impl ToDestination for SocketAddr {
    fn to_destination(&self) -> io::Result<Destination> {
        Ok(Destination::Addresses(vec![*self]))
    }
}

impl ToDestination for [SocketAddr] {
    fn to_destination(&self) -> io::Result<Destination> {
        Ok(Destination::Addresses(self.to_vec()))
    }
}

impl<const N: usize> ToDestination for [SocketAddr; N] {
    fn to_destination(&self) -> io::Result<Destination> {
        self[..].to_destination()
    }
}

impl ToDestination for Vec<SocketAddr> {
    fn to_destination(&self) -> io::Result<Destination> {
        self[..].to_destination()
    }
}

macro_rules! address_forms {
    ($($form:ty),*) => {
        $(impl ToDestination for $form {
            fn to_destination(&self) -> io::Result<Destination> {
                SocketAddr::from(*self).to_destination()
            }
        })*
    };
}

address_forms!(
    SocketAddrV4,
    SocketAddrV6,
    (IpAddr, u16),
    (Ipv4Addr, u16),
    (Ipv6Addr, u16)
);

impl ToDestination for (&str, u16) {
    fn to_destination(&self) -> io::Result<Destination> {
        let (host, port) = *self;
        match host.parse::<IpAddr>() {
            Ok(ip) => (ip, port).to_destination(),
            Err(_) => Ok(Destination::Name {
                host: host.to_owned(),
                port,
            }),
        }
    }
}

impl ToDestination for (String, u16) {
    fn to_destination(&self) -> io::Result<Destination> {
        (&*self.0, self.1).to_destination()
    }
}

impl ToDestination for str {
    fn to_destination(&self) -> io::Result<Destination> {
        if let Ok(address) = self.parse::<SocketAddr>() {
            return address.to_destination();
        }
        let parts = self.rsplit_once(':');
        match parts.and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?))) {
            Some(parts) => parts.to_destination(),
            None => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{self:?} is neither ADDRESS:PORT nor NAME:PORT"),
            )),
        }
    }
}

impl ToDestination for String {
    fn to_destination(&self) -> io::Result<Destination> {
        self.as_str().to_destination()
    }
}

impl<T: ToDestination + ?Sized> ToDestination for &T {
    fn to_destination(&self) -> io::Result<Destination> {
        (**self).to_destination()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_need_no_resolver_and_names_stay_names() {
        let address: SocketAddr = "192.0.2.1:80".parse().unwrap();
        let addresses = Destination::Addresses(vec![address]);
        let name = Destination::Name {
            host: "localhost".to_owned(),
            port: 80,
        };
        assert_eq!(address.to_destination().unwrap(), addresses);
        assert_eq!([address].to_destination().unwrap(), addresses);
        assert_eq!([address][..].to_destination().unwrap(), addresses);
        assert_eq!((address.ip(), 80).to_destination().unwrap(), addresses);
        assert_eq!(("192.0.2.1", 80).to_destination().unwrap(), addresses);
        assert_eq!("192.0.2.1:80".to_destination().unwrap(), addresses);
        assert_eq!("localhost:80".to_destination().unwrap(), name);
        assert_eq!(("localhost".to_owned(), 80).to_destination().unwrap(), name);
        assert_eq!(name.to_destination().unwrap(), name);
    }

    #[test]
    fn a_string_without_a_port_is_refused() {
        for text in [
            "",
            "localhost",
            "localhost:",
            "localhost:http",
            "localhost:65536",
            "::1",
        ] {
            let refused = text.to_destination();
            // "::1" reads as the name ":" and a port; whoever resolves it refuses it.
            assert!(refused.is_err() || text == "::1", "{text}: {refused:?}");
        }
    }
}
