//! Which destinations may get data in a SYN: pure, but for the names that are resolved when a rule is read.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::ops::RangeInclusive;
use std::str::FromStr;

/// The ports on which the first bytes do no harm when they arrive twice, and the client speaks first.
///
/// A TLS hello starts a new handshake and no more; a DNS query is a question; PostgreSQL begins with a request for TLS or a greeting.
/// An HTTP request can be a POST, but those who repeat it, as proxies and browsers do after a broken connection, are expected there.
const HARMLESS: &[RangeInclusive<u16>] = &[
    // TLS: HTTPS, SMTP, LDAP, DNS, FTP, Telnet, IMAP, POP3, SIP, XMPP, AMQP, Kubernetes, IRC, HTTPS, MQTT.
    443..=443,
    465..=465,
    636..=636,
    853..=853,
    989..=990,
    992..=993,
    995..=995,
    5061..=5061,
    5223..=5223,
    5671..=5671,
    6443..=6443,
    6697..=6697,
    8443..=8443,
    8883..=8883,
    // DNS.
    53..=53,
    // HTTP and HTTP proxies.
    80..=80,
    3128..=3128,
    8000..=8000,
    8008..=8008,
    8080..=8080,
    8888..=8888,
    // PostgreSQL.
    5432..=5432,
];

/// Which destinations are meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// If there are any, only what one of these names.
    pub only: Vec<Rule>,
    /// Not what one of these names.
    pub except: Vec<Rule>,
    /// Every port, and this machine itself too.
    pub all: bool,
}

impl Rules {
    /// Whether this destination may get data in a SYN.
    ///
    /// Without rules: the ports whose first bytes are harmless to repeat; and nothing on this machine itself, where there is no round trip
    /// to save.
    pub fn allow(&self, destination: SocketAddr) -> bool {
        let named = |rules: &[Rule]| rules.iter().any(|rule| rule.names(destination));
        let ip = destination.ip().to_canonical();
        if destination.port() == 0 || ip.is_unspecified() || ip.is_multicast() || named(&self.except) {
            return false;
        }
        if !self.only.is_empty() {
            return named(&self.only);
        }
        self.all || (!ip.is_loopback() && HARMLESS.iter().any(|ports| ports.contains(&destination.port())))
    }
}

/// Hosts and ports: `HOST:PORTS`, `NETWORK/BITS:PORTS`, `:PORTS` or `HOST`, where ports are numbers and ranges with commas between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// None: any host.
    networks: Vec<Network>,
    /// None: any port.
    ports: Vec<RangeInclusive<u16>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    bits: u8,
}

impl Rule {
    fn names(&self, destination: SocketAddr) -> bool {
        let ip = destination.ip().to_canonical();
        (self.networks.is_empty() || self.networks.iter().any(|network| network.contains(ip)))
            && (self.ports.is_empty() || self.ports.iter().any(|ports| ports.contains(&destination.port())))
    }
}

impl Network {
    fn contains(self, ip: IpAddr) -> bool {
        let (ours, theirs, width) = match (self.address, ip) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => (ours.to_bits().into(), theirs.to_bits().into(), 32),
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => (ours.to_bits(), theirs.to_bits(), 128),
            _ => return false,
        };
        let differing: u128 = ours ^ theirs;
        differing.checked_shr(width - u32::from(self.bits)).unwrap_or(0) == 0
    }
}

/// Text that is no rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseRuleError {
    /// There is nothing in it.
    #[error("it is empty; a rule names hosts, ports or both, as in example.com, :443 or 192.0.2.0/24:80")]
    Empty,
    /// The ports.
    #[error(
        "'{0}' is no port; ports are numbers from 1 to 65535 and ranges of them, as in :80,443,8000-8080"
    )]
    Ports(String),
    /// The network.
    #[error(
        "'{0}' is no network: that is an address and the number of its bits, as in 192.0.2.0/24:80 or [2001:db8::]/32:443"
    )]
    Network(String),
    /// The host.
    #[error("'{0}' is no host; a rule names one, as in example.com:443, and the option may be repeated")]
    Host(String),
    /// Ports without a colon.
    #[error("'{0}' is no host; for ports: did you mean :{0}?")]
    NoColon(String),
    /// The name.
    #[error("{name} can't be resolved: {problem}")]
    Name {
        /// The name.
        name: String,
        /// What the resolver said.
        problem: String,
    },
}

