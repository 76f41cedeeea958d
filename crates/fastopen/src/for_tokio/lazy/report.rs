//! What a stream that connects later tells about it.

use std::sync::{Arc, OnceLock};

use crate::connect::Attempt;
use crate::outcome::Outcome;

/// How connecting went, as soon as it has. A clone is another handle to the same report.
#[derive(Clone, Debug, Default)]
pub struct ConnectReport(Arc<OnceLock<(Outcome, Vec<Attempt>)>>);

impl ConnectReport {
    /// What became of the first bytes; `None` until the connection stands.
    pub fn outcome(&self) -> Option<Outcome> {
        self.0.get().map(|(outcome, _)| *outcome)
    }

    /// What was tried, in the order in which it began; empty until the connection stands.
    pub fn attempts(&self) -> &[Attempt] {
        self.0.get().map_or(&[], |(_, attempts)| attempts)
    }

    pub(super) fn fill(&self, outcome: Outcome, attempts: Vec<Attempt>) {
        // A stream connects once.
        let _ = self.0.set((outcome, attempts));
    }
}
