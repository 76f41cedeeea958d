//! The kernel's memory of Fast Open: for each destination the cookie that it granted, the size of segment that it takes, and the fast
//! SYNs that were lost on the way.
//!
//! The memory belongs to the calling thread's network namespace; cookies in it do not expire. Reading takes no privilege. Deleting
//! takes `CAP_NET_ADMIN` in the machine's first user namespace: in a user namespace even its root may not
//! ([`Error::NotPermitted`]).
//!
//! Source: ip-tcp_metrics(8); `net/ipv4/tcp_metrics.c`, `include/uapi/linux/tcp_metrics.h`.

mod family;
mod parse;

use std::io::ErrorKind;
use std::net::IpAddr;
use std::time::Duration;

use fastopen_wire::Cookie;

use crate::error::Error;
use crate::netlink::{self, NLM_F_ACK, NLM_F_DUMP};
use family::{Metrics, command};

/// What the kernel remembers of Fast Open for one destination, from one address of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The other host.
    pub destination: IpAddr,
    /// This machine's address; `None` where the kernel doesn't tell.
    pub source: Option<IpAddr>,
    /// How long ago the kernel last brought the entry up to date.
    pub age: Option<Duration>,
    /// The largest segment that the destination takes, in bytes; with the path's own limit it says how much fits into a SYN.
    pub mss: Option<u16>,
    /// How many SYNs with data in a row were lost, so that only a plain one behind them was answered.
    pub syn_drops: u16,
    /// How long ago the last of them was sent.
    pub last_syn_drop: Option<Duration>,
    /// The cookie, if one was granted.
    pub cookie: Option<Cookie>,
    /// The round-trip time over earlier connections, smoothed by the kernel.
    pub rtt: Option<Duration>,
}

impl Entry {
    /// Whether the entry says anything about Fast Open; the kernel keeps other measurements in the same place.
    fn is_about_fast_open(&self) -> bool {
        self.cookie.is_some() || self.mss.is_some() || self.syn_drops > 0
    }
}

const LIST: &str = "listing the cookie cache (tcp_metrics)";
const GET: &str = "looking into the cookie cache (tcp_metrics)";
const DELETE: &str = "deleting from the cookie cache (tcp_metrics)";

/// What the kernel remembers of Fast Open, for every destination.
///
/// # Errors
/// [`Error::Missing`] on a kernel that has no such memory; [`Error`] if it refuses, or if its answer makes no sense.
///
/// # Examples
/// ```no_run
/// for entry in fastopen_host::cookies::list()? {
///     if let Some(cookie) = entry.cookie {
///         println!("{}: {cookie}", entry.destination);
///     }
/// }
/// # Ok::<(), fastopen_host::Error>(())
/// ```
pub fn list() -> Result<Vec<Entry>, Error> {
    netlink::collect(|| {
        let mut metrics = Metrics::open(LIST)?;
        metrics.send(command::GET, NLM_F_DUMP, None)?;
        Ok(std::iter::from_fn(move || metrics.next_entry().transpose()))
    })
    .map(|mut entries| {
        entries.retain(Entry::is_about_fast_open);
        entries
    })
}

/// What the kernel remembers of Fast Open for one destination; `None` if nothing. With several addresses of this machine it is the
/// entry of one of them.
///
/// # Errors
/// As [`list`].
pub fn get(destination: IpAddr) -> Result<Option<Entry>, Error> {
    find(destination).map(|entry| entry.filter(Entry::is_about_fast_open))
}

/// The round-trip time that the kernel remembers from earlier connections to one destination, with Fast Open or without; `None` if none.
///
/// # Errors
/// As [`list`].
pub fn rtt(destination: IpAddr) -> Result<Option<Duration>, Error> {
    find(destination).map(|entry| entry?.rtt)
}

fn find(destination: IpAddr) -> Result<Option<Entry>, Error> {
    let mut metrics = Metrics::open(GET)?;
    metrics.send(command::GET, NLM_F_ACK, Some(destination))?;
    match metrics.next_entry() {
        Ok(entry) => Ok(entry),
        Err(error) if is_nothing_there(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes the kernel forget one destination, its other measurements of it included, for every address of this machine. Says whether
/// there was something to forget.
///
/// # Errors
/// [`Error::NotPermitted`] without the privilege, which root of a user namespace does not have either; else as [`list`].
pub fn delete(destination: IpAddr) -> Result<bool, Error> {
    match remove(Some(destination)) {
        Ok(()) => Ok(true),
        Err(error) if is_nothing_there(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Makes the kernel forget every destination of this network namespace, its other measurements of them included.
///
/// # Errors
/// As [`delete`].
pub fn flush() -> Result<(), Error> {
    remove(None)
}

fn remove(destination: Option<IpAddr>) -> Result<(), Error> {
    let mut metrics = Metrics::open(DELETE)?;
    metrics.send(command::DELETE, NLM_F_ACK, destination)?;
    while metrics.next_entry()?.is_some() {}
    Ok(())
}

/// The kernel says `ESRCH` where it has no entry.
fn is_nothing_there(error: &Error) -> bool {
    const ESRCH: i32 = 3;
    match error {
        Error::Request { error, .. } => {
            error.raw_os_error() == Some(ESRCH) || error.kind() == ErrorKind::NotFound
        }
        _ => false,
    }
}
