//! The report as a person reads it.

use std::io::{self, Write};
use std::time::Duration;

use super::histogram::Histogram;
use super::reliability::Reliability;
use super::report::{Report, Times, Verdict};
use crate::status::Status;
use crate::style::{BAD, BOLD, DIM, GOOD, WARNING};
use crate::units::{bytes, count, time};
use crate::width::{hang, wrap};

/// How many rows a histogram has, about.
const ROWS: usize = 24;
/// How long its longest bar is, where there is room.
const BAR: usize = 28;

/// How far the later lines of the headline are indented.
const INDENT: &str = "    ";

/// Prints it in so many columns.
pub(super) fn print<W: Write>(out: &mut W, report: &Report, columns: usize) -> io::Result<()> {
    let style = match report.status() {
        Status::Works => GOOD,
        Status::Fails => BAD,
        Status::Unusable | Status::Inconclusive => WARNING,
    };
    let headline = format!(
        "{BOLD}{}{BOLD:#}  {style}{}{style:#}",
        report.target,
        conclusion(report)
    );
    let lines = wrap(&headline, columns.saturating_sub(INDENT.len()));
    writeln!(out, "{}", lines.join(&format!("\n{INDENT}")))?;
    let row = |out: &mut W, name: &str, text: &str| {
        let text = hang(&format!("  {DIM}{name:<11}{DIM:#} "), text, columns);
        writeln!(out, "{text}")
    };
    if let Some(address) = report.address {
        let size = bytes(report.first_bytes as u64);
        writeln!(out)?;
        row(out, "to", &format!("{address}, {} ({size})", report.request))?;
    }
    for (name, times) in [("plain", report.plain), ("fast", report.fast)] {
        if let Some(times) = times {
            let [middle, tails] = spread(times);
            row(out, name, &middle)?;
            row(out, "", &tails)?;
        }
    }
    if let Some(ratio) = report.ratio {
        let text = format!(
            "{:.3} (95 % interval {:.3} to {:.3})",
            ratio.estimate, ratio.low, ratio.high
        );
        row(out, "fast/plain", &text)?;
    }
    if !report.pairs.is_empty() {
        row(out, "pairs", &pairs(report))?;
        row(out, "trouble", &trouble(report))?;
    }
    histogram(out, report, columns)?;
    match report.interrupted {
        true => writeln!(out, "\n{WARNING}interrupted:{WARNING:#} results up to then"),
        false => Ok(()),
    }
}

/// What it came to, in a sentence.
pub(super) fn conclusion(report: &Report) -> String {
    let saved = report.saved_ms.map(|saved| match report.verdict {
        Verdict::Later => (ms(-saved.estimate), ms(-saved.high), ms(-saved.low)),
        _ => (ms(saved.estimate), ms(saved.low), ms(saved.high)),
    });
    match (report.verdict, saved) {
        (Verdict::Sooner, Some((by, low, high))) => {
            let trouble = in_passing(report);
            format!("answers come {by} sooner with Fast Open (95 % interval {low} to {high}){trouble}")
        }
        (Verdict::Later, Some((by, low, high))) => {
            let trouble = in_passing(report);
            format!("answers come {by} later with Fast Open (95 % interval {low} to {high}){trouble}")
        }
        (Verdict::NoDifference, Some((_, low, high))) => {
            let trouble = in_passing(report);
            format!("no difference: Fast Open saves between {low} and {high} (95 % interval){trouble}")
        }
        (Verdict::LessReliable, _) => {
            format!("Fast Open fails more often: {}", compared(report))
        }
        (Verdict::PerhapsLessReliable, _) => {
            format!(
                "Fast Open may fail more often: {}; more pairs would tell, as with -n {}",
                compared(report),
                4 * report.wanted
            )
        }
        (Verdict::NotAccepted, _) => {
            format!(
                "no fast connection was accepted; to find out why: tfo probe {}",
                report.target
            )
        }
        (Verdict::Unreachable, _) => report
            .failure
            .clone()
            .unwrap_or_else(|| "nothing was measured".to_owned()),
        _ => "too few pairs to say anything".to_owned(),
    }
}

/// What went wrong on both sides, at the end of a sentence about times.
fn in_passing(report: &Report) -> String {
    match report.reliability.is_spotless() {
        true => String::new(),
        false => format!("; in trouble: {}", both_sides(report)),
    }
}

fn both_sides(report: &Report) -> String {
    let Reliability { plain, fast, .. } = &report.reliability;
    format!(
        "{}, {}",
        fast.in_words("fast connections"),
        plain.in_words("plain ones")
    )
}

fn compared(report: &Report) -> String {
    let percent = |share: f64| format!("{:.0}", 100.0 * share);
    let interval = report.reliability.difference.map_or_else(String::new, |range| {
        format!(
            "; {} points more, 95 % interval {} to {}",
            percent(range.estimate),
            percent(range.low),
            percent(range.high)
        )
    });
    format!("{}{interval}", both_sides(report))
}

