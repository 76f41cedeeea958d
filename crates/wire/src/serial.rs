//! How values look in JSON and the like, where deriving does not say it.

use std::time::Duration;

use serde::ser::{Serialize, SerializeMap, SerializeStruct, Serializer};

use crate::handshake::Connection;
use crate::option::{FastOpen, OptionKind};

/// Cookies are bearer tokens: only their length is told.
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

impl Serialize for Connection {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Connection", 13)?;
        object.serialize_field("client", &self.client)?;
        object.serialize_field("server", &self.server)?;
        object.serialize_field("verdict", &self.verdict)?;
        object.serialize_field("evidence", &self.evidence)?;
        object.serialize_field("started", &self.started.as_secs_f64())?;
        object.serialize_field(
            "answered_after",
            &self.answered_after.map(|after| after.as_secs_f64()),
        )?;
        object.serialize_field("syn", &self.syn)?;
        object.serialize_field("syn_ack", &self.syn_ack)?;
        object.serialize_field("rounds_used", &self.rounds_used())?;
        object.serialize_field("rounds_saved", &self.rounds_saved())?;
        object.serialize_field("notes", &self.notes)?;
        object.serialize_field("steps", &self.steps)?;
        object.serialize_field("steps_omitted", &self.steps_omitted)?;
        object.end()
    }
}

pub(crate) fn seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}
