//! Which listeners are to have Fast Open: rules, from a file or from arguments.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

use anyhow::bail;
use fastopen::KeyRing;

use super::super::cgroup;
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
    /// Those of the paths that rules name which lead to its executable.
    pub(super) programs: Vec<String>,
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

/// Whether a program is named by its path.
pub(super) fn is_path(program: &str) -> bool {
    program.contains('/')
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

    pub(super) fn asks_for_owners(&self) -> bool {
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
        if is_path(program) {
            return self.programs.iter().any(|path| path == program);
        }
        let cut = program.as_bytes().get(..LONGEST).unwrap_or(program.as_bytes());
        self.name.as_bytes() == cut
    }
}

/// One port, or several in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ports(pub(super) RangeInclusive<u16>);

impl From<u16> for Ports {
    fn from(port: u16) -> Self {
        Self(port..=port)
    }
}

impl Places {
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
    use std::path::Path;

    use super::super::rules_file;
    use super::*;

    fn rules(text: &str) -> Rules {
        rules_file::parse(text, Path::new("/etc/tfo/enable.toml")).unwrap()
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
            programs: vec![executable.to_owned()],
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
}