fn trouble(report: &Report) -> String {
    match report.reliability.is_spotless() {
        true => "none: no connection failed, no SYN was lost".to_owned(),
        false => compared(report),
    }
}

fn spread(times: Times) -> [String; 2] {
    [
        format!("median {}, mean {}", ms(times.median_ms), ms(times.mean_ms)),
        format!(
            "p10 {}, p90 {}, p99 {}",
            ms(times.p10_ms),
            ms(times.p90_ms),
            ms(times.p99_ms)
        ),
    ]
}

fn pairs(report: &Report) -> String {
    let complete = count(report.complete as u64, "pair", "pairs");
    let (accepted, all) = (report.accepted, report.pairs.len());
    let lacking = all - report.complete;
    if lacking == 0 {
        return format!("{complete} answered, {accepted} of the fast connections accepted");
    }
    let mut text = format!(
        "{complete} answered on both sides, {accepted} of the fast connections in them accepted, {lacking} not answered on both: their \
         times are left out"
    );
    if report.accepted_in_all > accepted {
        text.push_str(&format!(
            "; of all {all} fast connections {} were accepted, answered or not",
            report.accepted_in_all
        ));
    }
    text
}

fn histogram(out: &mut impl Write, report: &Report, columns: usize) -> io::Result<()> {
    let histogram = Histogram::new(&report.times(), ROWS);
    let tallest = histogram.tallest().max(1);
    // Label, bar and count of both sides.
    let longest = (columns.saturating_sub(2 + 11 + 1 + 1) / 2)
        .saturating_sub(5)
        .clamp(1, BAR);
    let width = longest + 5;
    if histogram.bins.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "\n  {DIM}{:<11} {:<width$} fast{DIM:#}",
        "first byte", "plain"
    )?;
    let bar = |count: usize| match count {
        0 => String::new(),
        count => format!("{} {count}", "█".repeat((count * longest).div_ceil(tallest))),
    };
    let mut gap = 0;
    for bin in &histogram.bins {
        let label = ms(bin.from);
        gap = if bin.first + bin.second == 0 { gap + 1 } else { 0 };
        match (bin.second, bin.first) {
            _ if gap > 1 => {}
            (0, 0) => writeln!(out, "  {DIM}⋮{DIM:#}")?,
            (plain, 0) => writeln!(out, "  {label:<11} {}", bar(plain))?,
            (plain, fast) => {
                writeln!(
                    out,
                    "  {label:<11} {:<width$} {GOOD}{}{GOOD:#}",
                    bar(plain),
                    bar(fast)
                )?;
            }
        }
    }
    Ok(())
}

/// Milliseconds, which may be negative.
fn ms(milliseconds: f64) -> String {
    let sign = if milliseconds < 0.0 { "-" } else { "" };
    format!(
        "{sign}{}",
        time(Duration::from_secs_f64(milliseconds.abs() / 1000.0))
    )
}

#[cfg(test)]
mod tests {
    use super::super::report::sample;
    use super::*;

    fn printed(report: &Report) -> String {
        let mut text = Vec::new();
        print(&mut anstream::StripStream::new(&mut text), report, 80).unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn sooner() {
        insta::assert_snapshot!(printed(&sample(
            (0..50).map(|n| (20.0 + f64::from(n % 5) / 4.0, 40.0 + f64::from(n % 7) / 3.0))
        )));
    }

    #[test]
    fn no_difference() {
        insta::assert_snapshot!(printed(&sample(
            (0..20).map(|n| (20.0 + f64::from(n % 5), 20.0 + f64::from((n + 2) % 5)))
        )));
    }

    #[test]
    fn which_connections_are_counted_is_said() {
        let told = |fast_too: bool, outcome| {
            let mut report = sample([(20.0, 40.0); 20]);
            for pair in &mut report.pairs[..4] {
                (pair.fast, pair.outcome) = (None, outcome);
                if fast_too {
                    pair.plain = None;
                }
            }
            report.conclude(&mut crate::stats::Random::new(1));
            pairs(&report)
        };
        assert_eq!(
            told(false, Some("accepted")),
            "16 pairs answered on both sides, 16 of the fast connections in them accepted, 4 not answered on both: their times are left \
             out; of all 20 fast connections 20 were accepted, answered or not"
        );
        assert_eq!(
            told(true, None),
            "16 pairs answered on both sides, 16 of the fast connections in them accepted, 4 not answered on both: their times are left out"
        );
        assert_eq!(
            pairs(&sample([(20.0, 40.0); 20])),
            "20 pairs answered, 20 of the fast connections accepted"
        );
    }

    #[test]
    fn it_fits_the_terminal() {
        for columns in [40, 60, 80, 120] {
            let mut text = Vec::new();
            let report = sample((0..50).map(|n| (20.0 + f64::from(n % 5) / 4.0, 40.0 + f64::from(n))));
            print(&mut anstream::StripStream::new(&mut text), &report, columns).unwrap();
            let text = String::from_utf8(text).unwrap();
            let widest = text.lines().map(crate::width::display).max().unwrap();
            assert!(widest <= columns, "{widest} of {columns}:\n{text}");
        }
    }
}
