//! The report, drawn for people.

use std::io::{self, Write};

use super::apply::Applied;
use super::finding::{Finding, Fix, Level};
use super::place::{Place, SYSCTL_FILE};
use super::report::{CookieEntry, CounterValue, Listener, Report};
use crate::style::{BAD, BOLD, DIM, GOOD, HINT, WARNING};
use crate::width::{display, hang, row, wrap};

/// What is below a finding's sentence begins in the sentence's column.
const INDENT: &str = "         ";
/// Lists longer than this are cut in the text; `--json` has them whole.
const SHOWN: usize = 20;

/// Writes the whole report, with lines of so many columns. Commands and addresses stay whole.
pub(super) fn text(report: &Report, columns: usize, out: &mut impl Write) -> io::Result<()> {
    for finding in &report.findings {
        self::finding(finding, columns, out)?;
    }
    section(
        "Listeners",
        &report.listeners,
        |item| listener(item, columns),
        out,
    )?;
    section("Counters", &report.counters, |item| counter(item, columns), out)?;
    section("Cookies", &report.cookies, |item| cookie(item, columns), out)?;
    summary(report, columns, out)
}

fn finding(finding: &Finding, columns: usize, out: &mut impl Write) -> io::Result<()> {
    let (word, style) = match finding.level {
        Level::Ok => ("ok", GOOD),
        Level::Note => ("note", HINT),
        Level::Warning => ("warning", WARNING),
        Level::Problem => ("problem", BAD),
    };
    let first = format!("{style}{word:>7}{style:#}  ");
    writeln!(out, "{}", hang(&first, &finding.sentence, columns))?;
    if finding.level > Level::Ok {
        for line in wrap(&finding.reason, columns.saturating_sub(INDENT.len())) {
            writeln!(out, "{INDENT}{DIM}{line}{DIM:#}")?;
        }
    }
    for advice in &finding.advice {
        writeln!(out, "{}", hang(&format!("{INDENT}- "), advice, columns))?;
    }
    match &finding.fix {
        Some(fix) => self::fix(fix, finding.level, columns, out),
        None => Ok(()),
    }
}

fn fix(fix: &Fix, level: Level, columns: usize, out: &mut impl Write) -> io::Result<()> {
    let label = match level {
        Level::Ok | Level::Note => "to change it",
        Level::Warning | Level::Problem => "fix",
    };
    let command = &fix.command;
    // The command stays whole, on a line of its own where there is little room.
    let room = |taken: usize| taken + display(command) <= columns;
    let before = match () {
        () if room(INDENT.len() + label.len() + 2) => " ".to_owned(),
        () if room(INDENT.len()) => format!("\n{INDENT}"),
        () => "\n  ".to_owned(),
    };
    writeln!(out, "{INDENT}{label}:{before}{BOLD}{command}{BOLD:#}")?;
    for persist in &fix.persist {
        let text = format!("{BOLD}{}{BOLD:#} in {}", persist.what, persist.place);
        writeln!(out, "{}", hang(&format!("{INDENT}permanently: "), &text, columns))?;
    }
    Ok(())
}

