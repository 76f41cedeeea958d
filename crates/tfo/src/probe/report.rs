//! What `tfo probe` says, as a value. Its JSON form is described by `schemas/probe.json`.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use fastopen::Outcome;
use serde::{Serialize, Serializer};

use super::evidence::{AtOnce, Cached, Evidence, Trial};
use super::judge::judge;
use super::notes;
use super::saving::Saving;
use super::session::Session;
use super::verdict::{Cause, Verdict};
use super::words;
use crate::status::Status;
use crate::timed::{Answer, Failure, Made, Service, Target, Way};
use crate::units;

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

/// All that was found out of one address.
#[derive(Clone, Debug, Serialize)]
pub(super) struct AddressReport {
    pub(super) address: SocketAddr,
    pub(super) verdict: Verdict,
    /// Why; several are not told apart by the evidence, and the likeliest comes first.
    pub(super) causes: Vec<Cause>,
    /// What would tell, for each of several causes.
    pub(super) decided_by: Vec<Option<&'static str>>,
    /// What else is worth knowing.
    pub(super) notes: Vec<String>,
    /// The ICMP errors that answered SYNs.
    pub(super) icmp: Vec<IcmpReport>,
    /// The verdict in a sentence, and what to do about it.
    pub(super) says: String,
    pub(super) advice: Option<String>,
    pub(super) saving: Option<Saving>,
    /// With which probability a third of the servers behind the address would have shown itself if it refused what the others grant;
    /// nothing where no connection was accepted.
    pub(super) odd_key_would_show: Option<f64>,
    /// Whether all the first bytes fit into the SYN; nothing where none was sent with data.
    pub(super) fits: Option<bool>,
    #[serde(rename = "rtt_ms", serialize_with = "milliseconds")]
    pub(super) rtt: Option<Duration>,
    /// The kernel's cookie at the end, shortened.
    pub(super) cookie: Option<String>,
    /// Whether a cookie was granted on one of these connections, where there was none.
    pub(super) cookie_granted: bool,
    /// What the evidence was drawn from.
    pub(super) sources: Vec<&'static str>,
    pub(super) connections: Vec<ConnectionReport>,
    /// By how much this machine's counters rose meanwhile; nothing where others were probed at the same time.
    pub(super) counters: Option<Vec<Rise>>,
}

/// An ICMP error that answered a SYN.
#[derive(Clone, Debug, Serialize)]
pub(super) struct IcmpReport {
    #[serde(serialize_with = "way_name")]
    pub(super) way: Way,
    pub(super) from: IpAddr,
    #[serde(rename = "type")]
    pub(super) kind: u8,
    pub(super) code: u8,
    pub(super) meaning: &'static str,
}

