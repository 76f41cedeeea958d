//! `tfo demo`: Fast Open, shown in a lab.
//!
//! ```text
//!   connections, paths ──▶ dialogue, server ──▶ report ──▶ words, render
//!   labs and threads       one exchange         values     text, ladders; or JSON
//! ```
//! `packets` is what the client's end of the path saw of a connection.
//! `verdict` says whether the report is as expected.

mod connections;
mod dialogue;
mod hostile;
mod packets;
mod paths;
mod render;
mod report;
#[cfg(test)]
mod sample;
mod server;
mod session;
mod verdict;
mod words;

use std::ffi::OsString;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{Context, anyhow};
use fastopen_lab::Error;

use crate::diagram::PictureFile;
use crate::hint::Hint;
use crate::json;
use crate::output;
use crate::status::Status;
use crate::stdout::{self, Stdout};
use crate::units;
use crate::width;

use connections::Network;
use hostile::HOSTILE;
use report::{Greeting, Kind, Report};

/// See Fast Open work, and what breaks it, in a few seconds: no root, no network
///
/// Connects plainly, for the first time with Fast Open, and fast, and explains each step; then to servers that speak first. Then
/// it connects over paths that get in the way, and shows that every byte arrives once whatever they do. Clients, servers and the paths between them live in network namespaces
/// of their own: nothing leaves this machine and no setting is changed.
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER)]
pub struct Args {
    /// The round-trip time to the server, from 5ms to 500ms
    #[arg(long, value_name = "TIME", default_value = "60ms", value_parser = parse_rtt)]
    rtt: Duration,
    /// Use IPv4 (default)
    #[arg(short = '4', conflicts_with = "ipv6")]
    ipv4: bool,
    /// Use IPv6
    #[arg(short = '6')]
    ipv6: bool,
    /// Draw the three connections in a picture, too (SVG)
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Print one JSON object (described by schemas/demo.json)
    #[arg(long)]
    json: bool,
}

const AFTER: &str = "\
Examples:
  tfo demo                 At a round-trip time of 60 ms
  tfo demo -6 --rtt 200ms  Over IPv6, and as far as another continent
  tfo demo --svg demo.svg  A picture, too
  tfo demo --json | jq '.connections[] | {kind, outcome, rounds}'

Exit status:
  0  everything is as expected
  1  something is not: the output names it
  2  wrong usage, or this user may not make namespaces: the error says how to allow it";

/// The round-trip time between the hosts, and the IP version.
#[derive(Clone, Copy, Debug)]
struct Setting {
    rtt: Duration,
    ipv6: bool,
}

impl Setting {
    /// Any address of the family.
    fn family(self) -> IpAddr {
        match self.ipv6 {
            true => Ipv6Addr::UNSPECIFIED.into(),
            false => Ipv4Addr::UNSPECIFIED.into(),
        }
    }
}

/// Runs the demonstration. The process must have one thread.
///
/// # Errors
/// Where there can be no lab, and those of standard output.
pub fn run(args: &Args) -> anyhow::Result<Status> {
    json::failure_too(args.json, demonstrate(args))
}

fn demonstrate(args: &Args) -> anyhow::Result<Status> {
    if let Some(ended) = session::begin(args.words()).context("start a process of its own")? {
        return status(ended);
    }
    output::refuse_same([], args.svg.as_deref())?;
    let picture = args.svg.as_deref().map(PictureFile::open).transpose()?;
    enter()?;
    let setting = Setting {
        rtt: args.rtt,
        ipv6: args.ipv6,
    };
    let report = show(setting, &Screen { quiet: args.json })?;
    if let Some(mut picture) = picture {
        for connection in &report.connections {
            picture.add(&connection.packets);
        }
        picture.finish()?;
    }
    if args.json {
        json::line(&mut stdout::lock(), &report)?;
    }
    Ok(match report.problems.is_empty() {
        true => Status::Works,
        false => Status::Fails,
    })
}

impl Args {
    /// The command line that means the same.
    fn words(&self) -> Vec<OsString> {
        let rtt = format!("--rtt={}", humantime::format_duration(self.rtt));
        let flags = [(self.ipv6, "-6"), (self.json, "--json")];
        let set = flags.iter().filter(|(set, _)| *set).map(|(_, flag)| *flag);
        let mut words: Vec<OsString> = ["demo", &rtt]
            .into_iter()
            .chain(set)
            .map(OsString::from)
            .collect();
        if let Some(svg) = &self.svg {
            words.extend(["--svg".into(), svg.into()]);
        }
        words
    }
}

