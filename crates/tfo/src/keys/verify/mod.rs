//! Proof from outside: whose keys make the cookies that servers grant.
//!
//! [`contact`] connects, [`judge`] says what the cookies prove, and [`together`] what the times prove at which they change.

mod contact;
mod judge;
mod together;

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, anyhow, bail};
use fastopen::Rotation;

use super::Output;
use super::report::{Server, Verdict, Verified};
use super::secret::OptionalSource;
use crate::address;
use crate::hint::Hint;
use crate::metrics_page::{Kind, Page};
use crate::service::textfile::{self, TextFile};
use crate::target_lines::{Given, TargetLines};
use crate::{units, values};
use contact::Contact;

/// Prove from outside that servers have the fleet's keys: by the cookies that they grant
///
/// It connects to each address a few times and reads the cookie that the server granted from the kernel's cache. With the secret it computes
/// the cookie that this client must get at this time, and those of the periods before and after. Without it, it says whether the servers
/// behind one address accept each other's cookies, also on several ports of it. Whether different addresses have the same keys can't be told
/// without it, because a cookie depends on the server's address; with --for it says whether they change their keys at the same time. It needs no privilege, and sends a line end (CR LF) on each connection.
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER)]
pub(super) struct Args {
    /// ADDR:PORT or NAME:PORT, all of whose addresses are verified; - reads one a line from standard input
    #[arg(value_name = "TARGET", required = true)]
    targets: Vec<String>,
    #[command(flatten)]
    source: OptionalSource,
    /// Connections to each address: behind one there may be several servers
    #[arg(short = 'n', value_name = "N", default_value = "4", value_parser = values::number::<u16>(1..=1000))]
    number: u16,
    /// An address that this client or a server has behind an address translation: a cookie for it counts, too; may be repeated
    #[arg(long, value_name = "ADDR", value_parser = values::ip, requires = "named_secret")]
    translated: Vec<IpAddr>,
    /// Without the secret: connect to each address every half second for this long, and say whether they change their keys at the same time
    #[arg(long = "for", value_name = "TIME", conflicts_with = "named_secret", value_parser = units::parse_time)]
    watch: Option<Duration>,
    /// How long connecting may take
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = units::parse_time)]
    timeout: Duration,
    /// Write the verdicts to this file too, for the textfile collector of Prometheus' node_exporter
    #[arg(long, value_name = "FILE.prom", value_parser = textfile::parse)]
    textfile: Option<PathBuf>,
    #[command(flatten)]
    pub(super) output: Output,
}

const AFTER: &str = "\
Examples:
  tfo keys verify --secret tfo.secret 192.0.2.2:443 [2001:db8::2]:443
  tfo keys verify --secret-command 'vault kv get -field=tfo secret/fleet' - < servers
  tfo keys verify -n 32 www.example.com:443
                                         Without the secret: do all behind each address agree?
  tfo keys verify --for 20s 192.0.2.2:443 192.0.2.3:443
                                         When an interval ends: at the same time?

Verdicts:
  agrees                          it has the fleet's keys
  behind, ahead                   it has the keys of another period, so many before or after
  address translation in between  it has them, for an address named with --translated
  its own key                     its key does not follow from the secret
  its members disagree            servers behind the address, or its ports, have different keys
  no Fast Open                    it grants no cookie
  no connection                   it can't be reached, or its name has no address
  can't tell                      the evidence does not decide

Exit status:
  0  all agree; with --for: they change their keys at the same time
  1  one doesn't, has no Fast Open or can't be reached
  2  wrong usage, or no secret
  3  inconclusive, as for several addresses without the secret";

/// No fleet is larger: a list that goes on and on must end in an error.
const MOST: usize = 100_000;
/// How many servers are connected to at the same time.
const PARALLEL: usize = 16;

impl Args {
    pub(super) fn report(&self) -> anyhow::Result<Verified> {
        let rotation = self.source.rotation()?;
        let mut contacts = Vec::new();
        let mut servers = Vec::new();
        for (target, addresses) in resolve_all(self.targets()?) {
            match addresses {
                Ok(addresses) => contacts.extend(
                    addresses
                        .into_iter()
                        .map(|address| (target.clone(), Contact::new(address))),
                ),
                // The others are verified all the same.
                Err(error) => servers.push(unresolved(target, &error)),
            }
        }
        if contacts.len() > MOST {
            bail!("there are more than {} addresses", units::grouped(MOST as u64));
        }
        // Those of one address are contacted one after the other, because one cookie serves all its ports.
        contacts.sort_by_key(|(_, contact)| contact.server);
        self.connect(&mut contacts, self.number);
        self.watch(&mut contacts);
        let together = match &rotation {
            Some(_) => None,
            None => together::judge(contacts.iter().map(|(_, contact)| contact), self.watch.is_some()),
        };
        servers.extend(
            contacts
                .into_iter()
                .map(|(target, contact)| server(target, &contact, rotation.as_ref(), &self.translated)),
        );
        servers.sort_by(|one, other| (&one.target, one.address).cmp(&(&other.target, other.address)));
        let of_servers = worst(servers.iter().map(|server| server.verdict));
        Ok(Verified {
            verdict: match &together {
                Some(together) if of_servers == Verdict::Agrees => together.verdict,
                _ => of_servers,
            },
            together,
            servers,
        })
    }