impl FromStr for Rule {
    type Err = ParseRuleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if matches!(text.trim(), "" | ":" | ",") {
            return Err(ParseRuleError::Empty);
        }
        if text.contains("://") {
            return Err(ParseRuleError::Host(text.to_owned()));
        }
        // The resolver takes a number for an address.
        if text != "*" && parse_ports(text).is_ok() {
            return Err(ParseRuleError::NoColon(text.to_owned()));
        }
        let (host, ports) = split(text)?;
        // First what needs no resolver.
        let ports = ports.map_or(Ok(Vec::new()), parse_ports)?;
        Ok(Self {
            networks: networks(&host)?,
            ports,
        })
    }
}

/// The host or network, without brackets, and the ports.
fn split(text: &str) -> Result<(Cow<'_, str>, Option<&str>), ParseRuleError> {
    if let Some(rest) = text.strip_prefix('[') {
        let not_closed = || ParseRuleError::Network(text.to_owned());
        let (host, rest) = rest.split_once(']').ok_or_else(not_closed)?;
        // The number of bits may stand in the brackets or behind them.
        let (bits, ports) = match rest.split_once(':') {
            Some((bits, ports)) => (bits, Some(ports)),
            None => (rest, None),
        };
        return match bits {
            "" => Ok((host.into(), ports)),
            bits if bits.starts_with('/') => Ok((format!("{host}{bits}").into(), ports)),
            other => Err(ParseRuleError::Ports(other.to_owned())),
        };
    }
    Ok(match text.rsplit_once(':') {
        // An IPv6 address or network without brackets has no port.
        Some((host, _)) if host.contains(':') => (text.into(), None),
        Some((host, ports)) => (host.into(), Some(ports)),
        None => (text.into(), None),
    })
}

fn parse_ports(text: &str) -> Result<Vec<RangeInclusive<u16>>, ParseRuleError> {
    if text == "*" {
        return Ok(Vec::new());
    }
    let port = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0);
    let range = |text: &str| match text.split_once('-') {
        None => port(text).map(|port| port..=port),
        Some((first, last)) => {
            let range = port(first)?..=port(last)?;
            (!range.is_empty()).then_some(range)
        }
    };
    text.split(',')
        .map(|part| range(part).ok_or_else(|| ParseRuleError::Ports(part.to_owned())))
        .collect()
}

