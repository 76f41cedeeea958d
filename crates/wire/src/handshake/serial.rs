//! How a connection looks in JSON and the like.

use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::connection::Connection;

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