/// One connection.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ConnectionReport {
    #[serde(serialize_with = "way_name")]
    pub(super) way: Way,
    /// What became of the first bytes; nothing without a connection.
    pub(super) outcome: Option<&'static str>,
    pub(super) end: End,
    pub(super) syn_bytes: usize,
    pub(super) syn_repeated: Option<bool>,
    #[serde(rename = "connect_ms", serialize_with = "milliseconds")]
    pub(super) connect: Option<Duration>,
    #[serde(rename = "first_byte_ms", serialize_with = "milliseconds")]
    pub(super) first_byte: Option<Duration>,
    /// The kernel's cookie before and after, shortened.
    pub(super) cookie_before: Option<String>,
    pub(super) cookie_after: Option<String>,
    /// The verdict on its packets, where they were seen.
    pub(super) packets: Option<&'static str>,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum End {
    Answered,
    Closed,
    Reset,
    Silent,
    Refused,
    Unanswered,
    NoRoute,
    NotPermitted,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct Rise {
    pub(super) name: &'static str,
    pub(super) by: u64,
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

/// An address that this machine has no route to, as where it has no IPv6, says nothing of the others.
fn counted(addresses: &[AddressReport]) -> impl Iterator<Item = &AddressReport> {
    let is_out_of_reach = |address: &AddressReport| address.causes.first() == Some(&Cause::NoRoute);
    let all = addresses.iter().all(is_out_of_reach);
    addresses
        .iter()
        .filter(move |address| all || !is_out_of_reach(address))
}

impl AddressReport {
    fn new(session: &Session, first_bytes: usize, service: Option<Service>) -> Self {
        let evidence = &session.evidence;
        let judgement = judge(evidence);
        let fast = || evidence.trials.iter().filter(|trial| trial.is_fast());
        let syn_bytes = fast()
            .filter_map(|trial| trial.made())
            .map(|made| made.syn_bytes)
            .max();
        let rtts = evidence.trials.iter().filter_map(|trial| trial.made()?.rtt);
        let counters = session.counters.as_ref().map(|counters| {
            let risen = counters.iter().filter(|(_, by)| *by > 0);
            risen
                .map(|(counter, by)| Rise {
                    name: counter.name(),
                    by,
                })
                .collect()
        });
        Self {
            address: session.address,
            verdict: judgement.verdict,
            says: words::says(&judgement),
            advice: words::advice(
                &judgement,
                evidence.checks.own_server.as_ref(),
                !session.saw_packets && !evidence.local,
            ),
            decided_by: match judgement.causes.as_slice() {
                [_, _, ..] => judgement.causes.iter().map(|cause| cause.decided_by()).collect(),
                _ => Vec::new(),
            },
            notes: notes::of(evidence, &judgement, service),
            icmp: icmp(evidence),
            saving: Saving::of(evidence),
            odd_key_would_show: odd_key_would_show(evidence),
            fits: syn_bytes
                .filter(|bytes| *bytes > 0)
                .map(|bytes| bytes == first_bytes),
            rtt: rtts.min(),
            cookie: evidence.trials.last().and_then(|trial| shortened(trial.after)),
            cookie_granted: evidence.trials.iter().any(|trial| trial.granted().is_some()),
            sources: sources(session),
            connections: evidence.trials.iter().map(ConnectionReport::from).collect(),
            counters,
            causes: judgement.causes,
        }
    }
}

fn icmp(evidence: &Evidence) -> Vec<IcmpReport> {
    let failures = [
        (Way::Plain, evidence.checks.plain_failure),
        (Way::Fast, evidence.checks.fast_failure),
    ];
    let errors = failures.into_iter().filter_map(|(way, failure)| match failure {
        Some(AtOnce::Icmp(icmp)) => Some(IcmpReport {
            way,
            from: icmp.from,
            kind: icmp.kind,
            code: icmp.code,
            meaning: icmp.meaning(),
        }),
        _ => None,
    });
    errors.collect()
}

fn odd_key_would_show(evidence: &Evidence) -> Option<f64> {
    let accepted = |trial: &&Trial| trial.outcome() == Some(Outcome::Accepted);
    let accepted = i32::try_from(evidence.trials.iter().filter(accepted).count()).unwrap_or(i32::MAX);
    (accepted > 0).then(|| (100.0 - 100.0 * (2.0_f64 / 3.0).powi(accepted)).floor() / 100.0)
}

fn sources(session: &Session) -> Vec<&'static str> {
    let Evidence { trials, .. } = &session.evidence;
    let knows_cookies = trials
        .iter()
        .any(|trial| trial.before != Cached::Unknown || trial.after != Cached::Unknown);
    [
        trials
            .iter()
            .any(|trial| trial.result.is_ok())
            .then_some("tcp-info"),
        knows_cookies.then_some("cookie-cache"),
        session.counters.is_some().then_some("counters"),
        session.saw_packets.then_some("packets"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

impl From<&Trial> for ConnectionReport {
    fn from(trial: &Trial) -> Self {
        let made = trial.made();
        Self {
            way: trial.way,
            outcome: made.map(|made| made.outcome.name()),
            end: End::of(trial),
            syn_bytes: made.map_or(0, |made| made.syn_bytes),
            syn_repeated: made.and_then(|made| made.syn_repeated),
            connect: made.map(|made| made.connect),
            first_byte: made.and_then(Made::first_byte),
            cookie_before: shortened(trial.before),
            cookie_after: shortened(trial.after),
            packets: trial.wire.as_ref().map(|seen| seen.connection.verdict.as_str()),
        }
    }
}

impl End {
    fn of(trial: &Trial) -> Self {
        match &trial.result {
            Ok(made) => match made.answer {
                Answer::Bytes(_) => Self::Answered,
                Answer::Closed => Self::Closed,
                Answer::Reset => Self::Reset,
                Answer::Silent => Self::Silent,
            },
            Err(Failure::Refused) => Self::Refused,
            Err(Failure::Unanswered) => Self::Unanswered,
            Err(Failure::NoRoute) => Self::NoRoute,
            Err(Failure::Here(_)) => Self::NotPermitted,
        }
    }
}

fn shortened(cached: Cached) -> Option<String> {
    cached.cookie().map(|cookie| cookie.to_string())
}

fn way_name<S: Serializer>(way: &Way, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match way {
        Way::Plain => "plain",
        Way::Fast => "fast",
    })
}

fn milliseconds<S: Serializer>(time: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(units::milliseconds).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use fastopen::Reason;

    use super::*;
    use crate::probe::evidence::Machine;

    fn plain(result: Result<Made, Failure>) -> Trial {
        Trial {
            way: Way::Plain,
            result,
            before: Cached::Unknown,
            after: Cached::Unknown,
            wire: None,
        }
    }

    fn made(way: Way, outcome: Outcome) -> Trial {
        Trial {
            way,
            ..plain(Ok(Made::sample(
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
        session(vec![plain(Err(failure))])
    }

    fn unanswered(times: usize) -> Session {
        session(vec![plain(Err(Failure::Unanswered)); times])
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
            super::super::text::full(&mut anstream::StripStream::new(&mut text), &report, columns).unwrap();
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
