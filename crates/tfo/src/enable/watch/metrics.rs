//! The service's metrics.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::metrics_page::{Kind, Page};

/// What is exported.
#[derive(Clone, Debug, Default)]
pub(super) struct Metrics {
    pub(super) listeners: usize,
    pub(super) pending: usize,
    pub(super) failed: usize,
    pub(super) problems: usize,
    pub(super) looked: Option<SystemTime>,
    pub(super) namespaces: usize,
    pub(super) namespaces_without_server_bit: usize,
    pub(super) switched: u64,
    pub(super) failures: u64,
    pub(super) rules: usize,
    pub(super) rules_refused: bool,
}

impl Metrics {
    /// The file is written when it changes: once a minute, while nothing happens.
    fn looked_in_minute(&self) -> u64 {
        let looked = self
            .looked
            .and_then(|looked| looked.duration_since(UNIX_EPOCH).ok());
        looked.map_or(0, |looked| looked.as_secs() / 60 * 60)
    }

    pub(super) fn page(&self) -> String {
        let mut page = Page::default();
        for (name, kind, help, value) in [
            (
                "fastopen_enable_listeners",
                Kind::Gauge,
                "The listeners that have Fast Open by the rules.",
                self.listeners as u64,
            ),
            (
                "fastopen_enable_listeners_pending",
                Kind::Gauge,
                "The listeners that are tried again: they could not be switched, or their processes fit no rule so far.",
                self.pending as u64,
            ),
            (
                "fastopen_enable_listeners_failed",
                Kind::Gauge,
                "Those of the pending listeners that a rule fits and that could not be switched at two looks or more.",
                self.failed as u64,
            ),
            (
                "fastopen_enable_problems",
                Kind::Gauge,
                "What is wrong, as the log says: namespaces that can't be looked into, programs in rules that are not there; without missing server bits.",
                self.problems as u64,
            ),
            (
                "fastopen_enable_last_look_timestamp_seconds",
                Kind::Gauge,
                "The minute in which listeners were last looked for.",
                self.looked_in_minute(),
            ),
            (
                "fastopen_enable_namespaces",
                Kind::Gauge,
                "The network namespaces that are watched.",
                self.namespaces as u64,
            ),
            (
                "fastopen_enable_namespaces_without_server_bit",
                Kind::Gauge,
                "The network namespaces with listeners that have Fast Open by the rules, and whose net.ipv4.tcp_fastopen lacks the server bit.",
                self.namespaces_without_server_bit as u64,
            ),
            (
                "fastopen_enable_switched_total",
                Kind::Counter,
                "How many listeners were switched.",
                self.switched,
            ),
            (
                "fastopen_enable_failures_total",
                Kind::Counter,
                "How often a listener could not be switched.",
                self.failures,
            ),
            (
                "fastopen_enable_rules",
                Kind::Gauge,
                "The rules in force.",
                self.rules as u64,
            ),
            (
                "fastopen_enable_rules_refused",
                Kind::Gauge,
                "1: the rules could not be read when they were last asked for, and those from before are in force.",
                u64::from(self.rules_refused),
            ),
        ] {
            page.metric(name, kind, help).sample(&[], value);
        }
        page.into_text()
    }
}
