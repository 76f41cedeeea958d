//! The report of `tfo doctor`, as a value. `schemas/doctor.json` describes its JSON form.

use std::net::{IpAddr, SocketAddr};

use fastopen_host::counters::Counters;
use fastopen_host::sysctl::{FastOpenBits, KeyState};
use serde::{Serialize, Serializer};

use super::apply::Applied;
use super::facts::{Facts, Held, Known};
use super::finding::{Finding, Level};
use super::place::Place;

/// All that was found out, and what was done about it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    /// Whether there is no problem.
    pub(super) ready: bool,
    pub(super) place: Place,
    /// The kernel's version.
    pub(super) kernel: Option<String>,
    pub(super) settings: Settings,
    pub(super) findings: Vec<Finding>,
    pub(super) listeners: Vec<Listener>,
    pub(super) counters: Vec<CounterValue>,
    pub(super) cookies: Vec<CookieEntry>,
    /// What `--fix` changed.
    pub(super) fixes: Vec<Applied>,
}

/// The settings, as far as they are known.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Settings {
    #[serde(serialize_with = "bits")]
    pub(super) fast_open: Option<FastOpenBits>,
    pub(super) key: Key,
    pub(super) blackhole_timeout_s: Option<u64>,
    pub(super) somaxconn: Option<u32>,
    pub(super) ipv6: Option<bool>,
}

/// Whether there is a key; never the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Key {
    Missing,
    Unset,
    Set,
    SetWithBackup,
    Unknown,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct Listener {
    pub(super) address: SocketAddr,
    /// 0: it does not use Fast Open.
    pub(super) fast_open_queue: Option<u32>,
    pub(super) backlog: Option<u32>,
    pub(super) to_accept: u32,
    pub(super) processes: Vec<Process>,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct Process {
    pub(super) pid: u32,
    pub(super) name: String,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct CounterValue {
    pub(super) name: &'static str,
    pub(super) value: u64,
    pub(super) meaning: &'static str,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct CookieEntry {
    pub(super) destination: IpAddr,
    pub(super) source: Option<IpAddr>,
    /// Shortened.
    pub(super) cookie: Option<String>,
    pub(super) mss: Option<u16>,
    pub(super) syn_drops: u16,
    pub(super) age_ms: Option<u64>,
}

impl Report {
    pub(super) fn new(facts: &Facts, findings: Vec<Finding>) -> Self {
        Self {
            ready: findings.iter().all(|finding| finding.level < Level::Problem),
            place: facts.place,
            kernel: facts.kernel.as_ref().ok().map(ToString::to_string),
            settings: Settings::new(facts),
            findings,
            listeners: facts.listeners.iter().flatten().map(Listener::new).collect(),
            counters: counters(facts),
            cookies: cookies(facts),
            fixes: Vec::new(),
        }
    }

    /// How many findings there are of that level.
    pub(super) fn count(&self, level: Level) -> usize {
        self.findings
            .iter()
            .filter(|finding| finding.level == level)
            .count()
    }
}

impl Settings {
    fn new(facts: &Facts) -> Self {
        Self {
            fast_open: facts.known_bits(),
            key: match facts.key {
                Ok(KeyState::Missing) => Key::Missing,
                Ok(KeyState::Unset) => Key::Unset,
                Ok(KeyState::One) => Key::Set,
                Ok(KeyState::Two) => Key::SetWithBackup,
                Ok(KeyState::Unreadable) | Err(_) => Key::Unknown,
            },
            blackhole_timeout_s: flat(&facts.blackhole_timeout).map(|timeout| timeout.as_secs()),
            somaxconn: flat(&facts.somaxconn),
            ipv6: facts.ipv6.as_ref().ok().copied(),
        }
    }
}

impl Listener {
    fn new(held: &Held) -> Self {
        let processes = held.processes.iter().map(|process| Process {
            pid: process.pid,
            name: process.name.clone(),
        });
        Self {
            address: held.listener.address,
            fast_open_queue: held.listener.fast_open_queue,
            backlog: held.backlog,
            to_accept: held.listener.to_accept,
            processes: processes.collect(),
        }
    }
}

fn counters(facts: &Facts) -> Vec<CounterValue> {
    let known = facts.counters.iter().flat_map(Counters::iter);
    known
        .map(|(counter, value)| CounterValue {
            name: counter.name(),
            value,
            meaning: counter.meaning(),
        })
        .collect()
}

fn cookies(facts: &Facts) -> Vec<CookieEntry> {
    let known = facts.cookies.iter().flatten();
    known
        .map(|entry| CookieEntry {
            destination: entry.destination,
            source: entry.source,
            cookie: entry.cookie.map(|cookie| cookie.to_string()),
            mss: entry.mss,
            syn_drops: entry.syn_drops,
            age_ms: entry.age.and_then(|age| u64::try_from(age.as_millis()).ok()),
        })
        .collect()
}

fn flat<T: Copy>(fact: &Known<Option<T>>) -> Option<T> {
    fact.as_ref().ok().copied().flatten()
}

/// The number, and the names of its bits.
fn bits<S: Serializer>(bits: &Option<FastOpenBits>, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Bits {
        value: u32,
        names: Vec<&'static str>,
    }
    let named = bits.map(|bits| Bits {
        value: bits.bits(),
        names: FastOpenBits::NAMED
            .iter()
            .filter(|&&(bit, _)| bits.contains(bit))
            .map(|&(_, name)| name)
            .collect(),
    });
    named.serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::super::{findings, sample};
    use super::*;

    fn report(facts: &Facts) -> Report {
        Report::new(facts, findings::of(facts))
    }

    #[test]
    fn a_report_is_ready_unless_there_is_a_problem() {
        assert!(report(&sample::ready()).ready);
        assert!(report(&sample::stock()).ready);
        assert!(!report(&sample::troubled()).ready);
        assert!(!report(&sample::ancient()).ready);
    }

    #[test]
    fn json_fits_the_schema() {
        let schema = include_str!("../../schemas/doctor.json");
        let schema = serde_json::from_str(schema).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        for facts in [
            sample::ready(),
            sample::stock(),
            sample::troubled(),
            sample::unreadable(),
            sample::ancient(),
            sample::pod(),
        ] {
            let mut report = report(&facts);
            report.fixes.push(Applied {
                setting: "net.ipv4.tcp_fastopen".to_owned(),
                value: "3".to_owned(),
            });
            let json = serde_json::to_value(&report).unwrap();
            let errors: Vec<_> = validator
                .iter_errors(&json)
                .map(|error| error.to_string())
                .collect();
            assert!(errors.is_empty(), "{errors:#?}\n{json:#}");
        }
    }

    #[test]
    fn the_schema_has_nothing_to_spare() {
        let schema = include_str!("../../schemas/doctor.json");
        let schema = serde_json::from_str(schema).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let mut json = serde_json::to_value(report(&sample::ready())).unwrap();
        json["surprise"] = true.into();
        assert!(!validator.is_valid(&json));
        assert!(!validator.is_valid(&serde_json::json!({})));
    }

    #[test]
    fn cookies_are_shortened() {
        let json = serde_json::to_string(&report(&sample::ready())).unwrap();
        assert!(json.contains("3021b9…"), "{json}");
        assert!(!json.contains("3021b9d889017eeb"), "{json}");
    }
}
