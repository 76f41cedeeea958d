//! The kernel settings that decide what becomes of Fast Open.
//!
//! All of them belong to a network namespace, and are read and written in the calling thread's. `None` means that this kernel does
//! not have the setting.
//!
//! Source: `Documentation/networking/ip-sysctl.rst`, `Documentation/networking/mptcp-sysctl.rst`.

mod fast_open;
mod key;

use std::fmt;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Duration;

use zeroize::{Zeroize, Zeroizing};

pub use fast_open::{FastOpenBits, ParseFastOpenBitsError};
pub use key::KeyState;

use crate::error::Error;
use crate::proc;

/// A setting by its name; `Display` writes it as `sysctl` takes it, such as `net.ipv4.tcp_fastopen`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Sysctl {
    /// `net.ipv4.tcp_fastopen`: who may use Fast Open; for IPv6 too.
    FastOpen,
    /// `net.ipv4.tcp_fastopen_key`: the secret behind the cookies.
    FastOpenKey,
    /// `net.ipv4.tcp_fastopen_blackhole_timeout_sec`: how long clients stop after a suspected blackhole.
    BlackholeTimeout,
    /// `net.core.somaxconn`: the most that a listener's queues may hold.
    SomaxConn,
    /// `net.ipv4.tcp_syncookies`: whether a flood of SYNs is answered with SYN cookies.
    SynCookies,
    /// `net.ipv4.tcp_synack_retries`: how often a SYN-ACK is sent again.
    SynAckRetries,
    /// `net.ipv4.tcp_syn_retries`: how often a SYN is sent again.
    SynRetries,
    /// `net.mptcp.enabled`: whether programs may make Multipath TCP sockets.
    Mptcp,
    /// `net.ipv6.conf.all.disable_ipv6`: whether IPv6 is off on every interface.
    DisableIpv6,
}

impl Sysctl {
    /// The name that `sysctl` takes.
    pub const fn name(self) -> &'static str {
        match self {
            Self::FastOpen => "net.ipv4.tcp_fastopen",
            Self::FastOpenKey => "net.ipv4.tcp_fastopen_key",
            Self::BlackholeTimeout => "net.ipv4.tcp_fastopen_blackhole_timeout_sec",
            Self::SomaxConn => "net.core.somaxconn",
            Self::SynCookies => "net.ipv4.tcp_syncookies",
            Self::SynAckRetries => "net.ipv4.tcp_synack_retries",
            Self::SynRetries => "net.ipv4.tcp_syn_retries",
            Self::Mptcp => "net.mptcp.enabled",
            Self::DisableIpv6 => "net.ipv6.conf.all.disable_ipv6",
        }
    }

    /// The file that holds it.
    pub fn path(self) -> PathBuf {
        PathBuf::from(format!("/proc/sys/{}", self.name().replace('.', "/")))
    }

    /// Writes a value as it stands.
    ///
    /// # Errors
    /// [`Error::Write`], which names the file and what would help: it takes root, a kernel that has the setting, and a `/proc/sys`
    /// that is not mounted read-only.
    pub fn write(self, value: &str) -> Result<(), Error> {
        proc::write(&self.path(), value)
    }

    fn read(self) -> Result<Option<String>, Error> {
        proc::read(&self.path())
    }

    fn number<T: TryFrom<i64>>(self) -> Result<Option<T>, Error> {
        self.read()?
            .map(|text| parse_number(&text).ok_or_else(|| self.malformed(&text)))
            .transpose()
    }

    fn malformed(self, text: &str) -> Error {
        let shown: String = text.chars().take(64).collect();
        Error::malformed(self.name(), format!("{shown:?}"))
    }
}

impl fmt::Display for Sysctl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

fn parse_number<T: TryFrom<i64>>(text: &str) -> Option<T> {
    text.trim_end()
        .parse::<i64>()
        .ok()
        .and_then(|number| T::try_from(number).ok())
}

/// Who may use Fast Open (`net.ipv4.tcp_fastopen`, for IPv6 too); `None` on a kernel without Fast Open.
///
/// # Errors
/// [`Error`] if the file is there and can't be read, or holds something else than a number.
///
/// # Examples
/// ```
/// use fastopen_host::sysctl::{self, FastOpenBits};
///
/// # if cfg!(target_os = "linux") {
/// let client = sysctl::fast_open()?.is_some_and(|bits| bits.contains(FastOpenBits::CLIENT));
/// println!("connecting with data in the SYN: {}", if client { "allowed" } else { "off" });
/// # }
/// # Ok::<(), fastopen_host::Error>(())
/// ```
pub fn fast_open() -> Result<Option<FastOpenBits>, Error> {
    let Some(text) = Sysctl::FastOpen.read()? else {
        return Ok(None);
    };
    match text.parse() {
        Ok(bits) => Ok(Some(bits)),
        Err(_) => Err(Sysctl::FastOpen.malformed(&text)),
    }
}

/// Says who may use Fast Open.
///
/// # Errors
/// As [`Sysctl::write`].
pub fn set_fast_open(bits: FastOpenBits) -> Result<(), Error> {
    Sysctl::FastOpen.write(&(bits.bits() as i32).to_string())
}

