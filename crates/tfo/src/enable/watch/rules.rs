//! Which listeners are to have Fast Open: rules, from a file or from arguments.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, bail, ensure};
use fastopen::KeyRing;
use serde::Deserialize;

use super::super::cgroup;
use crate::key_options;
use crate::namespace::Namespace;

/// The rules, in order: the first that fits a listener decides.
#[derive(Debug, Default)]
pub(super) struct Rules(pub(super) Vec<Rule>);

/// Which listeners, and what is to be set there. What is `None` or empty is no condition.
#[derive(Debug, Default)]
pub(super) struct Rule {
    pub(super) ports: Vec<Ports>,
    pub(super) addresses: Vec<IpAddr>,
    pub(super) programs: Vec<String>,
    pub(super) units: Vec<String>,
    pub(super) places: Places,
    /// The queue's length, 0 for no Fast Open; `None`: the default where it is off, and no change elsewhere.
    pub(super) queue: Option<u32>,
    pub(super) keys: Option<KeyRing>,
}

/// In which network namespaces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Places {
    /// That of this process.
    #[default]
    Own,
    All,
    Named(Namespace),
}

/// A listener's place, as far as rules ask for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot<'a> {
    pub(super) address: SocketAddr,
    pub(super) is_own_namespace: bool,
    /// The namespaces that lead to it among those that rules name.
    pub(super) names: &'a [Namespace],
}

/// What rules ask of the processes that hold a listener.
#[derive(Clone, Debug, Default)]
pub(super) struct Owner {
    pub(super) name: String,
    pub(super) executable: Option<PathBuf>,
    /// The text of `/proc/PID/cgroup`.
    pub(super) groups: String,
}

/// What the rules say of a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// The rule with this number, from 0 on.
    Rule(usize),
    /// That depends on the processes that hold it.
    DependsOnOwners,
    None,
}

impl Rules {
    /// Reads a file, and the key files that it names.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        /// No sensible file is longer.
        const LONGEST: u64 = 1 << 20;
        use std::io::Read;

        let reading = || format!("can't read the rules from {}", path.display());
        let mut text = String::new();
        let file = std::fs::File::open(path).with_context(reading)?;
        file.take(LONGEST)
            .read_to_string(&mut text)
            .with_context(reading)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::parse(&text, folder).with_context(|| format!("the rules in {} make no sense", path.display()))
    }

    fn parse(text: &str, folder: &Path) -> anyhow::Result<Self> {
        let file: File = toml::from_str(text)?;
        ensure!(!file.rule.is_empty(), "there is no [[rule]]");
        let rules = file
            .rule
            .into_iter()
            .enumerate()
            .map(|(at, rule)| rule.into_rule(folder).with_context(|| format!("rule {}", at + 1)));
        Ok(Self(rules.collect::<Result<_, _>>()?))
    }

    /// What they say of a listener, whose owners may not be known yet.
    pub(super) fn fit(&self, spot: Spot<'_>, owners: Option<&[Owner]>) -> Fit {
        for (at, rule) in self.0.iter().enumerate() {
            if !rule.fits_spot(spot) {
                continue;
            }
            match owners {
                _ if !rule.asks_for_owners() => return Fit::Rule(at),
                None => return Fit::DependsOnOwners,
                Some(owners) if rule.fits_owners(owners) => return Fit::Rule(at),
                Some(_) => {}
            }
        }
        Fit::None
    }
}

impl Rule {
    fn fits_spot(&self, spot: Spot<'_>) -> bool {
        let ip = spot.address.ip().to_canonical();
        let is_here = match &self.places {
            Places::Own => spot.is_own_namespace,
            Places::All => true,
            Places::Named(namespace) => spot.names.contains(namespace),
        };
        is_here
            && (self.ports.is_empty()
                || self
                    .ports
                    .iter()
                    .any(|ports| ports.0.contains(&spot.address.port())))
            && (self.addresses.is_empty()
                || self.addresses.iter().any(|address| address.to_canonical() == ip))
    }

    fn asks_for_owners(&self) -> bool {
        !self.programs.is_empty() || !self.units.is_empty()
    }

    /// Whether the processes that hold it are of a program and of a unit that are named.
    fn fits_owners(&self, owners: &[Owner]) -> bool {
        let any = |names: &[String], is: fn(&Owner, &str) -> bool| {
            names.is_empty()
                || owners
                    .iter()
                    .any(|owner| names.iter().any(|name| is(owner, name)))
        };
        any(&self.programs, Owner::is_program)
            && any(&self.units, |owner, unit| cgroup::names_unit(&owner.groups, unit))
    }
}

