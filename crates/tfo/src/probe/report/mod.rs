//! What `tfo probe` says, as a value. Its JSON form is described by `schemas/probe.json`.

mod address;
mod connection;

use serde::Serialize;

use super::session::Session;
use super::verdict::{Cause, Verdict};
use crate::status::Status;
use crate::timed::{Service, Target};

pub(super) use address::AddressReport;
pub(super) use connection::{ConnectionReport, End};

/// All that was found out of one target.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    pub(super) target: String,
    pub(super) service: Option<Service>,
    /// How many bytes are sent first.
    pub(super) first_bytes: usize,
    /// What its addresses have in common; nothing where it has none, or they differ.
    pub(super) verdict: Option<Verdict>,
    /// Why nothing could be probed.
    pub(super) error: Option<String>,
    /// Whether it was stopped before it was finished.
    pub(super) interrupted: bool,
    pub(super) addresses: Vec<AddressReport>,
    /// What is sent first, in words.
    #[serde(skip)]
    pub(super) request: &'static str,
}

impl Report {
    pub(super) fn failed(target: &str, service: Option<Service>, error: String) -> Self {
        Self {
            target: target.to_owned(),
            service,
            first_bytes: 0,
            verdict: None,
            error: Some(error),
            interrupted: false,
            addresses: Vec::new(),
            request: "",
        }
    }

    /// Stopped before there was an address to probe.
    pub(super) fn interrupted(target: &Target) -> Self {
        Self {
            interrupted: true,
            ..Self::new(target, "", 0, false, &[])
        }
    }

    pub(super) fn new(
        target: &Target,
        request: &'static str,
        first_bytes: usize,
        fit_service: bool,
        sessions: &[Session],
    ) -> Self {
        let service = fit_service.then_some(target.service);
        let addresses: Vec<_> = sessions
            .iter()
            .map(|session| AddressReport::new(session, first_bytes, service))
            .collect();
        Self {
            target: target.to_string(),
            service: Some(target.service),
            first_bytes,
            verdict: common(&addresses),
            error: None,
            interrupted: sessions.iter().any(|session| session.interrupted),
            addresses,
            request,
        }
    }

    /// The exit status that it comes to: the worst that can be said for certain.
    pub(super) fn status(&self) -> Status {
        if self.error.is_some() {
            return Status::Unusable;
        }
        let counted = counted(&self.addresses);
        worst(counted.map(|address| address.verdict.status())).unwrap_or(Status::Inconclusive)
    }
}

/// The status of several things together.
pub(super) fn worst(statuses: impl IntoIterator<Item = Status>) -> Option<Status> {
    statuses.into_iter().max_by_key(|status| match status {
        Status::Works => 0,
        Status::Inconclusive => 1,
        Status::Unusable => 2,
        Status::Fails => 3,
    })
}

fn common(addresses: &[AddressReport]) -> Option<Verdict> {
    let mut verdicts = counted(addresses).map(|address| address.verdict);
    let first = verdicts.next()?;
    verdicts.all(|verdict| verdict == first).then_some(first)
}

/// An address that this machine has no route to, or none of whose family to connect from, as where it has no IPv6, says nothing of the
/// others.
fn counted(addresses: &[AddressReport]) -> impl Iterator<Item = &AddressReport> {
    let is_out_of_reach = |address: &AddressReport| {
        matches!(
            address.causes.first(),
            Some(Cause::NoRoute | Cause::NoLocalAddress)
        )
    };
    let all = addresses.iter().all(is_out_of_reach);
    addresses
        .iter()
        .filter(move |address| all || !is_out_of_reach(address))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use fastopen::{Outcome, Reason};

    use super::*;
    use crate::probe::evidence::{Evidence, Machine, Trial};
    use crate::timed::{Answer, Failure, Made, Way};

    fn made(way: Way, outcome: Outcome) -> Trial {
        Trial {
            way,
            ..Trial::plain(Ok(Made::sample(
                outcome,
                Answer::Bytes(Duration::from_millis(40)),
            )))
        }
    }

    fn session(trials: Vec<Trial>) -> Session {
        Session {
            address: "192.0.2.2:80".parse().unwrap(),
            evidence: Evidence {
                trials,
                ..Evidence::new(Machine::Ready, false)
            },
            counters: None,
            saw_packets: false,
            interrupted: false,
        }
    }

    fn good() -> Session {
        let policy = Outcome::NotAttempted(Reason::Policy);
        session(vec![
            made(Way::Plain, policy),
            made(Way::Fast, Outcome::Accepted),
            made(Way::Plain, policy),
        ])
    }

    fn failed(failure: Failure) -> Session {
        session(vec![Trial::plain(Err(failure))])
    }

    fn unanswered(times: usize) -> Session {
        session(vec![Trial::plain(Err(Failure::Unanswered)); times])
    }

    fn report(sessions: &[Session]) -> Report {
        Report::new(
            &"example.com:80".parse().unwrap(),
            "HTTP request",
            90,
            true,
            sessions,
        )
    }

    #[test]
    fn its_text_fits_the_terminal() {
        let no_cookie = || {
            let policy = Outcome::NotAttempted(Reason::Policy);
            let requests = [made(Way::Plain, policy), made(Way::Fast, Outcome::NoCookie)];
            session(requests.iter().cycle().take(12).cloned().collect())
        };
        for columns in [60, 80, 120] {
            let mut text = Vec::new();
            let report = report(&[no_cookie(), good(), unanswered(3)]);
            crate::probe::text::full(&mut anstream::StripStream::new(&mut text), &report, columns).unwrap();
            let text = String::from_utf8(text).unwrap();
            let widest = text.lines().map(crate::width::display).max().unwrap();
            assert!(widest <= columns, "{widest} of {columns}:\n{text}");
            assert!(text.contains("or           "), "{text}");
        }
    }

    #[test]
    fn addresses_are_judged_together() {
        for (sessions, verdict, code) in [
            (vec![good()], Some(Verdict::Works), 0),
            (vec![good(), good()], Some(Verdict::Works), 0),
            (vec![good(), failed(Failure::Refused)], None, 1),
            (
                vec![failed(Failure::Refused), unanswered(3)],
                Some(Verdict::Unreachable),
                1,
            ),
            (vec![unanswered(2)], Some(Verdict::Inconclusive), 3),
            (vec![unanswered(3)], Some(Verdict::Unreachable), 1),
            (vec![good(), session(vec![])], None, 3),
            (vec![], None, 3),
        ] {
            let report = report(&sessions);
            assert_eq!(
                (report.verdict, report.status().code()),
                (verdict, code),
                "{report:#?}"
            );
        }
    }

    #[test]
    fn a_family_that_this_machine_lacks_says_nothing_of_the_other() {
        let mixed = report(&[failed(Failure::NoRoute), good()]);
        assert_eq!(
            (mixed.verdict, mixed.status()),
            (Some(Verdict::Works), Status::Works)
        );
        let none = report(&[failed(Failure::NoRoute), failed(Failure::NoRoute)]);
        assert_eq!(
            (none.verdict, none.status()),
            (Some(Verdict::Unreachable), Status::Fails)
        );
    }

    #[test]
    fn what_is_certain_outweighs_what_is_not() {
        use Status::*;
        assert_eq!(worst([Works, Inconclusive, Fails, Unusable]), Some(Fails));
        assert_eq!(worst([Works, Unusable, Inconclusive]), Some(Unusable));
        assert_eq!(worst([Works, Inconclusive]), Some(Inconclusive));
        assert_eq!(worst([]), None);
    }
}
