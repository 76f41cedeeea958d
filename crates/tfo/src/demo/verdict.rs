//! Whether what the demonstration found is as expected.

use fastopen::{ArrivalKind, Outcome, Reason};

use super::hostile::HOSTILE;
use super::report::{Connection, Exchange, Greeting, Kind, Path};

/// What plain connections take at least, and fast ones at most, in round-trip times.
const PLAIN_ROUNDS: f64 = 1.9;
const FAST_ROUNDS: f64 = 1.1;

impl Connection {
    /// What is not as expected.
    pub(super) fn problems(&self) -> Vec<String> {
        let Self { kind, exchange, .. } = self;
        let (outcome, arrival) = match kind {
            Kind::Plain => (Outcome::NotAttempted(Reason::Policy), ArrivalKind::Plain),
            Kind::First => (Outcome::NoCookie, ArrivalKind::CookieRequested),
            Kind::Fast => (Outcome::Accepted, ArrivalKind::Fast { data: true }),
        };
        let odd = self.samples.iter().find(|sample| sample.outcome != outcome);
        let found = [
            odd.map(|odd| format!("the client reports {}, not {outcome}", odd.outcome)),
            (self.server.arrival != arrival)
                .then(|| format!("the server reports {}, not {arrival}", self.server.arrival)),
            exchange.odd_rounds(*kind),
            self.server
                .confirmed_ms
                .is_none()
                .then(|| "the server never confirmed it".to_owned()),
            (!self.delivered_once).then(not_once),
        ];
        named(kind.name(), found)
    }
}

impl Greeting {
    /// What is not as expected.
    pub(super) fn problems(&self) -> Vec<String> {
        let Self { kind, exchange, .. } = self;
        let outcome = match kind {
            Kind::Plain => Outcome::NotAttempted(Reason::Policy),
            Kind::First => Outcome::NoCookie,
            Kind::Fast => Outcome::Accepted,
        };
        let found = [
            (exchange.outcome != outcome)
                .then(|| format!("the client reports {}, not {outcome}", exchange.outcome)),
            exchange.odd_rounds(*kind),
            (!self.delivered_once).then(|| "the greeting did not arrive as it was sent".to_owned()),
        ];
        named(&format!("greeting, {}", kind.name()), found)
    }
}

impl Exchange {
    fn odd_rounds(&self, kind: Kind) -> Option<String> {
        let (fits, limit) = match kind {
            Kind::Plain | Kind::First => (self.rounds >= PLAIN_ROUNDS, "at least 1.9"),
            Kind::Fast => (
                self.rounds <= FAST_ROUNDS,
                "at most 1.1; a longer --rtt measures better",
            ),
        };
        (!fits).then(|| format!("{:.2} round trips, not {limit}", self.rounds))
    }
}

impl Path {
    /// What is not as expected.
    pub(super) fn problems(&self) -> Vec<String> {
        let outcome = self.exchange.outcome;
        let (duplicates, dies) = HOSTILE
            .iter()
            .find(|hostile| hostile.scenario == self.scenario)
            .map_or((0, false), |hostile| (hostile.duplicates, hostile.dies));
        let found = [
            (outcome != self.expected)
                .then(|| format!("the client reports {outcome}, not {}", self.expected)),
            (!self.delivered_once).then(not_once),
            (dies && self.exchange.rounds.is_some())
                .then(|| "an answer came, although the path drops it".to_owned()),
            (self.duplicates.len() != duplicates).then(|| {
                format!(
                    "the server read the request on {} other connections, not {duplicates}",
                    self.duplicates.len()
                )
            }),
            self.duplicates
                .iter()
                .any(|duplicate| duplicate.confirmed)
                .then(|| "a replay was confirmed".to_owned()),
            self.next
                .as_ref()
                .filter(|next| next.reason != Some(Reason::PathMemory))
                .map(|next| {
                    format!(
                        "the next connection was {}, not plain by the path memory",
                        next.outcome
                    )
                }),
        ];
        named(self.scenario, found)
    }
}

fn not_once() -> String {
    "the bytes did not arrive exactly once".to_owned()
}

