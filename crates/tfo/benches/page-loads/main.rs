//! How much sooner a browser has its pages with `tfo run`: Chromium, unchanged and headless, and nginx with `fastopen=`, at the two ends of
//! the lab's path.
//!
//! ```sh
//! cargo bench -p tfo --bench page-loads -- --rtt 100ms --pairs 20
//! ```
//!
//! Two browsers run side by side, one of them below `tfo run`, and load the same page in turns: pairs, in an order drawn anew for each. Every
//! load has a browser context of its own, so that nothing is cached, no connection is open and no TLS session is known. The kernel's cookies
//! and what `tfo run` remembers of a destination are warm, but with `--first-visits`: there each load is by a new browser on a machine that
//! knows no server yet.
//!
//! Times are the browser's own (Navigation Timing), from the start of the navigation. It needs chromium, nginx, openssl, and root or a
//! system that lets users make user namespaces; `--first-visits` needs root.

mod browser;
mod measure;
mod protocol;
mod site;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use fastopen_lab::{Farm, Lab, Scenario};
use tfo::units::parse_time;

use measure::Measured;
use protocol::Protocol;
use site::{HOSTS, PAGES};

#[derive(Debug, Parser)]
struct Args {
    /// The path's round-trip time; may be repeated
    #[arg(long = "rtt", value_parser = parse_time, default_values = ["20ms", "100ms", "200ms"])]
    rtts: Vec<Duration>,
    /// How many pairs of loads for each row
    #[arg(long, default_value_t = 20)]
    pairs: usize,
    /// What the pages come by; may be repeated; all unless it is given
    #[arg(long = "protocol")]
    protocols: Vec<Protocol>,
    /// Only pages of so many objects; may be repeated
    #[arg(long = "objects")]
    objects: Vec<usize>,
    /// Each load is a first visit
    #[arg(long)]
    first_visits: bool,
    /// The tfo that is measured
    #[arg(long, default_value = env!("CARGO_BIN_EXE_tfo"))]
    tfo: String,
    /// The browser
    #[arg(long, default_value = "chromium")]
    browser: PathBuf,
    /// A further argument for the browser; may be repeated
    #[arg(long = "browser-argument", allow_hyphen_values = true)]
    browser_arguments: Vec<String>,
    /// Which of a pair comes first, and the intervals, follow from this
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    // First: it needs a process of one thread.
    if let Err(error) = fastopen_lab::enter() {
        eprintln!("no benchmark: {error}");
        return ExitCode::FAILURE;
    }
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("no benchmark: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> anyhow::Result<()> {
    println!("{}", Measured::HEAD);
    for rtt in &args.rtts {
        // A farm of one member is a further address of that member.
        let scenario = (1..HOSTS).fold(Scenario::new("page-loads").with_rtt(*rtt), |scenario, n| {
            scenario.with_farm(Farm::new(format!("host{n}"), ["server"]))
        });
        let lab = Lab::new(&scenario)?;
        let site = site::Site::start(&lab)?;
        for protocol in Protocol::ALL
            .iter()
            .filter(|protocol| is_wanted(&args.protocols, protocol))
        {
            for page in PAGES
                .iter()
                .filter(|page| is_wanted(&args.objects, &page.objects))
            {
                println!(
                    "{}",
                    measure::measure(args, &lab, &site, page, *protocol)?.row(*rtt, page)
                );
            }
        }
    }
    Ok(())
}

fn is_wanted<T: PartialEq>(wanted: &[T], it: &T) -> bool {
    wanted.is_empty() || wanted.contains(it)
}
