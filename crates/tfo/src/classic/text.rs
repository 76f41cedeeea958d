//! What `tcp-fast-open` prints.

use std::io::{self, Write};

use crate::address::Address;
use crate::client::{Report, explain, next_step};
use crate::server::{Ended, arrival, proof};
use crate::status::Status;
use crate::style::{BAD, BOLD, DIM, GOOD, HINT, WARNING};
use crate::units::{bytes, grouped, time};

pub(super) fn listening(out: &mut impl Write, address: &Address, warnings: &[String]) -> io::Result<()> {
    writeln!(out, "listening on {address}")?;
    warnings
        .iter()
        .try_for_each(|warning| writeln!(out, "{WARNING}warning:{WARNING:#} {warning}"))
}

/// One connection, as each end saw it.
pub(super) fn connection(
    out: &mut impl Write,
    report: &Report,
    came_back: bool,
    seen: Option<&Ended>,
) -> io::Result<()> {
    let Some(outcome) = report.outcome else {
        return Ok(());
    };
    let address = report
        .address
        .map(|address| address.to_string())
        .unwrap_or_default();
    writeln!(out, "{BOLD}connected to {address}{BOLD:#}")?;
    line(out, "client", &format!("{outcome}: {}", explain(report, outcome)))?;
    let carried = format!(
        "{} of {} in the SYN",
        grouped(report.syn_bytes),
        bytes(report.first_bytes)
    );
    line(out, "", &carried)?;
    if let (Some(before), Some(true)) = (&report.cookie_before, report.cookie_replaced) {
        line(out, "", &format!("the cookie in the SYN: {before}"))?;
    }
    match (report.cookie_cached, &report.cookie) {
        (Some(true), Some(cookie)) => {
            line(out, "", &format!("the cookie for the next connection: {cookie}"))?;
        }
        (Some(false), _) => line(out, "", "no cookie for the next connection")?,
        _ => {}
    }
    if let Some(seen) = seen {
        line(out, "server", &arrival(&seen.arrived))?;
        let proof = proof(seen).unwrap_or_else(|| "ordinary handshake".to_owned());
        line(
            out,
            "",
            &format!(
                "{proof}; received {}, sent {}",
                bytes(seen.received),
                bytes(seen.sent)
            ),
        )?;
    }
    let first_byte = report.first_byte.map(time).unwrap_or_default();
    let answer = match (report.received, came_back) {
        (0, _) => "none".to_owned(),
        (_, true) => format!("the greeting came back after {first_byte}"),
        (received, false) => format!("{}, the first after {first_byte}", bytes(received)),
    };
    line(out, "answer", &answer)
}

/// What it comes to, and what to do next.
pub(super) fn conclusion(
    out: &mut impl Write,
    address: &Address,
    report: &Report,
    server_was_warned: bool,
) -> io::Result<()> {
    if let Some(failure) = &report.failure {
        writeln!(out, "{BAD}not connected:{BAD:#} {}", failure.message)?;
    } else {
        let (style, verdict) = match report.status() {
            Status::Works => (GOOD, "worked"),
            Status::Fails => (BAD, "did not work"),
            Status::Unusable => (BAD, "can't work from this machine"),
            Status::Inconclusive => (WARNING, "gave no clear result"),
        };
        writeln!(out, "{style}TCP Fast Open to {address} {verdict}{style:#}")?;
    }
    let hint = match server_was_warned && report.status() != Status::Works {
        true => Some("fix what the warning says, and run it again".into()),
        false => next_step(report),
    };
    hint.map_or(Ok(()), |hint| writeln!(out, "{HINT}hint:{HINT:#} {hint}"))
}

fn line(out: &mut impl Write, name: &str, value: &str) -> io::Result<()> {
    writeln!(out, "  {DIM}{name:<8}{DIM:#}{value}")
}
