//! The reports as a person reads them.

use std::io::{self, Write};

use super::report::{
    Action, Derived, Generated, KeyShown, Keys, ListenerKeys, Listeners, Report, Rotated, Server, Verdict,
    Verified,
};
use anstyle::Style;

use crate::style::{BAD, BOLD, DIM, GOOD, WARNING};
use crate::{printable, units, width};

pub(super) fn report(report: &Report, out: &mut impl Write) -> io::Result<()> {
    match report {
        Report::Generated(generated) => self::generated(generated, out),
        Report::Keys(keys) => self::keys(keys, out),
        Report::Listeners(listeners) => self::listeners(listeners, out),
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
    pair(primary, keys.backup.as_ref(), out)?;
    replaced(keys.replaced.as_deref(), out)?;
    overriding(keys, out)
}

/// The listeners that the keys above are not for.
fn overriding(keys: &Keys, out: &mut impl Write) -> io::Result<()> {
    if !keys.overridden_by.is_empty() {
        writeln!(out, "These listeners have keys of their own instead:")?;
    }
    let mut lines: Vec<String> = keys.overridden_by.iter().map(one_line).collect();
    lines.dedup();
    lines.iter().try_for_each(|line| writeln!(out, "  {line}"))?;
    match keys.unknown_listeners {
        0 => Ok(()),
        many => writeln!(
            out,
            "{WARNING}unknown:{WARNING:#} {} with Fast Open may have keys of their own, and only root can tell",
            units::count(many as u64, "listener", "listeners")
        ),
    }
}

fn pair(primary: &KeyShown, backup: Option<&KeyShown>, out: &mut impl Write) -> io::Result<()> {
    let mut line = |name: &str, key: &KeyShown| {
        writeln!(
            out,
            "{name}  {BOLD}{}{BOLD:#}  {DIM}fingerprint {}{DIM:#}",
            key.key.0.as_str(),
            key.fingerprint
        )
    };
    line("primary", primary)?;
    match backup {
        Some(backup) => line("backup ", backup),
        None => writeln!(out, "backup   none"),
    }
}

fn replaced(fingerprints: Option<&[String]>, out: &mut impl Write) -> io::Result<()> {
    fingerprints.map_or(Ok(()), |before| {
        writeln!(
            out,
            "{DIM}in place of{DIM:#} those with the fingerprint {}",
            before.join(",")
        )
    })
}

/// A SO_REUSEPORT group is told once as long as its sockets are alike.
fn listeners(listeners: &Listeners, out: &mut impl Write) -> io::Result<()> {
    let mut told: Vec<String> = Vec::new();
    for listener in &listeners.listeners {
        let mut text = Vec::new();
        match (listeners.action, &listener.primary) {
            (Action::Fingerprint, Some(_)) => writeln!(text, "{}", fingerprints(listener))?,
            (Action::Fingerprint, None) => writeln!(text, "none")?,
            (_, Some(primary)) => {
                writeln!(text, "{BOLD}{}{BOLD:#}{}", listener.address, owner(listener))?;
                pair(primary, listener.backup.as_ref(), &mut text)?;
                replaced(listener.replaced.as_deref(), &mut text)?;
            }
            (_, None) => writeln!(
                text,
                "{BOLD}{}{BOLD:#}{}\nnone of its own: it uses those of its network namespace (tfo keys show)",
                listener.address,
                owner(listener)
            )?,
        }
        if listener.queue == Some(0) && listeners.action != Action::Fingerprint {
            writeln!(
                text,
                "{WARNING}off:{WARNING:#} it does not use Fast Open; to switch it on: sudo tfo enable {}",
                listener.address
            )?;
        }
        let text = String::from_utf8_lossy(&text).into_owned();
        if !told.contains(&text) {
            out.write_all(text.as_bytes())?;
            told.push(text);
        }
    }
    Ok(())
}

fn one_line(listener: &ListenerKeys) -> String {
    format!(
        "{}{}: fingerprint {}",
        listener.address,
        owner(listener),
        fingerprints(listener)
    )
}

fn fingerprints(listener: &ListenerKeys) -> String {
    [&listener.primary, &listener.backup]
        .into_iter()
        .flatten()
        .map(|key| key.fingerprint.as_str())
        .collect::<Vec<_>>()
        .join(",")
}

fn owner(listener: &ListenerKeys) -> String {
    match &listener.processes[..] {
        [] => String::new(),
        [owner, ..] => format!(" ({})", printable::printable(&owner.name)),
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
    let listeners = match rotated.listeners {
        0 => String::new(),
        count => format!(" and on {}", units::count(count as u64, "listener", "listeners")),
    };
    writeln!(
        out,
        "{} keys set ({}) in {places}{listeners}: fingerprints {}; next change {next}",
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
        let style = style_of(*verdict);
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
    if let Some(together) = &verified.together {
        let style = style_of(together.verdict);
        writeln!(
            out,
            "{BOLD}these addresses{BOLD:#}  {style}{}{style:#}",
            words(together.verdict)
        )?;
        for line in width::wrap(&together.evidence, columns - 2) {
            writeln!(out, "  {line}")?;
        }
    }
    Ok(())
}

fn style_of(verdict: Verdict) -> Style {
    match verdict {
        Verdict::Agrees | Verdict::AddressTranslation | Verdict::RotatesTogether => GOOD,
        Verdict::CantTell => WARNING,
        _ => BAD,
    }
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
        Verdict::RotatesTogether => "change their keys at the same time",
        Verdict::RotatesApart => "do not change their keys at the same time",
        Verdict::NoFastOpen => "no Fast Open",
        Verdict::Unreachable => "no connection",
        Verdict::CantTell => "can't tell",
    }
}
