//! The measurement: pairs of connections, and before them some that don't count.

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, bail};
use fastopen::Outcome;
use fastopen_host::sysctl::{self, FastOpenBits};
use indicatif::ProgressBar;
use tokio::time::sleep;

use super::Args;
use super::pair::Pair;
use super::report::Report;
use crate::hint::Hint;
use crate::interrupt::Interrupt;
use crate::stats::Random;
use crate::timed::{Client, Failure, FirstBytes, Made, Target, Way};

/// The pause between two connections, so as not to burden the server.
const PAUSE: Duration = Duration::from_millis(20);
/// How many fast connections are made before the pairs, to have a cookie.
const WARM_UP: usize = 3;

/// Measures until there are enough pairs, or until it is asked to stop.
///
/// # Errors
/// A name that can't be resolved, or a machine that does not attempt Fast Open.
pub(super) async fn measure(
    args: &Args,
    target: &Target,
    first_bytes: &FirstBytes,
    interrupt: &mut Interrupt,
) -> anyhow::Result<Report> {
    check_this_machine()?;
    let request = first_bytes.name(target);
    let first_bytes = first_bytes.bytes(target)?;
    let resolved = tokio::select! {
        resolved = target.resolve() => resolved,
        () = interrupt.stop_requested() => bail!("interrupted before the name was resolved"),
    };
    let addresses = resolved
        .with_context(|| format!("the name {} could not be resolved", target.host))
        .hint("check its spelling, or give an IP address")?;
    let client = Client::new(args.timeout);
    let mut random = Random::new(args.seed);
    let mut report = Report::new(target, request, first_bytes.len(), args.pairs, args.seed);
    let work = async {
        let Some(address) = first_that_answers(&client, &addresses, &first_bytes, &mut report).await else {
            return;
        };
        report.address = Some(address);
        let progress = match std::io::stderr().is_terminal() {
            true => ProgressBar::new(args.pairs.into()),
            false => ProgressBar::hidden(),
        };
        for _ in 0..args.pairs {
            let fast_first = random.below(2) == 0;
            report
                .pairs
                .push(pair(&client, address, &first_bytes, fast_first).await);
            progress.inc(1);
        }
        progress.finish_and_clear();
    };
    tokio::select! {
        () = work => {}
        () = interrupt.stop_requested() => report.interrupted = true,
    }
    report.conclude(&mut random);
    Ok(report)
}

fn check_this_machine() -> anyhow::Result<()> {
    match sysctl::fast_open() {
        Ok(Some(bits)) if !bits.contains(FastOpenBits::CLIENT) => Err(anyhow::anyhow!(
            "the client bit (0x1) of net.ipv4.tcp_fastopen is off"
        ))
        .hint("switch it on; for the command: tfo doctor"),
        Ok(None) => bail!("this kernel has no Fast Open"),
        // Where it can't be read, the connections will tell.
        _ => Ok(()),
    }
}

/// Finds the first address that answers a plain connection, and makes fast ones until it has a cookie that works.
async fn first_that_answers(
    client: &Client,
    addresses: &[SocketAddr],
    first_bytes: &[u8],
    report: &mut Report,
) -> Option<SocketAddr> {
    for &address in addresses {
        match client.connect(address, Way::Plain, first_bytes).await {
            Err(failure) => report.failure = Some(describe(address, &failure)),
            Ok(made) if made.first_byte().is_none() => {
                report.failure = Some(format!(
                    "{address} connects, and does not answer {}",
                    report.request
                ));
            }
            Ok(_) => {
                report.failure = None;
                for _ in 0..WARM_UP {
                    let made = client.connect(address, Way::Fast, first_bytes).await;
                    if made.is_ok_and(|made| made.outcome == Outcome::Accepted) {
                        break;
                    }
                    sleep(PAUSE).await;
                }
                return Some(address);
            }
        }
    }
    None
}

fn describe(address: SocketAddr, failure: &Failure) -> String {
    match failure {
        Failure::Refused => format!("{address} refuses the connection"),
        Failure::Unanswered => format!("{address} does not answer"),
        Failure::NoRoute => format!("there is no route to {address}"),
        Failure::Here(why, error) => match why.hint() {
            Some(hint) => format!("{error}; {hint}"),
            None => error.clone(),
        },
    }
}

async fn pair(client: &Client, address: SocketAddr, first_bytes: &[u8], fast_first: bool) -> Pair {
    let order = match fast_first {
        true => [Way::Fast, Way::Plain],
        false => [Way::Plain, Way::Fast],
    };
    let mut pair = Pair::new(fast_first);
    for way in order {
        let result = client.connect(address, way, first_bytes).await;
        let syn_lost = match &result {
            Ok(made) => made.syn_repeated == Some(true),
            Err(failure) => *failure == Failure::Unanswered,
        };
        let made = result.ok();
        let first_byte = made.as_ref().and_then(Made::first_byte);
        match way {
            Way::Plain => {
                pair.plain = first_byte;
                pair.plain_syn_lost = syn_lost;
            }
            Way::Fast => {
                pair.fast = first_byte;
                pair.fast_syn_lost = syn_lost;
                pair.outcome = made.as_ref().map(|made| made.outcome.name());
                pair.syn_bytes = made.map_or(0, |made| made.syn_bytes);
            }
        }
        sleep(PAUSE).await;
    }
    pair
}