impl Owner {
    /// By path, or by the name that the kernel has for it, which is cut after 15 bytes.
    fn is_program(&self, program: &str) -> bool {
        const LONGEST: usize = 15;
        if program.contains('/') {
            return self.executable.as_deref() == Some(Path::new(program));
        }
        let cut = program.as_bytes().get(..LONGEST).unwrap_or(program.as_bytes());
        self.name.as_bytes() == cut
    }
}

/// One port, or several in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ports(RangeInclusive<u16>);

impl From<u16> for Ports {
    fn from(port: u16) -> Self {
        Self(port..=port)
    }
}

impl FromStr for Ports {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let port = |text: &str| text.trim().parse::<u16>().ok().filter(|port| *port > 0);
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        match (port(first), port(last)) {
            (Some(first), Some(last)) if first <= last => Ok(Self(first..=last)),
            _ => bail!("{text:?} is no port: 443, \"443\" and \"8000-8099\" are"),
        }
    }
}

/// The file as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    rule: Vec<Written>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    port: Option<Several<Port>>,
    address: Option<Several<String>>,
    program: Option<Several<String>>,
    unit: Option<Several<String>>,
    netns: Option<String>,
    queue: Option<u32>,
    key_file: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Several<T> {
    One(T),
    Many(Vec<T>),
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "a port: 443, \"443\" or \"8000-8099\"")]
enum Port {
    Number(u16),
    Text(String),
}

impl<T> Several<T> {
    fn list(written: Option<Self>, name: &str) -> anyhow::Result<Vec<T>> {
        let list = match written {
            None => return Ok(Vec::new()),
            Some(Self::One(one)) => vec![one],
            Some(Self::Many(many)) => many,
        };
        // Without one it would fit every listener.
        ensure!(!list.is_empty(), "{name} is an empty list");
        Ok(list)
    }
}

impl Written {
    fn into_rule(self, folder: &Path) -> anyhow::Result<Rule> {
        let ports = Several::list(self.port, "port")?;
        let ports = ports.into_iter().map(|port| match port {
            Port::Number(number) => number.to_string().parse(),
            Port::Text(text) => text.parse(),
        });
        let addresses = Several::list(self.address, "address")?;
        let addresses = addresses.iter().map(|address| {
            address
                .parse()
                .with_context(|| format!("{address:?} is no IP address"))
        });
        let rule = Rule {
            ports: ports.collect::<Result<_, _>>()?,
            addresses: addresses.collect::<Result<_, _>>()?,
            programs: Several::list(self.program, "program")?,
            units: Several::list(self.unit, "unit")?,
            places: self.netns.as_deref().map_or(Ok(Places::Own), Places::written)?,
            queue: self.queue,
            keys: self
                .key_file
                .map(|file| key_options::read_file(&folder.join(file)))
                .transpose()?,
        };
        ensure!(
            !rule.ports.is_empty() || !rule.addresses.is_empty() || rule.asks_for_owners(),
            "it names no listener: port, address, program or unit; every listener has a port of \"1-65535\""
        );
        ensure!(
            rule.queue.is_none_or(|queue| i32::try_from(queue).is_ok()),
            "a queue is no longer than {}",
            i32::MAX
        );
        Ok(rule)
    }
}

impl Places {
    fn written(text: &str) -> anyhow::Result<Self> {
        match text {
            "all" => Ok(Self::All),
            text => text
                .parse()
                .map_or_else(|never: Infallible| match never {}, Self::named),
        }
    }

