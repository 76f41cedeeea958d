//! Scenarios as TOML, and what must hold for every one of them.

use std::collections::HashSet;
use std::str::FromStr;

use super::{HostSpec, Rule, Scenario};

/// As many hosts and farms as the lab has addresses for.
const MAX_MEMBERS: usize = 200;

/// Why a scenario is not valid.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ScenarioError {
    /// The text is not TOML, or says something that no scenario has; the message shows where.
    #[error("{0}")]
    Text(#[from] toml::de::Error),
    /// The scenario names a host or farm that isn't there.
    #[error("{place} names {name:?}, which is none of {}", known.join(", "))]
    UnknownHost {
        /// Where it stands, such as `rules[2].from`.
        place: String,
        /// The name.
        name: String,
        /// The names that there are.
        known: Vec<String>,
    },
    /// Two hosts or farms have the same name, or one has none.
    #[error("{0:?} can't name a host or a farm: each needs a name of its own")]
    Name(String),
    /// There are more hosts and farms than addresses, or none at all.
    #[error("a lab has 1 to {MAX_MEMBERS} hosts and farms, not {0}")]
    Count(usize),
    /// A host can't have that MTU.
    #[error("{host}: an MTU lies between 68 and 65535 bytes, not {mtu}")]
    Mtu {
        /// The host.
        host: String,
        /// The MTU.
        mtu: u32,
    },
    /// A farm has no members.
    #[error("the farm {0:?} has no members")]
    EmptyFarm(String),
}

impl FromStr for Scenario {
    type Err = ScenarioError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let scenario: Self = toml::from_str(text)?;
        scenario.check()?;
        Ok(scenario)
    }
}

impl Scenario {
    /// The scenario as a TOML file, which parses to the same scenario again.
    pub fn to_toml(&self) -> String {
        toml::to_string_pretty(self).unwrap_or_else(|error| unreachable!("a scenario fits TOML: {error}"))
    }

    /// Checks what the parser does not: names, numbers and MTUs. [`Lab::new`](crate::Lab::new) calls it.
    pub(crate) fn check(&self) -> Result<(), ScenarioError> {
        let members = self.hosts.len() + self.farms.len();
        if self.hosts.is_empty() || members > MAX_MEMBERS {
            return Err(ScenarioError::Count(members));
        }
        let mut names = HashSet::new();
        for name in self.names() {
            if name.is_empty() || !names.insert(name) {
                return Err(ScenarioError::Name(name.to_owned()));
            }
        }
        self.hosts.iter().try_for_each(check_mtu)?;
        for (index, farm) in self.farms.iter().enumerate() {
            if farm.members.is_empty() {
                return Err(ScenarioError::EmptyFarm(farm.name.clone()));
            }
            for member in &farm.members {
                self.check_name(&format!("farms[{index}].members"), member, false)?;
            }
        }
        self.check_rules(&self.rules)
    }

    pub(crate) fn check_rules(&self, rules: &[Rule]) -> Result<(), ScenarioError> {
        for (index, rule) in rules.iter().enumerate() {
            if let Some(name) = &rule.from {
                self.check_name(&format!("rules[{index}].from"), name, false)?;
            }
            if let Some(name) = &rule.to {
                self.check_name(&format!("rules[{index}].to"), name, true)?;
            }
        }
        Ok(())
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        let hosts = self.hosts.iter().map(|host| host.name.as_str());
        hosts.chain(self.farms.iter().map(|farm| farm.name.as_str()))
    }

    fn check_name(&self, place: &str, name: &str, farms_too: bool) -> Result<(), ScenarioError> {
        let count = self.hosts.len() + if farms_too { self.farms.len() } else { 0 };
        if self.names().take(count).any(|known| known == name) {
            return Ok(());
        }
        Err(ScenarioError::UnknownHost {
            place: place.to_owned(),
            name: name.to_owned(),
            known: self.names().take(count).map(str::to_owned).collect(),
        })
    }
}