    /// Writes the verdicts where `--textfile` says.
    pub(super) fn write_metrics(&self, verified: &Verified) -> anyhow::Result<()> {
        let Some(path) = &self.textfile else { return Ok(()) };
        let page = page(verified, SystemTime::now());
        TextFile::at(path).write(page).map_err(anyhow::Error::msg)
    }

    /// The targets, each once.
    fn targets(&self) -> anyhow::Result<BTreeSet<Target>> {
        let mut targets = BTreeSet::new();
        let mut add = |text: &str| -> anyhow::Result<()> {
            targets.insert(Target::parse(text)?);
            if targets.len() > MOST {
                bail!("there are more than {} targets", units::grouped(MOST as u64));
            }
            Ok(())
        };
        for target in &self.targets {
            if target == "-" {
                for given in TargetLines::of(io::stdin().lock()) {
                    match given.context("reading targets from standard input")? {
                        Given::Target(target) => add(&target)?,
                        Given::Unusable(beginning, why) => {
                            bail!("standard input has a line that is no target: {beginning:?} …: {why}")
                        }
                    }
                }
            } else {
                add(target)?;
            }
        }
        if targets.is_empty() {
            bail!("there is no target");
        }
        Ok(targets)
    }

    /// Makes so many connections to each, to several addresses at the same time.
    fn connect(&self, contacts: &mut [(String, Contact)], number: u16) {
        let parallel = PARALLEL.min(contacts.len());
        let by_address = contacts.chunk_by_mut(|(_, one), (_, other)| one.server.ip() == other.server.ip());
        let waiting = Mutex::new(by_address);
        let next = || waiting.lock().ok()?.next();
        thread::scope(|scope| {
            for _ in 0..parallel {
                scope.spawn(|| {
                    while let Some(group) = next() {
                        for (_, contact) in group {
                            contact.connect(number, self.timeout);
                        }
                    }
                });
            }
        });
    }

    /// Goes on connecting to each, for as long as was asked for.
    fn watch(&self, contacts: &mut [(String, Contact)]) {
        let Some(time) = self.watch else {
            return;
        };
        // So that what is remembered stays small.
        let pause = (time / 10_000).max(Duration::from_millis(500));
        let began = Instant::now();
        for round in 1.. {
            let next = pause * round;
            if next > time {
                return;
            }
            thread::sleep(next.saturating_sub(began.elapsed()));
            self.connect(contacts, 1);
        }
    }
}

/// A target as it was given, which has a host and a port.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Target {
    text: String,
    host: String,
    port: u16,
}

impl Target {
    fn parse(text: &str) -> anyhow::Result<Self> {
        const HINT: &str = "a target is ADDR:PORT or NAME:PORT, such as 192.0.2.2:443 or [2001:db8::2]:443";
        let (host, port) = address::split(text)
            .with_context(|| format!("{text} is no target"))
            .hint(HINT)?;
        let Some(port) = port.filter(|_| !host.is_empty()) else {
            let missing = if host.is_empty() { "host" } else { "port" };
            return Err(anyhow!("{text} has no {missing}")).hint(HINT);
        };
        let Ok(port @ 1..) = port.parse() else {
            return Err(anyhow!(
                "{text} has no usable port: a port is a number from 1 to 65535"
            ))
            .hint(HINT);
        };
        Ok(Self {
            text: text.to_owned(),
            host: host.to_owned(),
            port,
        })
    }

    /// Every address of it.
    fn resolve(&self) -> io::Result<BTreeSet<SocketAddr>> {
        let addresses = (self.host.as_str(), self.port).to_socket_addrs()?;
        Ok(addresses.collect())
    }
}

/// Several at a time: a name server that does not answer takes its time.
fn resolve_all(targets: BTreeSet<Target>) -> Vec<(String, io::Result<BTreeSet<SocketAddr>>)> {
    let parallel = PARALLEL.min(targets.len());
    let waiting = Mutex::new(targets.into_iter());
    let next = || waiting.lock().ok()?.next();
    let work = || {
        std::iter::from_fn(next)
            .map(|target| (target.resolve(), target.text))
            .collect::<Vec<_>>()
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..parallel).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap_or_default())
            .map(|(addresses, target)| (target, addresses))
            .collect()
    })
}

fn unresolved(target: String, error: &io::Error) -> Server {
    Server {
        evidence: format!("{target} has no address: {error}"),
        target,
        address: None,
        client: None,
        verdict: Verdict::Unreachable,
        periods: None,
        cookies: Vec::new(),
        refused: 0,
        connections: 0,
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
        address: Some(contact.server),
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
        Verdict::AddressTranslation => 1,
        Verdict::CantTell => 2,
        _ => 3,
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
        let address = server
            .address
            .map_or_else(String::new, |address| address.to_string());
        metric.sample(
            &[
                ("target", &server.target),
                ("address", &address),
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
