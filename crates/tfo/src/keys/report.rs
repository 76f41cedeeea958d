//! What `tfo keys` says, as values. Their JSON form is described by `schemas/keys.json`.

use std::net::{IpAddr, SocketAddr};

use fastopen::{Key, KeyRing};
#[cfg(target_os = "linux")]
use fastopen_attach::listeners::Held;
use serde::{Serialize, Serializer};
use zeroize::Zeroizing;

use crate::fingerprint;

#[derive(Clone, Debug, Serialize)]
#[serde(tag = "report", rename_all = "kebab-case")]
pub(super) enum Report {
    Generated(Generated),
    Keys(Keys),
    Listeners(Listeners),
    Derived(Derived),
    Rotated(Rotated),
    Verified(Verified),
    Failed(Failed),
}

/// It could not be done.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Failed {
    pub(super) error: String,
}

/// A key or a secret was made.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Generated {
    /// The key in the sysctl's form; null where the file has it.
    pub(super) key: Option<Text>,
    /// The file that a secret was written to.
    pub(super) file: Option<String>,
}

/// The keys of a network namespace.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Keys {
    /// Why they are reported.
    pub(super) action: Action,
    /// Null where the kernel has none yet.
    pub(super) primary: Option<KeyShown>,
    pub(super) backup: Option<KeyShown>,
    /// The fingerprints of those that were there before, where `set` put others in their place.
    pub(super) replaced: Option<Vec<String>>,
    /// Listeners that do not use them but have keys of their own; looked for by `show` alone.
    pub(super) overridden_by: Vec<ListenerKeys>,
    /// Listeners with Fast Open of which it is not known.
    pub(super) unknown_listeners: usize,
}

/// The keys of single listeners.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Listeners {
    pub(super) action: Action,
    pub(super) listeners: Vec<ListenerKeys>,
}

/// A listener, and the keys of its own.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ListenerKeys {
    pub(super) address: SocketAddr,
    pub(super) inode: u64,
    pub(super) processes: Vec<Owner>,
    /// The length of its Fast Open queue; 0: it does not use Fast Open.
    pub(super) queue: Option<u32>,
    /// Null where it uses the keys of its network namespace.
    pub(super) primary: Option<KeyShown>,
    pub(super) backup: Option<KeyShown>,
    /// As in [`Keys`], of the keys of its own.
    pub(super) replaced: Option<Vec<String>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Owner {
    pub(super) pid: u32,
    pub(super) name: String,
}

#[cfg(target_os = "linux")]
impl ListenerKeys {
    pub(super) fn new(held: &Held, keys: Option<&KeyRing>, reveal: bool) -> Self {
        let mut processes: Vec<Owner> = held
            .owners
            .iter()
            .map(|owner| Owner {
                pid: owner.pid,
                name: owner.name.clone(),
            })
            .collect();
        processes.dedup();
        Self {
            address: held.listener.address,
            inode: held.listener.inode,
            processes,
            queue: held.listener.fast_open_queue,
            primary: keys.map(|keys| KeyShown::new(keys.primary(), reveal)),
            backup: keys
                .and_then(KeyRing::backup)
                .map(|key| KeyShown::new(key, reveal)),
            replaced: None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Action {
    Show,
    Set,
    Fingerprint,
}

impl Keys {
    pub(super) fn new(action: Action, keys: Option<&KeyRing>, reveal: bool) -> Self {
        let shown = |key: &Key| KeyShown::new(key, reveal);
        Self {
            action,
            primary: keys.map(|keys| shown(keys.primary())),
            backup: keys.and_then(KeyRing::backup).map(shown),
            replaced: None,
            overridden_by: Vec::new(),
            unknown_listeners: 0,
        }
    }
}

/// One key.
#[derive(Clone, Debug, Serialize)]
pub(super) struct KeyShown {
    /// Its first digits, unless it is to be shown whole.
    pub(super) key: Text,
    pub(super) fingerprint: String,
}

/// The fingerprints of the keys that were there before, if these are others.
#[cfg(target_os = "linux")]
pub(super) fn replaced(before: Option<&KeyRing>, now: &KeyRing) -> Option<Vec<String>> {
    before.filter(|before| *before != now).map(fingerprint::of_ring)
}

impl KeyShown {
    fn new(key: &Key, reveal: bool) -> Self {
        let mut text = Zeroizing::new(key.to_string());
        if !reveal {
            *text = format!("{}…", &text[..4]);
        }
        Self {
            key: Text(text),
            fingerprint: fingerprint::of(key),
        }
    }
}

/// The keys for a time.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Derived {
    /// As the sysctl takes them.
    pub(super) keys: Text,
    pub(super) period: u64,
    /// RFC 3339.
    pub(super) at: String,
    pub(super) next_change: String,
    pub(super) fingerprints: Vec<String>,
}

/// Keys were set by the schedule, or could not be.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Rotated {
    pub(super) time: String,
    pub(super) cause: String,
    pub(super) fingerprints: Vec<String>,
    pub(super) next_change: Option<String>,
    /// The network namespaces that have these keys.
    pub(super) namespaces: usize,
    /// The listeners with keys of their own that have these.
    pub(super) listeners: usize,
    pub(super) failures: Vec<String>,
}

/// What the servers' cookies prove.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Verified {
    pub(super) servers: Vec<Server>,
    /// Without the secret, whether several addresses belong together.
    pub(super) together: Option<Together>,
    /// Of all.
    pub(super) verdict: Verdict,
}

/// Several addresses, compared.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Together {
    pub(super) verdict: Verdict,
    pub(super) evidence: String,
    pub(super) changes: Vec<Change>,
}

/// A time at which an address began to grant another cookie.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Change {
    pub(super) address: IpAddr,
    /// It still granted the one before, RFC 3339.
    pub(super) after: String,
    pub(super) by: String,
    /// Whether it accepted the old cookie.
    pub(super) kept: bool,
}

/// One server's answer.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Server {
    pub(super) target: String,
    /// Null where the name has none.
    pub(super) address: Option<SocketAddr>,
    /// This machine's address on that connection.
    pub(super) client: Option<IpAddr>,
    pub(super) verdict: Verdict,
    /// By how many periods its key is behind (negative) or ahead.
    pub(super) periods: Option<i64>,
    pub(super) evidence: String,
    /// The cookies that it granted, shortened.
    pub(super) cookies: Vec<String>,
    pub(super) refused: usize,
    pub(super) connections: usize,
}

/// What can be said of a server's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Verdict {
    Agrees,
    Behind,
    Ahead,
    OwnKey,
    Disagrees,
    /// It has the fleet's keys, behind an address translation that was named.
    AddressTranslation,
    RotatesTogether,
    RotatesApart,
    NoFastOpen,
    Unreachable,
    CantTell,
}

/// Text that may be a key: shown by nothing but a renderer, and wiped.
#[derive(Clone)]
pub(super) struct Text(pub(super) Zeroizing<String>);

impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}
