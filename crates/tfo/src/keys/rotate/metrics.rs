//! The service's metrics.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::metrics_page::{Kind, Page};

/// What is exported.
#[derive(Clone, Debug, Default)]
pub(super) struct Metrics {
    pub(super) fingerprints: Vec<String>,
    pub(super) changed: Option<(SystemTime, SystemTime)>,
    pub(super) changes: u64,
    pub(super) secret_failures: u64,
    pub(super) namespaces: usize,
    pub(super) listeners: usize,
    pub(super) namespace_failures: usize,
    pub(super) overwritten: u64,
    pub(super) clock_is_unset: bool,
}

impl Metrics {
    pub(super) fn page(&self) -> String {
        let mut page = Page::default();
        if let Some(primary) = self.fingerprints.first() {
            let backup = self.fingerprints.get(1).map_or("", String::as_str);
            page.metric(
                "fastopen_rotation_key_info",
                Kind::Gauge,
                "The fingerprints of the keys that the schedule has set; its value is 1.",
            )
            .sample(&[("primary", primary), ("backup", &backup)], 1);
        }
        if let Some((last, next)) = self.changed {
            for (name, help, time) in [
                (
                    "fastopen_rotation_last_change_timestamp_seconds",
                    "When the keys were set last.",
                    last,
                ),
                (
                    "fastopen_rotation_next_change_timestamp_seconds",
                    "When the keys are to be changed; in the past: the rotation is late.",
                    next,
                ),
            ] {
                let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
                page.metric(name, Kind::Gauge, help).sample(&[], seconds);
            }
        }
        for (name, kind, help, value) in [
            (
                "fastopen_rotation_changes_total",
                Kind::Counter,
                "How often the keys were set by the schedule.",
                self.changes,
            ),
            (
                "fastopen_rotation_secret_failures_total",
                Kind::Counter,
                "How often the secret could not be read.",
                self.secret_failures,
            ),
            (
                "fastopen_rotation_overwritten_total",
                Kind::Counter,
                "How often somebody else had changed the keys between two changes of the schedule.",
                self.overwritten,
            ),
            (
                "fastopen_rotation_namespaces",
                Kind::Gauge,
                "The network namespaces that have the keys.",
                self.namespaces as u64,
            ),
            (
                "fastopen_rotation_listeners",
                Kind::Gauge,
                "The listeners with keys of their own that have the schedule's (--listeners).",
                self.listeners as u64,
            ),
            (
                "fastopen_rotation_namespace_failures",
                Kind::Gauge,
                "The network namespaces, and listeners in them, whose keys could not be set or had been changed.",
                self.namespace_failures as u64,
            ),
            (
                "fastopen_rotation_clock_unset",
                Kind::Gauge,
                "1: the clock was not set since the machine started, and the keys wait for it.",
                u64::from(self.clock_is_unset),
            ),
        ] {
            page.metric(name, kind, help).sample(&[], value);
        }
        page.into_text()
    }
}