fn section<T>(title: &str, items: &[T], draw: impl Fn(&T) -> String, out: &mut impl Write) -> io::Result<()> {
    if items.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{BOLD}{title}{BOLD:#}")?;
    for item in items.iter().take(SHOWN) {
        writeln!(out, "{}", draw(item))?;
    }
    match items.len().checked_sub(SHOWN) {
        Some(more @ 1..) => writeln!(out, "  {DIM}… and {more} more: tfo doctor --json{DIM:#}"),
        _ => Ok(()),
    }
}

fn listener(listener: &Listener, columns: usize) -> String {
    let queue = match listener.fast_open_queue {
        Some(0) => "plain".to_owned(),
        Some(length) => format!("fast, queue {length}"),
        None => "unknown".to_owned(),
    };
    let backlog = listener
        .backlog
        .map_or_else(String::new, |backlog| format!("backlog {backlog}"));
    let processes: Vec<_> = listener
        .processes
        .iter()
        .take(3)
        .map(|process| format!("{} ({})", process.name, process.pid))
        .collect();
    let (address, processes) = (listener.address.to_string(), processes.join(", "));
    let cells = [
        (&address[..], 26),
        (&queue, 17),
        (&backlog, 13),
        (&processes, display(&processes)),
    ];
    row(&cells, columns)
}

/// A counter, its value and what it means: beside it, or below it where there is little room.
fn counter(counter: &CounterValue, columns: usize) -> String {
    const BESIDE: usize = 70;
    if columns < BESIDE {
        let meaning = hang("      ", counter.meaning, columns);
        return format!("  {}  {}\n{DIM}{meaning}{DIM:#}", counter.name, counter.value);
    }
    let first = format!("  {:<26} {:>10}  {DIM}", counter.name, counter.value);
    format!("{}{DIM:#}", hang(&first, counter.meaning, columns))
}

fn cookie(entry: &CookieEntry, columns: usize) -> String {
    let cookie = entry.cookie.as_deref().unwrap_or("none");
    let mss = entry.mss.map_or_else(String::new, |mss| format!("MSS {mss}"));
    let drops = match entry.syn_drops {
        0 => String::new(),
        drops => format!("{drops} lost in a row"),
    };
    let destination = entry.destination.to_string();
    let cells = [
        (&destination[..], 26),
        (cookie, 17),
        (&mss, 13),
        (&drops, display(&drops)),
    ];
    row(&cells, columns)
}

fn summary(report: &Report, columns: usize, out: &mut impl Write) -> io::Result<()> {
    let (problems, warnings) = (report.count(Level::Problem), report.count(Level::Warning));
    writeln!(out)?;
    for Applied { setting, value } in &report.fixes {
        let text = format!("Changed {setting} to {value}, {}.", report.place.lifetime());
        writeln!(out, "{}", hang("", &text, columns))?;
    }
    match (problems, warnings) {
        (0, 0) => writeln!(out, "{BOLD}No problem, no warning.{BOLD:#}")?,
        (0, _) => writeln!(out, "{BOLD}No problem, {}.{BOLD:#}", count(warnings, "warning"))?,
        _ => writeln!(
            out,
            "{BOLD}{}, {}.{BOLD:#}",
            count(problems, "problem"),
            count(warnings, "warning")
        )?,
    }
    if automatic(report).next().is_some() {
        let sudo = report.place.sudo();
        writeln!(out, "All fixes at once: {BOLD}{sudo}tfo doctor --fix{BOLD:#}")?;
    }
    keep(report, columns, out)
}

/// What `--fix` would do.
fn automatic(report: &Report) -> impl Iterator<Item = &Fix> {
    let fixes = report.findings.iter().filter_map(|finding| finding.fix.as_ref());
    fixes.filter(|fix| fix.automatic)
}

/// What makes it last: what `--fix` did, and what it would do.
fn keep(report: &Report, columns: usize, out: &mut impl Write) -> io::Result<()> {
    let done = report
        .fixes
        .iter()
        .flat_map(|applied| report.place.persist(&applied.setting, &applied.value));
    let mut entries: Vec<_> = Vec::new();
    for entry in done.chain(automatic(report).flat_map(|fix| fix.persist.clone())) {
        if !entries.contains(&entry) {
            entries.push(entry);
        }
    }
    if entries.is_empty() {
        return Ok(());
    }
    writeln!(out, "To make it permanent:")?;
    if report.place != Place::Machine {
        for entry in &entries {
            let text = format!("{BOLD}{}{BOLD:#} in {}", entry.what, entry.place);
            writeln!(out, "{}", hang("  ", &text, columns))?;
        }
        return Ok(());
    }
    // A line that ends with a backslash continues on the next one, for the shell.
    let lines: Vec<_> = entries.iter().map(|entry| format!("'{}'", entry.what)).collect();
    writeln!(
        out,
        "  {BOLD}printf '%s\\n' {} |{BOLD:#}\n  {BOLD}  sudo tee -a {SYSCTL_FILE}{BOLD:#}",
        lines.join(" \\\n    ")
    )
}

fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

#[cfg(test)]
mod tests {
    use super::super::facts::Facts;
    use super::super::sample::{self, held};
    use super::super::{findings, report};
    use super::*;

    fn drawn(facts: &Facts) -> String {
        drawn_in(facts, 100)
    }

    fn drawn_in(facts: &Facts, columns: usize) -> String {
        let report = report::Report::new(facts, findings::of(facts));
        let mut out = anstream::StripStream::new(Vec::new());
        text(&report, columns, &mut out).unwrap();
        String::from_utf8(out.into_inner()).unwrap()
    }

    #[test]
    fn each_kind_of_machine_is_drawn() {
        insta::assert_snapshot!("ready", drawn(&sample::ready()));
        insta::assert_snapshot!("stock", drawn(&sample::stock()));
        insta::assert_snapshot!("troubled", drawn(&sample::troubled()));
        insta::assert_snapshot!("ancient", drawn(&sample::ancient()));
        insta::assert_snapshot!("pod", drawn(&sample::pod()));
        insta::assert_snapshot!("ready-in-50-columns", drawn_in(&sample::ready(), 50));
    }

    #[test]
    fn long_lists_are_cut() {
        let mut facts = sample::ready();
        facts.listeners = Ok(vec![held("0.0.0.0:443", 256, 1); 1000]);
        let drawn = drawn(&facts);
        assert!(drawn.contains("… and 980 more"), "{drawn}");
        assert!(drawn.lines().count() < 100);
    }

    #[test]
    fn lines_fit_the_terminal_but_for_what_must_stay_whole() {
        let mut facts = sample::troubled();
        let long = "[2001:db8:1234:5678:9abc:def0:1234:5678]:65535";
        facts.listeners = Ok(vec![held(long, 5, 1)]);
        for columns in 40..=120 {
            for facts in [&facts, &sample::pod()] {
                for line in drawn_in(facts, columns).lines() {
                    // A single word, a command, or a name and its number.
                    let whole = line.trim().split(' ').count() <= 2
                        || line.starts_with("  sysctl -w")
                        || line.starts_with("  sudo sysctl -w")
                        || line.contains("sudo te")
                        || line.trim_start().starts_with('\'')
                        || line.contains("printf");
                    assert!(whole || display(line) <= columns, "{columns}: {line}");
                }
            }
        }
    }

    /// The commands that are printed, given to a shell that has another file and no root.
    #[test]
    fn the_command_that_makes_it_permanent_works() {
        let drawn = drawn_in(&sample::troubled(), 80);
        let (_, command) = drawn.split_once("To make it permanent:\n").unwrap();
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("60-fastopen.conf");
        let command = command
            .replace("sudo ", "")
            .replace(SYSCTL_FILE, file.to_str().unwrap());
        let output = std::process::Command::new("sh").args(["-ec", &command]).output();
        assert!(output.unwrap().status.success(), "{command}");
        assert_eq!(
            std::fs::read_to_string(file).unwrap(),
            "net.ipv4.tcp_fastopen = 3847\nnet.ipv4.tcp_syncookies = 1\n"
        );
    }

    #[test]
    fn what_was_changed_can_be_kept() {
        let facts = sample::ready();
        let mut report = report::Report::new(&facts, findings::of(&facts));
        report.fixes.push(Applied {
            setting: "net.ipv4.tcp_fastopen".to_owned(),
            value: "3".to_owned(),
        });
        let mut out = Vec::new();
        summary(&report, 80, &mut out).unwrap();
        let drawn = String::from_utf8(out).unwrap();
        assert!(
            drawn.starts_with("\nChanged net.ipv4.tcp_fastopen to 3, until the next boot.\n"),
            "{drawn}"
        );
        assert!(drawn.contains("'net.ipv4.tcp_fastopen = 3' |"), "{drawn}");
    }

    #[test]
    fn cookies_are_never_whole() {
        assert!(!drawn(&sample::ready()).contains("3021b9d889017eeb"));
    }
}
