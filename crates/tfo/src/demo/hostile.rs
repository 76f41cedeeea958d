//! The hostile paths, and the outcome expected of each.

use fastopen::Outcome;

/// A scenario of the lab, and what is expected of it.
pub(super) struct Hostile {
    pub(super) scenario: &'static str,
    pub(super) expected: Outcome,
    /// How many other connections bring the same request to the server's application.
    pub(super) duplicates: usize,
    /// Whether everything after the handshake is dropped.
    pub(super) dies: bool,
}

/// In the order in which they are shown; the one that takes longest comes last.
pub(super) const HOSTILE: &[Hostile] = &[
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
    Hostile {
        dies: true,
        ..expect("blackhole", Outcome::Accepted)
    },
];

const fn expect(scenario: &'static str, expected: Outcome) -> Hostile {
    Hostile {
        scenario,
        expected,
        duplicates: 0,
        dies: false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn the_schema_and_the_lab_know_every_path() {
        let schema: Value = serde_json::from_str(include_str!("../../schemas/demo.json")).unwrap();
        let scenario = "/$defs/report/properties/paths/items/properties/scenario/enum";
        let known = schema.pointer(scenario).and_then(Value::as_array).unwrap();
        let paths: Vec<_> = HOSTILE.iter().map(|hostile| hostile.scenario).collect();
        assert_eq!(known, &paths);
        for path in paths {
            assert!(fastopen_lab::Scenario::named(path).is_some(), "{path}");
        }
    }
}