    /// That one, which must be the same for as long as a service runs.
    pub(super) fn named(namespace: Namespace) -> anyhow::Result<Self> {
        match namespace {
            Namespace::Process(pid) => bail!(
                "process {pid} names a network namespace only as long as it runs: name it (ip netns), or its file"
            ),
            namespace => Ok(Self::Named(namespace)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(text: &str) -> Rules {
        Rules::parse(text, Path::new("/etc/tfo")).unwrap()
    }

    fn here(address: &str) -> Spot<'static> {
        Spot {
            address: address.parse().unwrap(),
            is_own_namespace: true,
            names: &[],
        }
    }

    fn owner(name: &str, executable: &str, group: &str) -> Owner {
        Owner {
            name: name.to_owned(),
            executable: Some(executable.into()),
            groups: format!("0::/system.slice/{group}\n"),
        }
    }

    #[test]
    fn the_first_rule_that_fits_decides() {
        let rules = rules(
            "[[rule]]\nport = 22\nqueue = 0\n\
             [[rule]]\nport = [80, '8000-8099']\naddress = ['192.0.2.2', '::']\n\
             [[rule]]\nport = '1-65535'\nqueue = 5\n",
        );
        for (address, rule) in [
            ("0.0.0.0:22", 0),
            ("192.0.2.2:80", 1),
            ("[::ffff:192.0.2.2]:8099", 1),
            ("[::]:8000", 1),
            ("0.0.0.0:80", 2),
            ("192.0.2.2:8100", 2),
        ] {
            assert_eq!(rules.fit(here(address), None), Fit::Rule(rule), "{address}");
        }
        let queues: Vec<_> = rules.0.iter().map(|rule| rule.queue).collect();
        assert_eq!(queues, [Some(0), None, Some(5)]);
    }

    #[test]
    fn owners_are_asked_for_only_where_it_depends_on_them() {
        let rules = rules(
            "[[rule]]\nport = 80\n\
             [[rule]]\nprogram = ['/usr/sbin/nginx', 'a-very-long-program-name']\n\
             [[rule]]\nport = 6379\nunit = ['redis', 'pods.slice']\n",
        );
        assert_eq!(rules.fit(here("[::]:80"), None), Fit::Rule(0));
        assert_eq!(rules.fit(here("[::]:443"), None), Fit::DependsOnOwners);
        for (owner, port, fit) in [
            (owner("nginx", "/usr/sbin/nginx", "x"), 443, Fit::Rule(1)),
            (owner("nginx", "/tmp/nginx", "x"), 443, Fit::None),
            (owner("a-very-long-pro", "/a", "x"), 443, Fit::Rule(1)),
            (owner("redis", "/a", "redis.service"), 6379, Fit::Rule(2)),
            (owner("redis", "/a", "pods.slice/pod7"), 6379, Fit::Rule(2)),
            (owner("redis", "/a", "redis.service"), 6380, Fit::None),
        ] {
            let systemd = Owner::default();
            let owners = [systemd, owner.clone()];
            assert_eq!(
                rules.fit(here(&format!("[::]:{port}")), Some(&owners)),
                fit,
                "{owner:?} {port}"
            );
        }
    }

    #[test]
    fn a_rule_is_for_this_namespace_unless_it_names_others() {
        let rules = rules(
            "[[rule]]\nport = 1\n[[rule]]\nport = 2\nnetns = 'blue'\n[[rule]]\nport = 3\nnetns = 'all'\n",
        );
        let blue = [Namespace::File("/run/netns/blue".into())];
        let spot = |port: u16, is_own, names| Spot {
            address: SocketAddr::from(([0; 4], port)),
            is_own_namespace: is_own,
            names,
        };
        let fits = |own, names| [1, 2, 3].map(|port| rules.fit(spot(port, own, names), None) != Fit::None);
        assert_eq!(fits(true, &[]), [true, false, true]);
        assert_eq!(fits(false, &blue), [false, true, true]);
        assert_eq!(fits(false, &[]), [false, false, true]);
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_the_place() {
        for (text, told) in [
            ("", "no [[rule]]"),
            ("[[rule]]\n", "names no listener"),
            ("[[rule]]\nport = 1\n[[rule]]\nqueue = 1\n", "rule 2"),
            ("[[rule]]\nport = []\n", "port is an empty list"),
            ("[[rule]]\nport = 0\n", "\"0\" is no port"),
            ("[[rule]]\nport = '9-8'\n", "\"9-8\" is no port"),
            ("[[rule]]\nport = 65536\n", "line 2"),
            (
                "[[rule]]\naddress = 'localhost'\n",
                "\"localhost\" is no IP address",
            ),
            ("[[rule]]\nprot = 80\n", "unknown field `prot`"),
            ("[[rules]]\nport = 80\n", "unknown field `rules`"),
            ("[[rule]]\nport = 80\nqueue = 4294967295\n", "no longer than"),
            ("[[rule]]\nport = 80\nqueue = -1\n", "line 3"),
            ("[[rule]]\nport = 80\nnetns = '4711'\n", "only as long as it runs"),
            ("[[rule]]\nport = 80\nkey_file = 'no.key'\n", "/etc/tfo/no.key"),
            ("[[rule]\n", "line 1"),
        ] {
            let error = Rules::parse(text, Path::new("/etc/tfo")).unwrap_err();
            let error = format!("{error:#}");
            assert!(error.contains(told), "{text:?}: {error}");
        }
    }
}
