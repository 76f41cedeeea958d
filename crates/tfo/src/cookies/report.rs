//! What `tfo cookies` says, as values. Their JSON form is described by `schemas/cookies.json`.

use std::net::IpAddr;
use std::time::Duration;

use fastopen_host::cookies;
use serde::Serialize;

#[derive(Clone, Debug, Serialize)]
#[serde(tag = "report", rename_all = "kebab-case")]
pub(super) enum Report {
    Cookies(Cookies),
    Deleted(Deleted),
    Flushed,
    Minted(Minted),
    Checked(Checked),
    Failed(Failed),
}

/// It could not be done.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Failed {
    pub(super) error: String,
}

/// What the kernel has cached.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Cookies {
    pub(super) entries: Vec<Entry>,
}

/// What it has for one destination.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Entry {
    pub(super) destination: IpAddr,
    /// The address of this machine that it is for.
    pub(super) source: Option<IpAddr>,
    /// Shortened, unless asked for in full.
    pub(super) cookie: Option<String>,
    pub(super) mss: Option<u16>,
    /// How many SYNs with data in a row were lost.
    pub(super) syn_drops: u16,
    pub(super) last_syn_drop_ms: Option<u64>,
    pub(super) age_ms: Option<u64>,
}

impl Entry {
    pub(super) fn new(entry: &cookies::Entry, full: bool) -> Self {
        Self {
            destination: entry.destination,
            source: entry.source,
            cookie: entry.cookie.map(|cookie| match full {
                true => format!("{cookie:x}"),
                false => cookie.to_string(),
            }),
            mss: entry.mss,
            syn_drops: entry.syn_drops,
            last_syn_drop_ms: entry.last_syn_drop.map(milliseconds),
            age_ms: entry.age.map(milliseconds),
        }
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// One destination was to be forgotten.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Deleted {
    pub(super) destination: IpAddr,
    /// Whether there was something to forget.
    pub(super) found: bool,
}

/// A cookie was computed.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Minted {
    pub(super) client: IpAddr,
    pub(super) server: IpAddr,
    /// Not shortened.
    pub(super) cookie: String,
}

/// A cookie was tested.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Checked {
    pub(super) client: IpAddr,
    pub(super) server: IpAddr,
    /// Shortened.
    pub(super) cookie: String,
    pub(super) matches: Match,
    /// The cookie that the primary key makes, shortened.
    pub(super) expected: String,
}

/// Which key makes the cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Match {
    Primary,
    Backup,
    None,
}
