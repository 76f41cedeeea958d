//! The report as a person reads it.

use std::collections::BTreeMap;
use std::io::{self, Write};

use anstyle::Style;

use super::report::{AddressReport, ConnectionReport, Report};
use super::saving::Saving;
use super::verdict::Verdict;
use crate::status::Status;
use crate::style::{BAD, BOLD, DIM, GOOD, WARNING};
use crate::timed::Way;
use crate::units::{bytes, time};
use crate::width::{display, hang, wrap};

/// How far the later lines of a headline are indented.
const INDENT: &str = "    ";

/// All of it, in so many columns.
pub(super) fn full(out: &mut impl Write, report: &Report, columns: usize) -> io::Result<()> {
    let style = style(report.status());
    let headline = format!(
        "{BOLD}{}{BOLD:#}  {style}{}{style:#}",
        printable(&report.target),
        headline(report)
    );
    let lines = wrap(&headline, columns.saturating_sub(INDENT.len()));
    writeln!(out, "{}", lines.join(&format!("\n{INDENT}")))?;
    for address in &report.addresses {
        self::address(out, report, address, columns)?;
    }
    if report.interrupted {
        writeln!(out, "\n{WARNING}interrupted:{WARNING:#} results up to then")?;
    }
    Ok(())
}

/// One line; several where a terminal of so many columns has no room for it.
pub(super) fn line(out: &mut impl Write, report: &Report, columns: Option<usize>) -> io::Result<()> {
    let style = style(report.status());
    let which = format!(
        "{style}{:<14}{style:#} {BOLD}{}{BOLD:#}",
        verdict_name(report),
        printable(&report.target)
    );
    let summary = summary(report);
    match columns {
        Some(columns) if display(&which) + 2 + display(&summary) > columns => {
            writeln!(out, "{which}")?;
            let room = columns.saturating_sub(INDENT.len());
            wrap(&summary, room)
                .iter()
                .try_for_each(|line| writeln!(out, "{INDENT}{line}"))
        }
        _ => writeln!(out, "{which}  {summary}"),
    }
}

/// Text from elsewhere, which must not steer the terminal.
fn printable(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}

fn verdict_name(report: &Report) -> &'static str {
    match (report.verdict, &report.error) {
        (Some(verdict), _) => verdict.name(),
        (None, Some(_)) => "unusable",
        (None, None) if report.addresses.is_empty() => Verdict::Inconclusive.name(),
        (None, None) => "mixed",
    }
}

fn headline(report: &Report) -> String {
    match (report.verdict, &report.error) {
        (_, Some(error)) => error.clone(),
        (Some(verdict), _) => match (verdict, best_saving(report)) {
            (Verdict::Works, Some(saving)) => format!("works: {}", saved(saving)),
            _ => format!("{}: {}", verdict.name(), verdict.in_words()),
        },
        _ => verdict_name(report).to_owned(),
    }
}

fn summary(report: &Report) -> String {
    match (report.verdict, &report.error) {
        (_, Some(error)) => error.clone(),
        (Some(Verdict::Works), _) => best_saving(report).map(saved).unwrap_or_default(),
        (Some(_), _) => report
            .addresses
            .first()
            .map_or_else(String::new, |address| address.says.clone()),
        (None, None) => report
            .addresses
            .iter()
            .map(|address| format!("{} {}", address.address, address.verdict.name()))
            .collect::<Vec<_>>()
            .join(", "),
    }
}

/// Of the address whose number of connections says most, or the first of them.
fn best_saving(report: &Report) -> Option<&Saving> {
    report
        .addresses
        .iter()
        .find_map(|address| address.saving.as_ref())
}

fn saved(saving: &Saving) -> String {
    let Saving { saved_ms, .. } = *saving;
    match (saving.low_ms, saving.high_ms) {
        (Some(low), Some(high)) if low <= 0.0 && high >= 0.0 => {
            format!(
                "no difference in time is seen (95 % interval {} to {})",
                ms(low),
                ms(high)
            )
        }
        (Some(low), Some(high)) => {
            let (by, word) = sooner(saved_ms);
            format!(
                "the answer comes {by} {word} (95 % interval {} to {})",
                ms(low),
                ms(high)
            )
        }
        _ => {
            let (by, word) = sooner(saved_ms);
            format!("the answer comes {by} {word} (too few connections for an interval)")
        }
    }
}

fn sooner(saved_ms: f64) -> (String, &'static str) {
    match saved_ms < 0.0 {
        true => (ms(-saved_ms), "later"),
        false => (ms(saved_ms), "sooner"),
    }
}

/// Milliseconds, which may be negative.
fn ms(milliseconds: f64) -> String {
    let sign = if milliseconds < 0.0 { "-" } else { "" };
    let text = time(std::time::Duration::from_secs_f64(milliseconds.abs() / 1000.0));
    format!("{sign}{text}")
}

