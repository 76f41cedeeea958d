//! The hostile paths, and what should come of each.

use fastopen::Outcome;

/// A scenario of the lab, and what should come of it.
pub(super) struct Hostile {
    pub(super) scenario: &'static str,
    pub(super) expected: Outcome,
    /// How many other connections bring the same request to the server's application.
    pub(super) duplicates: usize,
}

/// In the order in which they are told; the one that takes longest comes last.
pub(super) const HOSTILE: [Hostile; 8] = [
    expect("option-stripped", Outcome::Ignored),
    expect("cookie-refused", Outcome::Ignored),
    expect("syn-proxy", Outcome::Ignored),
    expect("option-dropped", Outcome::SynLost),
    expect("data-dropped", Outcome::SynLost),
    expect("reset", Outcome::SynLost),
    expect("held-ack", Outcome::Accepted),
    Hostile {
        duplicates: 1,
        ..expect("replay", Outcome::Accepted)
    },
];

const fn expect(scenario: &'static str, expected: Outcome) -> Hostile {
    Hostile {
        scenario,
        expected,
        duplicates: 0,
    }
}