fn networks(host: &str) -> Result<Vec<Network>, ParseRuleError> {
    if matches!(host, "" | "*") {
        return Ok(Vec::new());
    }
    let network = |address: IpAddr, bits| Network {
        address: address.to_canonical(),
        bits,
    };
    let width = |address: IpAddr| if address.to_canonical().is_ipv4() { 32 } else { 128 };
    if let Some((address, bits)) = host.split_once('/') {
        let parsed = || {
            let address: IpAddr = address.parse().ok()?;
            let bits: u8 = bits.parse().ok()?;
            (bits <= width(address)).then(|| vec![network(address, bits)])
        };
        return parsed().ok_or_else(|| ParseRuleError::Network(host.to_owned()));
    }
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![network(address, width(address))]);
    }
    if host.contains(|character: char| character == ',' || character == ':' || character.is_whitespace()) {
        return Err(ParseRuleError::Host(host.to_owned()));
    }
    let failed = |problem: String| ParseRuleError::Name {
        name: host.to_owned(),
        problem,
    };
    let resolved = (host, 0)
        .to_socket_addrs()
        .map_err(|error| failed(error.to_string()))?;
    let found: Vec<_> = resolved
        .map(|address| network(address.ip(), width(address.ip())))
        .collect();
    if found.is_empty() {
        return Err(failed("it has no address".to_owned()));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(only: &[&str], except: &[&str], all: bool) -> Rules {
        let parse = |rules: &[&str]| rules.iter().map(|rule| rule.parse().unwrap()).collect();
        Rules {
            only: parse(only),
            except: parse(except),
            all,
        }
    }

    fn allows(rules: &Rules, destination: &str) -> bool {
        rules.allow(destination.parse().unwrap())
    }

    #[test]
    fn without_rules_only_harmless_ports_of_other_machines() {
        let rules = rules(&[], &[], false);
        for yes in [
            "192.0.2.1:443",
            "[2001:db8::1]:80",
            "192.0.2.1:53",
            "192.0.2.1:5432",
        ] {
            assert!(allows(&rules, yes), "{yes}");
        }
        for no in [
            "192.0.2.1:22",
            "192.0.2.1:25",
            "192.0.2.1:6379",
            "127.0.0.1:443",
            "[::1]:443",
            "0.0.0.0:80",
        ] {
            assert!(!allows(&rules, no), "{no}");
        }
    }

    #[test]
    fn all_is_every_port_and_this_machine_too() {
        let rules = rules(&[], &[":25"], true);
        assert!(allows(&rules, "192.0.2.1:6379") && allows(&rules, "127.0.0.1:80"));
        assert!(!allows(&rules, "192.0.2.1:25") && !allows(&rules, "192.0.2.1:0"));
    }

    #[test]
    fn only_names_hosts_networks_and_ports() {
        let rules = rules(
            &[
                "192.0.2.0/25:6379,8000-8010",
                "[2001:db8::/32]:443",
                "198.51.100.7",
            ],
            &["192.0.2.5"],
            false,
        );
        for yes in [
            "192.0.2.1:6379",
            "192.0.2.127:8005",
            "[::ffff:192.0.2.1]:8000",
            "[2001:db8:1::1]:443",
            "198.51.100.7:22",
        ] {
            assert!(allows(&rules, yes), "{yes}");
        }
        for no in [
            "192.0.2.128:6379",
            "192.0.2.1:443",
            "192.0.2.5:6379",
            "[2001:db9::1]:443",
            "[2001:db8::1]:80",
            "198.51.100.8:443",
        ] {
            assert!(!allows(&rules, no), "{no}");
        }
    }

    #[test]
    fn networks_of_any_width() {
        for (rule, inside, outside) in [
            ("0.0.0.0/0:1", "203.0.113.9:1", "[2001:db8::1]:1"),
            ("[::/0]:1", "[2001:db8::1]:1", "203.0.113.9:1"),
            ("[2001:db8::]/32:1", "[2001:db8:1::]:1", "[2001:db9::]:1"),
            ("203.0.113.9/32:1", "203.0.113.9:1", "203.0.113.8:1"),
            ("2001:db8::1", "[2001:db8::1]:9", "[2001:db8::2]:9"),
        ] {
            let rules = rules(&[rule], &[], false);
            assert!(allows(&rules, inside) && !allows(&rules, outside), "{rule}");
        }
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        use ParseRuleError::{Empty, Host, Network, NoColon, Ports};
        type Refusal = fn(String) -> ParseRuleError;
        let refused: [(&str, Refusal, &str); 16] = [
            ("80", NoColon, "80"),
            ("80,443", NoColon, "80,443"),
            ("8000-8080", NoColon, "8000-8080"),
            (":0", Ports, "0"),
            (":80-70", Ports, "80-70"),
            (":80,", Ports, ""),
            ("no.such.host.invalid:99999", Ports, "99999"),
            ("192.0.2.0/33:80", Network, "192.0.2.0/33"),
            ("192.0.2.0/x:80", Network, "192.0.2.0/x"),
            ("[2001:db8::/32", Network, "[2001:db8::/32"),
            ("[2001:db8::]/129", Network, "2001:db8::/129"),
            ("[2001:db8::/32]443", Ports, "443"),
            ("example.com/8", Network, "example.com/8"),
            ("https://example.com:443", Host, "https://example.com:443"),
            ("a.example,b.example", Host, "a.example,b.example"),
            ("example.com:80:443", Host, "example.com:80:443"),
        ];
        for (text, error, part) in refused {
            assert_eq!(text.parse::<Rule>(), Err(error(part.to_owned())), "{text}");
        }
        for text in ["", " ", ":", ","] {
            assert_eq!(text.parse::<Rule>(), Err(Empty), "{text:?}");
        }
        assert!(matches!(
            "no.such.host.invalid:80".parse::<Rule>(),
            Err(ParseRuleError::Name { .. })
        ));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_taken_or_refused(text in "(\\[[0-9:./]{0,12}\\])?:[0-9,*-]{0,12}") {
            let _ = text.parse::<Rule>();
        }
    }
}
