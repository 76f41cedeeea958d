//! The report, drawn for people.

use std::io::{self, Write};

use super::finding::{Finding, Level, Persist, Remedy, SYSCTL_FILE};
use super::report::{CookieEntry, CounterValue, Listener, Report};
use crate::style::{BAD, BOLD, DIM, GOOD, WARNING};

/// Sentences are broken so that lines come no longer than this.
const WIDTH: usize = 100;
/// Lists longer than this are cut in the text; `--json` has them whole.
const SHOWN: usize = 20;

/// Writes the whole report.
pub(super) fn text(report: &Report, out: &mut impl Write) -> io::Result<()> {
    for finding in &report.findings {
        self::finding(finding, out)?;
    }
    section("Listeners", &report.listeners, listener, out)?;
    section("Counters", &report.counters, counter, out)?;
    section("Cookies", &report.cookies, cookie, out)?;
    summary(report, out)
}

fn finding(finding: &Finding, out: &mut impl Write) -> io::Result<()> {
    let (word, style) = match finding.level {
        Level::Ok => ("ok", GOOD),
        Level::Warning => ("warning", WARNING),
        Level::Problem => ("problem", BAD),
    };
    writeln!(out, "{style}{word:>7}{style:#}  {}", finding.sentence)?;
    if finding.level > Level::Ok {
        for line in wrapped(&finding.reason, WIDTH - 9) {
            writeln!(out, "         {DIM}{line}{DIM:#}")?;
        }
    }
    match &finding.remedy {
        Some(remedy) => self::remedy(remedy, out),
        None => Ok(()),
    }
}

fn remedy(remedy: &Remedy, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "         mend it: {BOLD}{}{BOLD:#}", remedy.command)?;
    let Persist { file, line } = &remedy.persist;
    writeln!(
        out,
        "         for good: {BOLD}{line}{BOLD:#} {DIM}in{DIM:#} {file}"
    )
}

