//! The reports as a person reads them.

use std::io::{self, Write};

use super::report::{Action, Derived, Generated, KeyShown, Keys, Report, Rotated, Server, Verdict, Verified};
use crate::style::{BAD, BOLD, DIM, GOOD, WARNING};
use crate::{printable, width};

pub(super) fn report(report: &Report, out: &mut impl Write) -> io::Result<()> {
    match report {
        Report::Generated(generated) => self::generated(generated, out),
        Report::Keys(keys) => self::keys(keys, out),
        Report::Derived(derived) => self::derived(derived, out),
        Report::Rotated(rotated) => self::rotated(rotated, out),
        Report::Verified(verified) => self::verified(verified, out),
        // The error is printed where those of every command are.
        Report::Failed(_) => Ok(()),
    }
}

fn generated(generated: &Generated, out: &mut impl Write) -> io::Result<()> {
    if let Some(key) = &generated.key {
        writeln!(out, "{}", key.0.as_str())?;
    }
    if let Some(file) = &generated.file {
        writeln!(out, "A new secret is in {file}, which its owner alone can read.")?;
    }
    Ok(())
}

fn keys(keys: &Keys, out: &mut impl Write) -> io::Result<()> {
    let Some(primary) = &keys.primary else {
        return match keys.action {
            Action::Fingerprint => writeln!(out, "none"),
            _ => writeln!(
                out,
                "none: the kernel makes a key of its own when the first listener uses Fast Open, and another one after the next boot"
            ),
        };
    };
    if keys.action == Action::Fingerprint {
        let backup = keys
            .backup
            .as_ref()
            .map_or_else(String::new, |key| format!(",{}", key.fingerprint));
        return writeln!(out, "{}{backup}", primary.fingerprint);
    }
    let mut line = |name: &str, key: &KeyShown| {
        writeln!(
            out,
            "{name}  {BOLD}{}{BOLD:#}  {DIM}fingerprint {}{DIM:#}",
            key.key.0.as_str(),
            key.fingerprint
        )
    };
    line("primary", primary)?;
    match &keys.backup {
        Some(backup) => line("backup ", backup),
        None => writeln!(out, "backup   none"),
    }
}

fn derived(derived: &Derived, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{}", derived.keys.0.as_str())
}

fn rotated(rotated: &Rotated, out: &mut impl Write) -> io::Result<()> {
    rotated_line(rotated, out)?;
    for failure in &rotated.failures {
        writeln!(out, "{BAD}not set:{BAD:#} {}", printable::lines(failure))?;
    }
    Ok(())
}

/// A line of the service's.
pub(super) fn rotated_line(rotated: &Rotated, out: &mut impl Write) -> io::Result<()> {
    let next = rotated.next_change.as_deref().unwrap_or("unknown");
    let places = match rotated.namespaces {
        1 => "1 network namespace".to_owned(),
        count => format!("{count} network namespaces"),
    };
    writeln!(
        out,
        "{} keys set ({}) in {places}: fingerprints {}; next change {next}",
        rotated.time,
        rotated.cause,
        rotated.fingerprints.join(",")
    )?;
    out.flush()
}

fn verified(verified: &Verified, out: &mut impl Write) -> io::Result<()> {
    let columns = width::of_stdout();
    for server in &verified.servers {
        let Server {
            target,
            verdict,
            evidence,
            ..
        } = server;
        let style = match verdict {
            Verdict::Agrees => GOOD,
            Verdict::CantTell => WARNING,
            _ => BAD,
        };
        let told = match server.periods {
            Some(periods) => {
                let count = periods.unsigned_abs();
                let noun = if count == 1 { "period" } else { "periods" };
                format!("{count} {noun} {}", words(*verdict))
            }
            None => words(*verdict).to_owned(),
        };
        writeln!(
            out,
            "{BOLD}{}{BOLD:#}  {style}{told}{style:#}",
            printable::printable(target)
        )?;
        for line in width::wrap(evidence, columns - 2) {
            writeln!(out, "  {line}")?;
        }
    }
    Ok(())
}

/// The verdict in words.
pub(super) fn words(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Agrees => "agrees",
        Verdict::Behind => "behind",
        Verdict::Ahead => "ahead",
        Verdict::OwnKey => "its own key",
        Verdict::Disagrees => "its members disagree",
        Verdict::AddressTranslation => "address translation in between",
        Verdict::NoFastOpen => "no Fast Open",
        Verdict::Unreachable => "no connection",
        Verdict::CantTell => "can't tell",
    }
}