fn named<const N: usize>(name: &str, found: [Option<String>; N]) -> Vec<String> {
    found
        .into_iter()
        .flatten()
        .map(|problem| format!("{name}: {problem}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::report::Duplicate;
    use super::super::sample;
    use super::*;

    type Change<T> = fn(&mut T);

    #[test]
    fn what_is_as_it_should_be_is_no_problem() {
        for kind in Kind::ALL {
            assert_eq!(sample::connection(kind).problems(), [""; 0]);
        }
        for kind in Greeting::KINDS {
            assert_eq!(sample::greeting(kind).problems(), [""; 0]);
        }
        for hostile in HOSTILE {
            assert_eq!(sample::path(hostile.scenario).problems(), [""; 0]);
        }
    }

    #[test]
    fn each_thing_that_is_odd_about_a_connection_is_said() {
        let changes: &[(_, Change<Connection>, _)] = &[
            (
                Kind::Fast,
                |c| c.samples[2].outcome = Outcome::Ignored,
                "fast: the client reports ignored, not accepted",
            ),
            (
                Kind::First,
                |c| c.server.arrival = ArrivalKind::Plain,
                "first: the server reports plain, not cookie-requested",
            ),
            (
                Kind::Plain,
                |c| c.exchange.rounds = 1.01,
                "plain: 1.01 round trips, not at least 1.9",
            ),
            (
                Kind::First,
                |c| c.exchange.rounds = 1.01,
                "first: 1.01 round trips, not at least 1.9",
            ),
            (
                Kind::Fast,
                |c| c.exchange.rounds = 1.11,
                "fast: 1.11 round trips, not at most 1.1; a longer --rtt measures better",
            ),
            (
                Kind::Fast,
                |c| c.server.confirmed_ms = None,
                "fast: the server never confirmed it",
            ),
            (
                Kind::Plain,
                |c| c.delivered_once = false,
                "plain: the bytes did not arrive exactly once",
            ),
        ];
        for &(kind, change, problem) in changes {
            let mut connection = sample::connection(kind);
            change(&mut connection);
            assert_eq!(connection.problems(), [problem]);
        }
    }

    #[test]
    fn each_thing_that_is_odd_about_a_greeting_is_said() {
        let changes: &[(_, Change<Greeting>, _)] = &[
            (
                Kind::Fast,
                |g| g.exchange.outcome = Outcome::Unknown,
                "greeting, fast: the client reports unknown, not accepted",
            ),
            (
                Kind::Fast,
                |g| g.exchange.rounds = 2.01,
                "greeting, fast: 2.01 round trips, not at most 1.1; a longer --rtt measures better",
            ),
            (
                Kind::Plain,
                |g| g.exchange.rounds = 1.01,
                "greeting, plain: 1.01 round trips, not at least 1.9",
            ),
            (
                Kind::Plain,
                |g| g.delivered_once = false,
                "greeting, plain: the greeting did not arrive as it was sent",
            ),
        ];
        for &(kind, change, problem) in changes {
            let mut greeting = sample::greeting(kind);
            change(&mut greeting);
            assert_eq!(greeting.problems(), [problem]);
        }
    }

    #[test]
    fn each_thing_that_is_odd_about_a_path_is_said() {
        let changes: &[(_, Change<Path>, _)] = &[
            (
                "reset",
                |p| p.exchange.outcome = Outcome::Accepted,
                "reset: the client reports accepted, not syn-lost",
            ),
            (
                "reset",
                |p| p.delivered_once = false,
                "reset: the bytes did not arrive exactly once",
            ),
            (
                "reset",
                |p| {
                    p.duplicates = vec![Duplicate {
                        confirmed: false,
                        ended_after_ms: 1.0,
                    }];
                },
                "reset: the server read the request on 1 other connections, not 0",
            ),
            (
                "blackhole",
                |p| p.exchange.rounds = Some(1.0),
                "blackhole: an answer came, although the path drops it",
            ),
            (
                "blackhole",
                |p| p.next = Some(sample::exchange(Outcome::Accepted, 1.0)),
                "blackhole: the next connection was accepted, not plain by the path memory",
            ),
            (
                "replay",
                |p| p.duplicates.clear(),
                "replay: the server read the request on 0 other connections, not 1",
            ),
            (
                "replay",
                |p| p.duplicates[0].confirmed = true,
                "replay: a replay was confirmed",
            ),
            (
                "data-dropped",
                |p| p.next = Some(sample::exchange(Outcome::SynLost, 6.2)),
                "data-dropped: the next connection was syn-lost, not plain by the path memory",
            ),
        ];
        for &(scenario, change, problem) in changes {
            let mut path = sample::path(scenario);
            change(&mut path);
            assert_eq!(path.problems(), [problem]);
        }
    }
}
