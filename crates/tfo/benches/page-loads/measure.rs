//! Pairs of loads, and what follows from them.

use std::fmt::Write;
use std::time::Duration;

use anyhow::Context;
use fastopen_lab::Lab;
use tfo::stats::{Interval, Medians, Random, median};

use crate::Args;
use crate::browser::{Browser, Load};
use crate::protocol::Protocol;
use crate::site::{Page, Site, settled};

/// Loads that don't count, before those that do: after the first the kernel has the cookies, after the second all is as it stays.
const WARM_UP: usize = 2;
const RESAMPLES: usize = 10_000;

/// What a row is made of.
pub(crate) struct Measured {
    protocol: Protocol,
    pairs: Vec<Pair>,
    load: Interval,
    first_byte: Interval,
}

/// A page, loaded by both browsers.
struct Pair {
    plain: Sample,
    fast: Sample,
}

struct Sample {
    load: Load,
    connections: u64,
    fast: u64,
}

pub(crate) fn measure(
    args: &Args,
    lab: &Lab,
    site: &Site,
    page: &Page,
    protocol: Protocol,
) -> anyhow::Result<Measured> {
    let rtt = lab.scenario().rtt;
    let mut arguments = vec![format!("--host-resolver-rules={}", site.names())];
    arguments.extend(args.browser_arguments.iter().cloned());
    let start = |is_fast: bool| {
        let prefix: &[&str] = if is_fast { &[&args.tfo, "run", "--"] } else { &[] };
        Browser::start(lab.client()?, prefix, &args.browser, &arguments)
    };
    let load = |browser: &mut Browser| {
        let before = settled(site, rtt)?;
        let load = browser.load(&page.url(protocol), protocol.name(), page.objects - 1)?;
        let after = settled(site, rtt)?;
        anyhow::Ok(Sample {
            load,
            connections: after.all - before.all,
            fast: after.fast - before.fast,
        })
    };
    let mut browsers = None;
    if !args.first_visits {
        let mut both = [start(false)?, start(true)?];
        for browser in &mut both {
            for _ in 0..WARM_UP {
                load(browser)?;
            }
        }
        browsers = Some(both);
    }
    let mut sample = |is_fast: bool| match &mut browsers {
        Some(both) => load(&mut both[usize::from(is_fast)]),
        None => {
            lab.client()?.run(fastopen_host::cookies::flush)?;
            load(&mut start(is_fast)?)
        }
    };
    let mut random = Random::new(args.seed);
    let mut pairs = Vec::with_capacity(args.pairs);
    for _ in 0..args.pairs {
        let fast_first = random.below(2) == 0;
        let first = sample(fast_first)?;
        let second = sample(!fast_first)?;
        pairs.push(match fast_first {
            true => Pair {
                plain: second,
                fast: first,
            },
            false => Pair {
                plain: first,
                fast: second,
            },
        });
    }
    let mut ratio = |time: fn(&Load) -> f64| {
        let times: Vec<_> = pairs
            .iter()
            .map(|pair| (time(&pair.fast.load), time(&pair.plain.load)))
            .collect();
        let medians = Medians::of(&times, RESAMPLES, &mut random).context("too few pairs")?;
        medians.ratio().context("no times")
    };
    Ok(Measured {
        load: ratio(|load| load.load)?,
        first_byte: ratio(|load| load.first_byte)?,
        protocol,
        pairs,
    })
}

impl Measured {
    pub(crate) const HEAD: &str = "\
| RTT | page | over | load, bare | `tfo run` | sooner (95 % interval) | first byte, bare | `tfo run` | sooner (95 % interval) | connections, bare | `tfo run` | of these fast |
|---|---|---|---|---|---|---|---|---|---|---|---|";

    pub(crate) fn row(&self, rtt: Duration, page: &Page) -> String {
        let mut row = format!(
            "| {} ms | {} objects, {} | {}",
            rtt.as_millis(),
            page.objects,
            tfo::units::count(page.hosts as u64, "host", "hosts"),
            self.protocol
        );
        let time = |time: fn(&Load) -> f64, which: fn(&Pair) -> &Sample| {
            let times: Vec<_> = self.pairs.iter().map(|pair| time(&which(pair).load)).collect();
            median(&times).unwrap_or(f64::NAN)
        };
        for (of, ratio) in [
            ((|load: &Load| load.load) as fn(&Load) -> f64, self.load),
            (|load: &Load| load.first_byte, self.first_byte),
        ] {
            let (plain, fast) = (time(of, |pair| &pair.plain), time(of, |pair| &pair.fast));
            let _ = write!(row, " | {plain:.0} ms | {fast:.0} ms | {}", sooner(ratio));
        }
        let mean = |number: fn(&Pair) -> u64| {
            self.pairs.iter().map(number).sum::<u64>() as f64 / self.pairs.len() as f64
        };
        let _ = write!(
            row,
            " | {:.1} | {:.1} | {:.1} |",
            mean(|pair| pair.plain.connections),
            mean(|pair| pair.fast.connections),
            mean(|pair| pair.fast.fast)
        );
        row
    }
}

/// By how much of the bare time.
fn sooner(ratio: Interval) -> String {
    let percent = |ratio: f64| (1.0 - ratio) * 100.0;
    format!(
        "{:.1} % ({:.1} to {:.1})",
        percent(ratio.estimate),
        percent(ratio.high),
        percent(ratio.low)
    )
}