fn check_mtu(host: &HostSpec) -> Result<(), ScenarioError> {
    if (68..=65535).contains(&host.mtu) {
        return Ok(());
    }
    Err(ScenarioError::Mtu {
        host: host.name.clone(),
        mtu: host.mtu,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{Action, Balance, Farm, Forgery, Moment, OptionState, Pick, Rebind, SegmentKind};
    use super::*;

    fn error(text: &str) -> String {
        text.parse::<Scenario>().unwrap_err().to_string()
    }

    #[test]
    fn a_scenario_with_everything_comes_back() {
        let mut replay = Rule::replay(Duration::from_millis(1500)).on(SegmentKind::Syn);
        if let Action::Replay(replay) = &mut replay.action {
            (replay.closed, replay.source_port) = (true, Some(4242));
        }
        let rebind = Rebind {
            ipv4: [198, 51, 100, 7].into(),
            ipv6: [0x2001, 0xdb8, 1, 0, 0, 0, 0, 7].into(),
        };
        let scenario = Scenario::new("everything")
            .with_about("One of each.")
            .with_rtt(Duration::from_micros(60_500))
            .with_seed(7)
            .with_host(HostSpec::raw("attacker").with_mtu(1400))
            .with_host(HostSpec::new("second").with_sysctl("net.ipv4.tcp_fastopen", "1027"))
            .with_farm(Farm::new("web", ["server", "second"]).with_balance(Balance::Hash))
            .with_rule(Rule::delay(Duration::from_millis(3)).from("client").to("web"))
            .with_rule(Rule::drop().pick(Pick::Probability(0.25)).with_data(true))
            .with_rule(Rule::duplicate().pick(Pick::Every(3)).longer_than(1000))
            .with_rule(Rule::strip_option().pick(Pick::From(2)).port(80))
            .with_rule(
                Rule::reset()
                    .on(SegmentKind::SynAck)
                    .with_option(OptionState::Cookie),
            )
            .with_rule(Rule::forge_cookie(Forgery::Invert).pick(Pick::Nth(2)))
            .with_rule(Rule::forge_cookie(Forgery::Set(vec![1, 0xfe, 3])))
            .with_rule(Rule::forge_cookie(Forgery::Resize(6)).pick(Pick::First(2)))
            .with_rule(Rule::hold(Moment::Released).on(SegmentKind::HandshakeAck))
            .with_rule(Rule::hold(Moment::After(Duration::from_secs(1))).on(SegmentKind::Established))
            .with_rule(replay)
            .with_rule(Rule::rebind(rebind))
            .with_rule(Rule::syn_proxy())
            .with_rule(Rule::blackhole());
        let text = scenario.to_toml();
        assert_eq!(text.parse(), Ok(scenario), "{text}");
    }

    #[test]
    fn the_least_that_a_file_says_is_its_name() {
        assert_eq!("name = \"short\"".parse(), Ok(Scenario::new("short")));
    }

    #[test]
    fn errors_show_where() {
        for (text, line, why) in [
            ("name = 'x'\nrrt = '1ms'", "line 2", "unknown field `rrt`"),
            ("name = 'x'\nrtt = 'soon'", "line 2", "not a duration"),
            (
                "name = 'x'\n\n[[rules]]\ndo = 'explode'",
                "line 4",
                "unknown variant `explode`",
            ),
            (
                "name = 'x'\n[[rules]]\ndo = 'drop'\ndata = 3",
                "line 4",
                "expected a boolean",
            ),
            (
                "name = 'x'\n[[rules]]\ndo = 'drop'\npick = { nth = 0 }",
                "line 4",
                "counted from 1",
            ),
            (
                "name = 'x'\n[[rules]]\ndo = 'drop'\npick = { probability = 2.0 }",
                "line 4",
                "between 0 and 1",
            ),
            (
                "name = 'x'\n[[rules]]\ndo = { forge-cookie = { set = 'abc' } }",
                "line 3",
                "hexadecimal",
            ),
            (
                "name = 'x'\n[[rules]]\ndata = true",
                "line 2",
                "missing field `do`",
            ),
        ] {
            let error = error(text);
            assert!(error.contains(line) && error.contains(why), "{text}\n{error}");
        }
    }

    #[test]
    fn names_that_mean_nothing_are_told_with_their_place() {
        assert_eq!(
            error("name = 'x'\n[[rules]]\ndo = 'drop'\n[[rules]]\ndo = 'drop'\nto = 'sever'"),
            r#"rules[1].to names "sever", which is none of client, server"#
        );
        assert!(
            error("name = 'x'\n[[farms]]\nname = 'web'\nmembers = ['nobody']")
                .starts_with("farms[0].members")
        );
        assert!(
            error("name = 'x'\n[[hosts]]\nname = 'a'\n[[hosts]]\nname = 'a'").contains("name of its own")
        );
        assert!(error("name = 'x'\nhosts = []").contains("1 to 200"));
        assert!(error("name = 'x'\n[[hosts]]\nname = 'a'\nmtu = 9").contains("68"));
    }
}