/// The child's status as this process's own.
fn status(child: ExitStatus) -> anyhow::Result<Status> {
    [Status::Works, Status::Fails, Status::Unusable]
        .into_iter()
        .find(|status| child.code() == Some(status.code().into()))
        .ok_or_else(|| anyhow!("the demonstration ended with {child}"))
}

fn enter() -> anyhow::Result<()> {
    match fastopen_lab::enter() {
        Err(Error::UserNamespace { source, hint }) => Err(source)
            .context("this user is not allowed to make the demo's network")
            .hint(hint),
        entered => Ok(entered?),
    }
}

fn show(setting: Setting, screen: &Screen) -> anyhow::Result<Report> {
    let columns = width::of_stdout();
    screen.draw(|out| render::opening(setting, columns, out))?;
    let mut report = Report::new(setting);
    let mut network = Network::build(setting)?;
    for kind in Kind::ALL {
        match network.connect(kind) {
            Ok(connection) => {
                screen.draw(|out| render::connection(&connection, columns, out))?;
                report.add_connection(connection);
            }
            Err(error) => report.problems.push(format!("{}: {error:#}", kind.name())),
        }
    }
    screen.draw(|out| render::greetings_heading(columns, out))?;
    for kind in Greeting::KINDS {
        match network.be_greeted(kind) {
            Ok(greeting) => {
                screen.draw(|out| render::greeting(&greeting, columns, out))?;
                report.add_greeting(greeting);
            }
            Err(error) => report
                .problems
                .push(format!("greeting, {}: {error:#}", kind.name())),
        }
    }
    drop(network);

    screen.draw(|out| render::paths_heading(columns, out))?;
    let started: Vec<_> = HOSTILE
        .iter()
        .map(|hostile| Ok((hostile, hostile.start(setting)?)))
        .collect::<anyhow::Result<_>>()?;
    for (hostile, under_way) in started {
        match under_way.join().unwrap_or_else(|panic| resume_unwind(panic)) {
            Ok(path) => {
                screen.draw(|out| render::path(&path, columns, out))?;
                report.add_path(path);
            }
            Err(error) => report.problems.push(format!("{}: {error:#}", hostile.scenario)),
        }
    }
    screen.draw(|out| render::closing(&report, columns, out))?;
    Ok(report)
}

/// Where each part is drawn as soon as it is there.
struct Screen {
    quiet: bool,
}

impl Screen {
    fn draw(&self, part: impl FnOnce(&mut Stdout) -> io::Result<()>) -> io::Result<()> {
        if self.quiet {
            return Ok(());
        }
        let mut out = stdout::lock();
        part(&mut out)?;
        out.flush()
    }
}

/// What can be shown: below it the machine's own delays weigh too much, and above it the kernel sends a SYN again before it can have
/// been answered.
const RTT: RangeInclusive<Duration> = Duration::from_millis(5)..=Duration::from_millis(500);

fn parse_rtt(text: &str) -> Result<Duration, String> {
    let [shortest, longest] = [RTT.start(), RTT.end()].map(|limit| humantime::format_duration(*limit));
    units::parse_time(text)
        .ok()
        .filter(|rtt| RTT.contains(rtt))
        .ok_or_else(|| format!("it must be a time between {shortest} and {longest}, such as 60ms"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(clap::Parser)]
    struct Command {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn the_child_is_told_the_same() {
        for words in [
            vec!["demo", "--rtt=60ms"],
            vec!["demo", "--rtt=12ms 345us", "-6", "--json", "--svg", "a b.svg"],
        ] {
            let args = Command::try_parse_from(&words).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(args.args.words(), words);
        }
    }

    #[test]
    fn the_childs_status_is_passed_on() {
        use std::os::unix::process::ExitStatusExt;
        for code in 0..3 {
            let status = status(ExitStatus::from_raw(code << 8)).unwrap();
            assert_eq!(i32::from(status.code()), code);
        }
        assert!(status(ExitStatus::from_raw(9)).is_err(), "killed");
    }

    #[test]
    fn the_round_trip_time_has_limits_and_says_so() {
        assert_eq!(parse_rtt("60ms"), Ok(Duration::from_millis(60)));
        assert_eq!(parse_rtt("0.5s"), parse_rtt("500ms"));
        for outside in ["4ms", "501ms", "1year"] {
            let error = parse_rtt(outside).unwrap_err();
            assert!(error.contains("between 5ms and 500ms"), "{error}");
        }
        assert!(parse_rtt("60").is_err(), "a number without a unit");
    }
}