fn section<T, W: Write>(
    title: &str,
    items: &[T],
    draw: impl Fn(&T, &mut W) -> io::Result<()>,
    out: &mut W,
) -> io::Result<()> {
    if items.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{BOLD}{title}{BOLD:#}")?;
    for item in items.iter().take(SHOWN) {
        draw(item, out)?;
    }
    match items.len().checked_sub(SHOWN) {
        Some(more @ 1..) => writeln!(out, "  {DIM}… and {more} more: tfo doctor --json{DIM:#}"),
        _ => Ok(()),
    }
}

fn listener(listener: &Listener, out: &mut impl Write) -> io::Result<()> {
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
    let processes = processes.join(", ");
    let line = format!(
        "  {:<28} {queue:<18} {backlog:<14} {processes}",
        listener.address.to_string()
    );
    writeln!(out, "{}", line.trim_end())
}

fn counter(counter: &CounterValue, out: &mut impl Write) -> io::Result<()> {
    const COLUMNS: usize = 41;
    let mut columns = format!("  {:<26} {:>10}  ", counter.name, counter.value);
    for line in wrapped(counter.meaning, WIDTH - COLUMNS) {
        writeln!(out, "{columns}{DIM}{line}{DIM:#}")?;
        columns = " ".repeat(COLUMNS);
    }
    Ok(())
}

fn cookie(entry: &CookieEntry, out: &mut impl Write) -> io::Result<()> {
    let cookie = entry.cookie.as_deref().unwrap_or("none");
    let mss = entry.mss.map_or_else(String::new, |mss| format!("MSS {mss}"));
    let drops = match entry.syn_drops {
        0 => String::new(),
        drops => format!("{drops} lost in a row"),
    };
    let line = format!(
        "  {:<28} {cookie:<18} {mss:<14} {drops}",
        entry.destination.to_string()
    );
    writeln!(out, "{}", line.trim_end())
}

fn summary(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let (problems, warnings) = (report.count(Level::Problem), report.count(Level::Warning));
    writeln!(out)?;
    for fix in &report.fixes {
        writeln!(
            out,
            "Changed {} to {}, until the next boot.",
            fix.setting, fix.value
        )?;
    }
    match (problems, warnings) {
        (0, 0) => writeln!(out, "{BOLD}This machine is ready for Fast Open.{BOLD:#}")?,
        (0, _) => writeln!(out, "{BOLD}No problem, {}.{BOLD:#}", count(warnings, "warning"))?,
        _ => writeln!(
            out,
            "{BOLD}{}, {}.{BOLD:#}",
            count(problems, "problem"),
            count(warnings, "warning")
        )?,
    }
    if automatic(report).next().is_some() {
        writeln!(out, "All at once: {BOLD}sudo tfo doctor --fix{BOLD:#}")?;
    }
    keep(report, out)
}

/// What `--fix` would do.
fn automatic(report: &Report) -> impl Iterator<Item = &Remedy> {
    let remedies = report
        .findings
        .iter()
        .filter_map(|finding| finding.remedy.as_ref());
    remedies.filter(|remedy| remedy.automatic)
}

/// The command that makes it hold after the next boot: what `--fix` did, and what it would do.
fn keep(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let done = report
        .fixes
        .iter()
        .map(|fix| format!("{} = {}", fix.setting, fix.value));
    let to_do = automatic(report).map(|remedy| remedy.persist.line.clone());
    let mut lines: Vec<String> = Vec::new();
    for line in done.chain(to_do) {
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    if lines.is_empty() {
        return Ok(());
    }
    let quoted: Vec<_> = lines.iter().map(|line| format!("'{line}'")).collect();
    writeln!(
        out,
        "To keep it:  {BOLD}printf '%s\\n' {} | sudo tee -a {SYSCTL_FILE}{BOLD:#}",
        quoted.join(" ")
    )
}

/// Breaks text between words; a word that is too long stays whole.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_ascii_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
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
        let report = report::Report::new(facts, findings::of(facts));
        let mut out = anstream::StripStream::new(Vec::new());
        text(&report, &mut out).unwrap();
        String::from_utf8(out.into_inner()).unwrap()
    }

    #[test]
    fn each_kind_of_machine_is_drawn() {
        insta::assert_snapshot!("ready", drawn(&sample::ready()));
        insta::assert_snapshot!("stock", drawn(&sample::stock()));
        insta::assert_snapshot!("troubled", drawn(&sample::troubled()));
        insta::assert_snapshot!("ancient", drawn(&sample::ancient()));
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
    fn lines_are_no_longer_than_they_should_be() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("", 7), Vec::<String>::new());
        assert_eq!(
            wrapped("incomprehensibilities ok", 7),
            ["incomprehensibilities", "ok"]
        );
        let drawn = drawn(&sample::troubled());
        let commands = |line: &&str| !line.contains("sudo") && !line.contains("/etc/");
        for line in drawn.lines().filter(commands) {
            assert!(line.chars().count() <= WIDTH, "{line}");
        }
    }

    #[test]
    fn what_was_changed_can_be_kept() {
        let facts = sample::ready();
        let mut report = report::Report::new(&facts, findings::of(&facts));
        report.fixes.push(super::super::fix::Fix {
            setting: "net.ipv4.tcp_fastopen".to_owned(),
            value: "3".to_owned(),
        });
        let mut out = Vec::new();
        summary(&report, &mut out).unwrap();
        let drawn = String::from_utf8(out).unwrap();
        assert!(
            drawn.starts_with("\nChanged net.ipv4.tcp_fastopen to 3, until the next boot.\n"),
            "{drawn}"
        );
        assert!(
            drawn.contains("'net.ipv4.tcp_fastopen = 3' | sudo tee -a"),
            "{drawn}"
        );
    }

    #[test]
    fn cookies_are_never_whole() {
        assert!(!drawn(&sample::ready()).contains("3021b9d889017eeb"));
    }
}
