//! All that was found out of one address.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use fastopen::Outcome;
use serde::Serialize;

use super::connection::{ConnectionReport, milliseconds, shortened, way_name};
use crate::probe::advice;
use crate::probe::evidence::{Cached, Evidence, Trial};
use crate::probe::judge::judge;
use crate::probe::notes;
use crate::probe::saving::Saving;
use crate::probe::session::Session;
use crate::probe::verdict::{Cause, Verdict};
use crate::probe::words;
use crate::timed::{Service, Way};

/// All that was found out of one address.
#[derive(Clone, Debug, Serialize)]
pub(in crate::probe) struct AddressReport {
    pub(in crate::probe) address: SocketAddr,
    pub(in crate::probe) verdict: Verdict,
    /// Why; several are not told apart by the evidence, and the likeliest comes first.
    pub(in crate::probe) causes: Vec<Cause>,
    /// The same in words.
    #[serde(skip)]
    pub(in crate::probe) because: Vec<String>,
    /// What would tell, for each of several causes.
    pub(in crate::probe) decided_by: Vec<Option<&'static str>>,
    /// What else is worth knowing.
    pub(in crate::probe) notes: Vec<String>,
    /// The ICMP errors that answered SYNs.
    pub(in crate::probe) icmp: Vec<IcmpReport>,
    /// The verdict in a sentence, and what to do about it.
    pub(in crate::probe) says: String,
    pub(in crate::probe) advice: Option<String>,
    pub(in crate::probe) saving: Option<Saving>,
    /// With which probability a third of the servers behind the address would have shown itself if it refused what the others grant;
    /// nothing where no connection was accepted.
    pub(in crate::probe) odd_key_would_show: Option<f64>,
    /// Whether all the first bytes fit into the SYN; nothing where none was sent with data.
    pub(in crate::probe) fits: Option<bool>,
    #[serde(rename = "rtt_ms", serialize_with = "milliseconds")]
    pub(in crate::probe) rtt: Option<Duration>,
    /// The kernel's cookie at the end, shortened.
    pub(in crate::probe) cookie: Option<String>,
    /// Whether a cookie was granted on one of these connections, where there was none.
    pub(in crate::probe) cookie_granted: bool,
    /// What the evidence was drawn from.
    pub(in crate::probe) sources: Vec<&'static str>,
    pub(in crate::probe) connections: Vec<ConnectionReport>,
    /// By how much this machine's counters rose meanwhile; nothing where others were probed at the same time.
    pub(in crate::probe) counters: Option<Vec<Rise>>,
}

/// An ICMP error that answered a SYN.
#[derive(Clone, Debug, Serialize)]
pub(in crate::probe) struct IcmpReport {
    #[serde(serialize_with = "way_name")]
    pub(in crate::probe) way: Way,
    pub(in crate::probe) from: IpAddr,
    #[serde(rename = "type")]
    pub(in crate::probe) kind: u8,
    pub(in crate::probe) code: u8,
    pub(in crate::probe) meaning: &'static str,
}

#[derive(Clone, Debug, Serialize)]
pub(in crate::probe) struct Rise {
    pub(in crate::probe) name: &'static str,
    pub(in crate::probe) by: u64,
}

impl AddressReport {
    pub(super) fn new(session: &Session, first_bytes: usize, service: Option<Service>) -> Self {
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
            says: words::says(&judgement, evidence),
            advice: advice::next_step(&judgement, evidence, !session.saw_packets && !evidence.local),
            because: words::because(&judgement, evidence),
            decided_by: words::decided_by(&judgement, evidence),
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
    let rejections = [
        (Way::Plain, evidence.plain_rejection()),
        (Way::Fast, evidence.fast_rejection()),
    ];
    let errors = rejections.into_iter().filter_map(|(way, rejection)| {
        let icmp = rejection?.icmp;
        Some(IcmpReport {
            way,
            from: icmp.from,
            kind: icmp.kind,
            code: icmp.code,
            meaning: icmp.meaning(),
        })
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