fn address(out: &mut impl Write, report: &Report, address: &AddressReport, columns: usize) -> io::Result<()> {
    let (style, verdict) = (style(address.verdict.status()), address.verdict);
    writeln!(
        out,
        "\n  {BOLD}{}{BOLD:#}  {style}{}{style:#}",
        address.address,
        verdict.name()
    )?;
    let mut row = |name: &str, text: String| match text.is_empty() {
        true => Ok(()),
        false => writeln!(
            out,
            "{}",
            hang(&format!("    {DIM}{name:<12}{DIM:#} "), &text, columns)
        ),
    };
    if report.verdict != Some(verdict) || verdict == Verdict::Works {
        row("this means", verdict.in_words().to_owned())?;
    }
    for (place, cause) in address.because.iter().enumerate() {
        row(if place == 0 { "because" } else { "or" }, cause.clone())?;
        if let Some(Some(evidence)) = address.decided_by.get(place) {
            row("", format!("{DIM}which would show in {evidence}{DIM:#}"))?;
        }
    }
    for note in &address.notes {
        row("note", note.clone())?;
    }
    row("next", address.advice.clone().unwrap_or_default())?;
    if let Some(saving) = &address.saving {
        row("first byte", medians(saving))?;
        row("difference", saved(saving))?;
    }
    row("fast", tally(address, Way::Fast))?;
    row("plain", tally(address, Way::Plain))?;
    row("sent first", sent(report, address))?;
    row("cookie", cookie(address))?;
    row("odd keys", odd_keys(address))?;
    row("round trip", address.rtt.map(time).unwrap_or_default())?;
    row("counters", counters(address))?;
    row("seen in", address.sources.join(", "))
}

fn medians(saving: &Saving) -> String {
    let Saving { fast, plain, .. } = saving;
    format!(
        "{} fast, {} plain (medians of {fast} and {plain})",
        ms(saving.fast_median_ms),
        ms(saving.plain_median_ms)
    )
}

/// What became of all connections of a kind, the frequent first.
fn tally(address: &AddressReport, way: Way) -> String {
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for connection in address
        .connections
        .iter()
        .filter(|connection| connection.way == way)
    {
        *kinds.entry(describe(connection)).or_default() += 1;
    }
    let mut kinds: Vec<_> = kinds.into_iter().collect();
    kinds.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let parts: Vec<_> = kinds
        .into_iter()
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    parts.join(", ")
}

fn describe(connection: &ConnectionReport) -> String {
    use super::report::End::{
        Answered, Closed, NoRoute, NotPermitted, NotPossible, Refused, Reset, Silent, Unanswered,
    };
    let end = match connection.end {
        Answered => "answered",
        Closed => "closed without an answer",
        Reset => "reset after the handshake",
        Silent => "silent after the handshake",
        Refused => "refused",
        Unanswered => "without any answer",
        NoRoute => "unreachable",
        NotPermitted => "not permitted by this system",
        NotPossible => "not possible on this system",
    };
    let repeated = match (connection.way, connection.syn_repeated) {
        (Way::Plain, Some(true)) => ", with a second SYN",
        _ => "",
    };
    match (connection.way, connection.outcome) {
        (Way::Fast, Some(outcome)) if connection.end == Answered => outcome.to_owned(),
        (Way::Fast, Some(outcome)) => format!("{outcome} and {end}"),
        _ => format!("{end}{repeated}"),
    }
}

fn sent(report: &Report, address: &AddressReport) -> String {
    let all = bytes(report.first_bytes as u64);
    let room = address
        .connections
        .iter()
        .map(|connection| connection.syn_bytes)
        .max();
    let fits = match (address.fits, room) {
        (Some(true), _) => ", all of it in the SYN".to_owned(),
        (Some(false), Some(room)) => {
            format!(
                ", of which the SYN has room for {room}: a server that needs the rest to answer saves no round trip"
            )
        }
        _ => String::new(),
    };
    format!("{} ({all}){fits}", report.request)
}

fn cookie(address: &AddressReport) -> String {
    match (&address.cookie, address.cookie_granted) {
        (Some(cookie), true) => format!("{cookie} granted now"),
        (Some(cookie), false) => format!("{cookie} known from before"),
        (None, _) => String::new(),
    }
}

fn odd_keys(address: &AddressReport) -> String {
    match address.odd_key_would_show {
        Some(share) if address.verdict == Verdict::Works => format!(
            "none seen; had a third of the servers behind the address another key, the probability to see it was {:.0} %",
            100.0 * share
        ),
        _ => String::new(),
    }
}

fn counters(address: &AddressReport) -> String {
    let risen = address.counters.iter().flatten();
    let parts: Vec<_> = risen.map(|rise| format!("{} +{}", rise.name, rise.by)).collect();
    parts.join(", ")
}

fn style(status: Status) -> Style {
    match status {
        Status::Works => GOOD,
        Status::Fails => BAD,
        Status::Unusable | Status::Inconclusive => WARNING,
    }
}
