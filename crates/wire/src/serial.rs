//! How options and times look in JSON and the like.

use std::time::Duration;

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::option::{FastOpen, OptionKind};

/// Cookies are bearer tokens: only their length is written.
impl Serialize for FastOpen {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (option, kind, cookie_len) = match *self {
            Self::Absent => ("none", None, 0),
            Self::Request(kind) => ("request", Some(kind), 0),
            Self::Cookie(kind, cookie) => ("cookie", Some(kind), cookie.as_bytes().len()),
            Self::Malformed { kind, cookie_len } => ("malformed", Some(kind), cookie_len),
        };
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("option", option)?;
        map.serialize_entry("kind", &kind.map(OptionKind::number))?;
        map.serialize_entry("cookie_len", &cookie_len)?;
        map.end()
    }
}

pub(crate) fn seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}
