//! A connection as JSON has it.

use std::net::SocketAddr;
use std::time::Duration;

use fastopen_wire::{Connection, Note, Syn, SynAck, Verdict};
use serde::Serialize;

use crate::units;

/// One line of the output. The schema stands in `schemas/trace.json`.
#[derive(Debug, Serialize)]
pub(super) struct Report<'a> {
    client: SocketAddr,
    server: SocketAddr,
    verdict: Verdict,
    syn: Option<Syn>,
    syn_ack: Option<SynAck>,
    rounds_saved: u8,
    notes: &'a [Note],
    /// The number of the packet that settled the verdict.
    evidence: Option<u64>,
    rounds_used: Option<u8>,
    /// In seconds since 1970, UTC.
    started: f64,
    answered_after_ms: Option<f64>,
    /// The capture, where there is one.
    file: Option<&'a str>,
}

impl<'a> Report<'a> {
    pub(super) fn new(connection: &'a Connection, file: Option<&'a str>) -> Self {
        Self {
            client: connection.client,
            server: connection.server,
            verdict: connection.verdict,
            syn: connection.syn,
            syn_ack: connection.syn_ack,
            rounds_saved: connection.rounds_saved(),
            notes: &connection.notes,
            evidence: connection.evidence,
            rounds_used: connection.rounds_used(),
            started: micros(connection.started) as f64 / 1e6,
            answered_after_ms: connection.answered_after.map(units::milliseconds),
            file,
        }
    }
}

/// A double holds today's microseconds exactly, and not its nanoseconds.
fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::diagram::sample;

    #[test]
    fn a_connection_fits_the_schema() {
        let schema: Value = serde_json::from_str(include_str!("../../schemas/trace.json")).unwrap();
        for connection in sample::connections() {
            for file in [None, Some("a.pcap")] {
                let report = serde_json::to_value(Report::new(&connection, file)).unwrap();
                jsonschema::validate(&schema, &report).unwrap_or_else(|error| panic!("{error}: {report}"));
            }
        }
    }

    #[test]
    fn names_and_shapes_stay() {
        let accepted = &sample::connections()[1];
        let report = serde_json::to_value(Report::new(accepted, None)).unwrap();
        let expected = json!({
            "client": "192.0.2.1:40001",
            "server": "192.0.2.2:80",
            "verdict": "accepted",
            "syn": {"option": "cookie", "kind": 34, "cookie_len": 8, "data_bytes": 18},
            "syn_ack": {"option": "none", "kind": null, "cookie_len": 0, "acked_bytes": 18, "data_bytes": 0},
            "rounds_saved": 1,
            "notes": [],
            "evidence": 6,
            "rounds_used": 1,
            "started": 1_700_000_001.0,
            "answered_after_ms": 60.0,
            "file": null,
        });
        assert_eq!(report, expected);
    }
}
