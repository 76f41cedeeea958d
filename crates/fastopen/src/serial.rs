//! How values serialize.

use std::time::Duration;

use serde::{Serialize, Serializer};

/// A duration as a number of seconds.
pub(crate) fn seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    duration.as_secs_f64().serialize(serializer)
}

#[cfg(test)]
mod tests {
    use crate::arrival::{Arrival, ArrivalKind};
    use crate::connect::{Attempt, AttemptEnd, Syn};
    use crate::error::CallError;
    use crate::outcome::{Outcome, Reason};

    #[test]
    fn the_vocabulary_in_json() {
        let json = |value: &dyn erased::Json| value.json();
        let attempt = Attempt {
            address: "192.0.2.1:80".parse().unwrap(),
            syn: Syn::Fast { bytes: 35 },
            started: super::Duration::ZERO,
            elapsed: super::Duration::from_millis(250),
            end: AttemptEnd::Failed(CallError::from_code("connect", 111)),
        };
        let arrival = Arrival {
            kind: ArrivalKind::Fast { data: true },
            confirmed: false,
            syn: None,
        };
        for (value, expected) in [
            (json(&Outcome::SynLost), r#""syn-lost""#),
            (
                json(&Outcome::NotAttempted(Reason::PathMemory)),
                r#"{"not-attempted":"path-memory"}"#,
            ),
            (
                json(&attempt),
                r#"{"address":"192.0.2.1:80","syn":{"fast":{"bytes":35}},"started":0.0,"elapsed":0.25,"end":{"failed":{"call":"connect","code":111}}}"#,
            ),
            (
                json(&arrival),
                r#"{"kind":{"fast":{"data":true}},"confirmed":false,"syn":null}"#,
            ),
        ] {
            assert_eq!(value, expected);
        }
    }

    /// So that values of different types can stand in one table.
    mod erased {
        pub(super) trait Json {
            fn json(&self) -> String;
        }

        impl<T: serde::Serialize> Json for T {
            fn json(&self) -> String {
                serde_json::to_string(self).unwrap()
            }
        }
    }
}
