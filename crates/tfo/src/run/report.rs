//! What `tfo run` says, as values. Their JSON form is described by `schemas/run.json`.

use std::net::SocketAddr;

use serde::Serialize;

use super::problem::Problem;

#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Report {
    pub(super) program: Vec<String>,
    /// Whether no process that the program started is left.
    pub(super) complete: bool,
    pub(super) connections: u64,
    pub(super) accepted: u64,
    pub(super) round_trips_saved: u64,
    pub(super) saved_ms: f64,
    pub(super) rows: Vec<Row>,
    pub(super) listeners: Vec<Listener>,
    pub(super) problems: Vec<Problem>,
}

/// The connections of one program to one destination that had the same outcome.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Row {
    pub(super) program: String,
    /// None where there are too many to tell apart.
    pub(super) destination: Option<SocketAddr>,
    pub(super) outcome: &'static str,
    pub(super) reason: Option<&'static str>,
    pub(super) note: Option<&'static str>,
    pub(super) connections: u64,
    pub(super) saved_ms: f64,
    /// The shortest round-trip time.
    pub(super) rtt_ms: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Listener {
    pub(super) program: String,
    pub(super) address: Option<SocketAddr>,
    pub(super) queue: u32,
}
