//! What else is worth knowing of an address, beside its verdict.

use fastopen_wire::OptionKind;

use super::evidence::{Evidence, Reply, Trial};
use super::verdict::{Judgement, Verdict};
use crate::timed::Service;

/// Sentences for the report. `service` is what was spoken, where it was sent its own request.
pub(super) fn of(evidence: &Evidence, judgement: &Judgement, service: Option<Service>) -> Vec<String> {
    [
        failure(evidence.checks.plain_failure, "plain", judgement),
        failure(evidence.checks.fast_failure, "fast", judgement),
        option(evidence),
        greeting(evidence, service),
        unanswered(evidence, judgement),
        at_random(evidence),
        own_server(evidence),
        without_cookie(evidence, judgement),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn failure(failure: Option<Reply>, kind: &str, judgement: &Judgement) -> Option<String> {
    match failure? {
        Reply::Icmp(_) if matches!(judgement.verdict, Verdict::Unreachable | Verdict::Rejected) => None,
        Reply::Icmp(icmp) => Some(format!("the answer to a {kind} SYN was: {icmp}")),
        Reply::Reset => Some(format!("the answer to a {kind} SYN was a RST")),
        Reply::Here => Some(format!("no {kind} SYN left this machine")),
        Reply::Nothing => None,
    }
}

/// Whether option 34 gets no cookie and the experimental one does.
fn option(evidence: &Evidence) -> Option<String> {
    let requests = || evidence.trials.iter().filter(|trial| trial.requested());
    let granted = |trial: &Trial| trial.granted().is_some();
    let refused = requests().filter(|trial| !granted(trial) && trial.made().is_some());
    let got = requests().find(|trial| granted(trial))?;
    let (first_refused, count) = (refused.clone().next()?, refused.count());
    match (first_refused.request_kind(), got.request_kind()) {
        (Some(OptionKind::Standard), Some(OptionKind::Experimental)) => Some(
            "option 34 got no cookie and the experimental option 254 did: the path strips option 34, or the server knows only the old \
             one; Linux tries both, other clients may not"
                .to_owned(),
        ),
        (None, None) => Some(format!(
            "{count} of the requests for a cookie got none before one did, as where a path strips option 34 and passes 254, which Linux \
             tries next"
        )),
        _ => None,
    }
}

fn greeting(evidence: &Evidence, service: Option<Service>) -> Option<String> {
    const SPEAK_FIRST: &[&[u8]] = &[b"SSH-", b"220", b"+OK", b"* OK", b"RFB "];
    let service = service?;
    let made = evidence.trials.iter().filter_map(Trial::made);
    let beginning = made
        .map(|made| &made.beginning)
        .find(|beginning| !beginning.is_empty())?;
    if service.may_answer(beginning) {
        return None;
    }
    let line = beginning.split(|byte| matches!(byte, b'\r' | b'\n')).next()?;
    let shown = line[..line.len().min(32)].escape_ascii();
    let why = match SPEAK_FIRST.iter().any(|known| beginning.starts_with(known)) {
        true => "this server speaks first, so that the time to its first byte depends on no request",
        false => "it is another service",
    };
    Some(format!(
        "{} was sent, and the answer does not fit it (\"{shown}\"): {why}; say what to send with --data, or the service by a URL",
        service.a_request()
    ))
}

fn unanswered(evidence: &Evidence, judgement: &Judgement) -> Option<String> {
    if evidence.ends_without_answer() {
        return Some(
            "the server ends every connection without an answer; to send something that it answers: --data"
                .to_owned(),
        );
    }
    let told = judgement.verdict == Verdict::Inconclusive;
    (!told && evidence.is_silent_to_plain()).then(|| {
        "the server does not answer plain connections either; to send something that it answers: --data"
            .to_owned()
    })
}

/// Plain connections that failed, while others were answered.
fn at_random(evidence: &Evidence) -> Option<String> {
    let count = |fast: bool, what: fn(&Trial) -> bool| {
        let those = evidence.trials.iter().filter(|trial| trial.is_fast() == fast);
        those.filter(|trial| what(trial)).count()
    };
    if count(false, Trial::was_heard) == 0 {
        return None;
    }
    let reset = (
        "reset",
        count(false, Trial::was_cut_off),
        count(true, Trial::was_cut_off),
    );
    let silent = (
        "silent",
        count(false, Trial::was_silent),
        count(true, Trial::was_silent),
    );
    [reset, silent].into_iter().find_map(|(name, plain, fast)| {
        (plain > 0)
            .then(|| format!("connections of both kinds are {name} at times: {plain} plain, {fast} fast"))
    })
}

fn own_server(evidence: &Evidence) -> Option<String> {
    let own = evidence.checks.own_server.as_ref()?;
    let program = own
        .program
        .as_deref()
        .unwrap_or("a program that this user may not look into");
    let asks = match own.listener_asks {
        Some(true) => "asks for Fast Open",
        Some(false) => "does not ask for Fast Open",
        None => "may ask for Fast Open or not: the kernel does not tell",
    };
    let bit = if own.server_bit() { "on" } else { "off" };
    Some(format!(
        "on this machine the listener is {program}, which {asks}; the server bit (0x2) of net.ipv4.tcp_fastopen is {bit}"
    ))
}

fn without_cookie(evidence: &Evidence, judgement: &Judgement) -> Option<String> {
    let told = judgement.verdict == Verdict::NoCookie;
    match evidence.checks.taken_without_cookie {
        Some(true) if told => Some("data in a SYN without a cookie was accepted".to_owned()),
        Some(false) if told => Some("data in a SYN without a cookie was not accepted".to_owned()),
        _ => None,
    }
}
