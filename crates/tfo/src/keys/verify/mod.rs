//! Proof from outside: whose keys make the cookies that servers grant.
//!
//! [`contact`] connects, [`judge`] says what the cookies prove.

mod contact;
mod judge;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use fastopen::Rotation;

use super::Output;
use super::report::{Server, Verdict, Verified};
use super::secret::OptionalSource;
use crate::hint::Hint;
use crate::metrics_page::{Kind, Page};
use crate::units;
use contact::Contact;

/// Prove from outside that servers have the fleet's keys: by the cookies that they grant
///
/// It connects to each address a few times and reads the cookie that the server granted from the kernel's cache. With the secret it computes
/// the cookie that this client must get at this time, and those of the periods before and after. Without it, it says whether the servers
/// behind one address accept each other's cookies. It needs no privilege, and sends a line end (CR LF) on each connection.
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER)]
pub(super) struct Args {
    /// ADDR:PORT or NAME:PORT, all of whose addresses are verified; - reads one a line from standard input
    #[arg(value_name = "TARGET", required = true)]
    targets: Vec<String>,
    #[command(flatten)]
    source: OptionalSource,
    /// Connections to each address: behind one there may be several servers
    #[arg(short = 'n', value_name = "N", default_value = "4", value_parser = clap::value_parser!(u16).range(1..=1000))]
    number: u16,
    /// An address that this client or a server may have behind an address translation; may be repeated
    #[arg(long, value_name = "ADDR", requires = "named_secret")]
    translated: Vec<IpAddr>,
    /// How long connecting may take
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = units::parse_time)]
    timeout: Duration,
    /// Write the verdicts to this file too, for the textfile collector of Prometheus' node_exporter
    #[arg(long, value_name = "FILE.prom")]
    textfile: Option<PathBuf>,
    #[command(flatten)]
    pub(super) output: Output,
}

const AFTER: &str = "\
Examples:
  tfo keys verify --secret tfo.secret 192.0.2.2:443 '[2001:db8::2]:443'
  tfo keys verify --secret-command 'vault kv get -field=tfo secret/fleet' - < servers
  tfo keys verify -n 32 www.example.com:443
                                         Without the secret: do all behind each address agree?

Verdicts:
  agrees                          it has the fleet's keys
  behind, ahead                   it has the keys of another period, so many before or after
  its own key                     its key does not follow from the secret
  its members disagree            several servers are behind the address, with different keys
  address translation in between  its cookie is that of another client address
  no Fast Open                    it grants no cookie
  no connection                   it can't be reached
  can't tell                      the evidence does not decide

Exit status:
  0  all agree
  1  one doesn't, has no Fast Open or can't be reached
  2  wrong usage, or no secret
  3  inconclusive";

/// How many servers are connected to at the same time.
const PARALLEL: usize = 16;

impl Args {
    pub(super) fn report(&self) -> anyhow::Result<Verified> {
        let rotation = self.source.rotation()?;
        let targets = self.addresses()?;
        let mut servers: Vec<Server> = self
            .contacts(&targets)
            .into_iter()
            .map(|(target, contact)| server(target, &contact, rotation.as_ref(), &self.translated))
            .collect();
        servers.sort_by(|one, other| (&one.target, one.address).cmp(&(&other.target, other.address)));
        let verified = Verified {
            verdict: worst(servers.iter().map(|server| server.verdict)),
            servers,
        };
        if let Some(path) = &self.textfile {
            let mut temporary = path.as_os_str().to_owned();
            temporary.push(".new");
            fs::write(&temporary, page(&verified, SystemTime::now()))
                .and_then(|()| fs::rename(&temporary, path))
                .with_context(|| format!("can't write {}", path.display()))?;
        }
        Ok(verified)
    }

    fn addresses(&self) -> anyhow::Result<Vec<(String, SocketAddr)>> {
        let mut addresses = Vec::new();
        let mut add = |target: &str| -> anyhow::Result<()> {
            let found = target
                .to_socket_addrs()
                .with_context(|| format!("{target} has no address"))
                .hint("a target is ADDR:PORT or NAME:PORT, such as 192.0.2.2:443 or [2001:db8::2]:443")?;
            addresses.extend(found.map(|address| (target.to_owned(), address)));
            Ok(())
        };
        for target in &self.targets {
            if target == "-" {
                for line in io::stdin().lock().lines() {
                    let line = line.context("reading targets from standard input")?;
                    match line.trim() {
                        "" => {}
                        comment if comment.starts_with('#') => {}
                        target => add(target)?,
                    }
                }
            } else {
                add(target)?;
            }
        }
        addresses.sort();
        addresses.dedup();
        if addresses.is_empty() {
            bail!("there is no target");
        }
        Ok(addresses)
    }

    /// Contacts all. One cookie serves all ports of an address, so that those are contacted one after the other.
    fn contacts(&self, targets: &[(String, SocketAddr)]) -> Vec<(String, Contact)> {
        let mut by_address: BTreeMap<IpAddr, Vec<&(String, SocketAddr)>> = BTreeMap::new();
        for target in targets {
            by_address.entry(target.1.ip()).or_default().push(target);
        }
        let waiting = Mutex::new(by_address.into_values());
        let made = Mutex::new(Vec::new());
        let next = || waiting.lock().ok()?.next();
        thread::scope(|scope| {
            for _ in 0..PARALLEL.min(targets.len()) {
                scope.spawn(|| {
                    while let Some(group) = next() {
                        for (target, address) in group {
                            let contact = Contact::make(*address, self.number, self.timeout);
                            if let Ok(mut made) = made.lock() {
                                made.push((target.clone(), contact));
                            }
                        }
                    }
                });
            }
        });
        made.into_inner().unwrap_or_default()
    }
}

fn server(target: String, contact: &Contact, rotation: Option<&Rotation>, translated: &[IpAddr]) -> Server {
    let judgement = match rotation {
        Some(rotation) => judge::with_secret(contact, rotation, translated),
        None => judge::without_secret(contact),
    };
    let mut cookies: Vec<String> = contact
        .steps
        .iter()
        .filter_map(|step| Some(step.after?.to_string()))
        .collect();
    cookies.dedup();
    Server {
        target,
        address: contact.server,
        client: (!contact.steps.is_empty()).then_some(contact.client),
        verdict: judgement.verdict,
        periods: judgement.periods,
        evidence: judgement.evidence,
        cookies,
        refused: judge::refused(contact),
        connections: contact.steps.len(),
    }
}

/// One that does not agree outweighs those that can't tell, and these those that agree.
fn worst(verdicts: impl Iterator<Item = Verdict>) -> Verdict {
    let weight = |verdict: &Verdict| match verdict {
        Verdict::Agrees => 0,
        Verdict::CantTell => 1,
        _ => 2,
    };
    verdicts.max_by_key(weight).unwrap_or(Verdict::CantTell)
}

fn page(verified: &Verified, now: SystemTime) -> String {
    let mut page = Page::default();
    let mut metric = page.metric(
        "fastopen_verify_verdict",
        Kind::Gauge,
        "What tfo keys verify found of each server; its value is 1.",
    );
    for server in &verified.servers {
        let verdict = serde_json::to_string(&server.verdict).unwrap_or_default();
        metric.sample(
            &[
                ("target", &server.target),
                ("address", &server.address),
                ("verdict", &verdict.trim_matches('"')),
            ],
            1,
        );
    }
    let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    page.metric(
        "fastopen_verify_timestamp_seconds",
        Kind::Gauge,
        "When it was looked last.",
    )
    .sample(&[], seconds);
    page.into_text()
}
