//! One host: a network namespace with an interface on the lab's link.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crate::addressing::Addresses;
use crate::error::Error;
use crate::sys::child;
use crate::sys::namespace::Namespace;

/// One host of a [`Lab`](crate::Lab): a network namespace of its own.
///
/// A clone is the same host. A socket belongs to the host it was made in, whichever thread uses it afterwards.
#[derive(Clone, Debug)]
pub struct Host {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    name: String,
    raw: bool,
    addresses: Addresses,
    namespace: Namespace,
}

impl Host {
    pub(crate) fn new(name: String, raw: bool, addresses: Addresses, namespace: Namespace) -> Self {
        Self {
            inner: Arc::new(Inner {
                name,
                raw,
                addresses,
                namespace,
            }),
        }
    }

    /// What it is called in the scenario.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// Its IPv4 address.
    pub fn ipv4(&self) -> Ipv4Addr {
        self.inner.addresses.ipv4
    }

    /// Its IPv6 address.
    pub fn ipv6(&self) -> Ipv6Addr {
        self.inner.addresses.ipv6
    }

    /// Its address of the same family as another one.
    pub fn address_like(&self, other: IpAddr) -> IpAddr {
        self.inner.addresses.like(other)
    }

    /// Its IPv4 and its IPv6 address, for tests that do the same over both.
    pub fn addresses(&self) -> [IpAddr; 2] {
        [self.ipv4().into(), self.ipv6().into()]
    }

    /// Runs a closure on a thread inside the host, and waits for it. A panic is propagated to the caller.
    ///
    /// # Panics
    /// When there can be no more threads.
    pub fn run<T: Send>(&self, closure: impl FnOnce() -> T + Send) -> T {
        self.inner
            .namespace
            .run(closure)
            .unwrap_or_else(|error| panic!("a thread in {}: {error}", self.name()))
    }

    /// Starts a thread inside the host, for a server that lives on. The host exists as long as the thread does, its link only as
    /// long as the lab.
    ///
    /// # Panics
    /// When there can be no more threads.
    pub fn spawn<T: Send + 'static>(&self, closure: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
        let host = self.clone();
        thread::spawn(move || {
            host.enter_thread()
                .unwrap_or_else(|error| panic!("a thread in {}: {error}", host.name()));
            closure()
        })
    }

    /// Moves the calling thread into the host for good; every socket that it makes from then on belongs there. This is what an
    /// asynchronous runtime calls on each of its threads as it starts.
    ///
    /// # Errors
    /// [`Error::System`] when the process may not, because it didn't call [`enter`](crate::enter()).
    pub fn enter_thread(&self) -> Result<(), Error> {
        self.inner
            .namespace
            .join()
            .map_err(Error::system(format!("setns to {}", self.name())))
    }

    /// A program that will run inside the host. It is killed when the thread that started it ends, so that nothing outlives the lab.
    ///
    /// # Errors
    /// [`Error::System`] when there can be no more descriptors.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Result<Command, Error> {
        let namespace = self
            .inner
            .namespace
            .try_clone()
            .map_err(Error::system(format!("dup the namespace of {}", self.name())))?;
        Ok(child::command(program.as_ref(), namespace))
    }

    /// Reads one of the host's settings, such as `net.ipv4.tcp_fastopen`, without the line's end.
    ///
    /// # Errors
    /// [`Error::Sysctl`] with what the kernel said.
    pub fn sysctl(&self, name: &str) -> Result<String, Error> {
        self.run(|| fs::read_to_string(sysctl_path(name)))
            .map(|value| value.trim_end().to_owned())
            .map_err(|source| self.sysctl_error(name, source))
    }

    /// Changes one of the host's settings.
    ///
    /// # Errors
    /// [`Error::Sysctl`] with what the kernel said.
    pub fn set_sysctl(&self, name: &str, value: impl AsRef<str>) -> Result<(), Error> {
        let value = value.as_ref();
        self.run(|| fs::write(sysctl_path(name), value))
            .map_err(|source| self.sysctl_error(name, source))
    }

    /// Whether its kernel leaves all packets to a program.
    pub(crate) fn is_raw(&self) -> bool {
        self.inner.raw
    }

    pub(crate) fn network_addresses(&self) -> Addresses {
        self.inner.addresses
    }

    fn sysctl_error(&self, name: &str, source: io::Error) -> Error {
        Error::Sysctl {
            host: self.name().to_owned(),
            name: name.to_owned(),
            source,
        }
    }
}

/// The file behind a setting: that of the network namespace of the thread that opens it. Slashes stand for the dots of a name
/// that has some, as in sysctl(8).
fn sysctl_path(name: &str) -> PathBuf {
    let swap = |c| match c {
        '.' => '/',
        '/' => '.',
        other => other,
    };
    let mut path = PathBuf::from("/proc/sys");
    path.push(name.chars().map(swap).collect::<String>().trim_start_matches('/'));
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_settings_become_paths() {
        let path = |name| sysctl_path(name).display().to_string();
        assert_eq!(path("net.ipv4.tcp_fastopen"), "/proc/sys/net/ipv4/tcp_fastopen");
        assert_eq!(
            path("net.ipv4.conf.eth0/1.forwarding"),
            "/proc/sys/net/ipv4/conf/eth0.1/forwarding"
        );
    }
}