/// Whether the server's keys are set (`net.ipv4.tcp_fastopen_key`), never what they are.
///
/// # Errors
/// [`Error`] if the file holds no key, or can't be read for another reason than a lack of privilege.
pub fn fast_open_key() -> Result<KeyState, Error> {
    match Sysctl::FastOpenKey.read() {
        Ok(None) => Ok(KeyState::Missing),
        Ok(Some(text)) => key::parse(&Zeroizing::new(text)).ok_or_else(|| {
            Error::malformed(
                Sysctl::FastOpenKey.name(),
                "it holds no key (and is not shown, as it might be one)",
            )
        }),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(KeyState::Unreadable),
        Err(error) => Err(error),
    }
}

/// The server's keys as `net.ipv4.tcp_fastopen_key` has them, for those who handle keys; `None` on a kernel without it.
///
/// The text is a secret, and wiped from memory when it is dropped. Zeros mean that the kernel has no key yet.
///
/// # Errors
/// [`Error`] if the file can't be read. It takes root, or `CAP_NET_ADMIN` in the user namespace that owns the network namespace.
pub fn fast_open_key_text() -> Result<Option<Zeroizing<String>>, Error> {
    Ok(Sysctl::FastOpenKey.read()?.map(Zeroizing::new))
}

/// Sets the server's keys: one, or two with a comma between them. The kernel silently drops a third one and accepts an empty text.
///
/// # Errors
/// As [`Sysctl::write`]; the message contains nothing of the keys.
pub fn set_fast_open_key_text(keys: &str) -> Result<(), Error> {
    Sysctl::FastOpenKey.write(keys).map_err(|error| match error {
        Error::Write {
            path,
            mut value,
            error,
        } => {
            value.zeroize();
            Error::Write {
                path,
                value: "the keys".to_owned(),
                error,
            }
        }
        other => other,
    })
}

/// How long clients first do without Fast Open once a path looks like a blackhole for it; zero: the detection is off.
///
/// # Errors
/// [`Error`] if the file is there and can't be read, or holds something else than seconds.
pub fn blackhole_timeout() -> Result<Option<Duration>, Error> {
    let seconds = Sysctl::BlackholeTimeout.number::<u32>()?;
    Ok(seconds.map(|seconds| Duration::from_secs(seconds.into())))
}

/// The most that a listener's queues may hold, its Fast Open queue included (`net.core.somaxconn`).
///
/// # Errors
/// [`Error`] if the file is there and can't be read, or holds something else than a number.
pub fn somaxconn() -> Result<Option<u32>, Error> {
    Sysctl::SomaxConn.number()
}

/// When the kernel answers SYNs with SYN cookies, which carry no Fast Open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SynCookies {
    /// 0: never.
    Off,
    /// 1: once a listener's queue of half-open connections is full.
    WhenFull,
    /// 2: always, so that data in a SYN is always ignored; meant for tests.
    Always,
    /// A value that this crate doesn't know.
    Other(i64),
}

/// When the kernel answers SYNs with SYN cookies (`net.ipv4.tcp_syncookies`).
///
/// # Errors
/// [`Error`] if the file is there and can't be read, or holds something else than a number.
pub fn syn_cookies() -> Result<Option<SynCookies>, Error> {
    Ok(Sysctl::SynCookies.number()?.map(|value| match value {
        0 => SynCookies::Off,
        1 => SynCookies::WhenFull,
        2 => SynCookies::Always,
        other => SynCookies::Other(other),
    }))
}

/// How often a SYN-ACK is sent again before the connection is given up (`net.ipv4.tcp_synack_retries`).
///
/// # Errors
/// [`Error`] if the file is there and can't be read, or holds something else than a number.
pub fn synack_retries() -> Result<Option<u32>, Error> {
    Sysctl::SynAckRetries.number()
}

/// How often a SYN is sent again before connecting is given up (`net.ipv4.tcp_syn_retries`).
///
/// # Errors
/// [`Error`] if the file is there and can't be read, or holds something else than a number.
pub fn syn_retries() -> Result<Option<u32>, Error> {
    Sysctl::SynRetries.number()
}

/// Whether programs may make Multipath TCP sockets (`net.mptcp.enabled`); `None` on a kernel without it.
///
/// # Errors
/// [`Error`] if the file is there and can't be read, or holds something else than a number.
pub fn mptcp_enabled() -> Result<Option<bool>, Error> {
    let value = Sysctl::Mptcp.number::<i64>()?;
    Ok(value.map(|value| value != 0))
}

/// Whether IPv6 is on (`net.ipv6.conf.all.disable_ipv6`); false on a kernel without it.
///
/// # Errors
/// [`Error`] if the file is there and can't be read, or holds something else than a number.
pub fn ipv6_enabled() -> Result<bool, Error> {
    let disabled = Sysctl::DisableIpv6.number::<i64>()?;
    Ok(disabled == Some(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_paths_agree() {
        assert_eq!(
            Sysctl::BlackholeTimeout.path(),
            PathBuf::from("/proc/sys/net/ipv4/tcp_fastopen_blackhole_timeout_sec")
        );
        assert_eq!(Sysctl::Mptcp.path(), PathBuf::from("/proc/sys/net/mptcp/enabled"));
    }

    #[test]
    fn numbers_are_taken_whole_or_not_at_all() {
        assert_eq!(parse_number::<u32>("4096\n"), Some(4096));
        assert_eq!(parse_number::<i64>("-1\n"), Some(-1));
        for text in ["", "\n", "-1", "4294967296", "99999999999999999999", "1 2", "0x1"] {
            assert_eq!(parse_number::<u32>(text), None, "{text:?}");
        }
    }
}
