//! The services that a first request is known for: one table, from which everything that depends on the service is taken.

use std::fmt;

use serde::{Serialize, Serializer};

/// What a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Http,
    Tls,
    Dns,
    Redis,
}

/// What is to be known of a service. To add one: a variant, a row here, what is sent to it (`first_bytes.rs`), and its name in the
/// schemas of `probe` and `bench`; tests compare those with this table.
struct Facts {
    service: Service,
    /// In reports.
    name: &'static str,
    /// What is sent to it first, in words.
    request: &'static str,
    /// The schemes of its URLs, each with the port that it stands for.
    schemes: &'static [(&'static str, u16)],
    /// Ports on which it is expected besides those of its schemes.
    other_ports: &'static [u16],
    /// Whether its answer may begin so; of an answer that is cut short, what there is decides.
    may_answer: fn(&[u8]) -> bool,
}

const TABLE: &[Facts] = &[
    Facts {
        service: Service::Http,
        name: "http",
        request: "HTTP request",
        schemes: &[("http", 80)],
        other_ports: &[],
        may_answer: |bytes| agree(bytes, b"HTTP/"),
    },
    Facts {
        service: Service::Tls,
        name: "tls",
        request: "TLS ClientHello",
        schemes: &[("https", 443), ("tls", 443)],
        other_ports: &[465, 563, 636, 853, 989, 990, 991, 992, 993, 994, 995, 5061, 8443],
        may_answer: is_tls_record,
    },
    Facts {
        service: Service::Dns,
        name: "dns",
        request: "DNS query",
        schemes: &[("dns", 53)],
        other_ports: &[],
        may_answer: is_dns_response,
    },
    Facts {
        service: Service::Redis,
        name: "redis",
        request: "Redis PING",
        schemes: &[("redis", 6379)],
        other_ports: &[],
        // Or an error, as where a password is asked for.
        may_answer: |bytes| agree(bytes, b"+PONG") || agree(bytes, b"-"),
    },
];

/// The number of the DNS query that is sent.
pub(super) const DNS_ID: [u8; 2] = *b"TF";

/// Schemes of one service on the port of another.
const BORROWED_PORTS: &[(&str, Service, u16)] = &[("rediss", Service::Tls, 6379)];

impl Service {
    /// What is expected on a port that no other service claims.
    const DEFAULT: Self = Self::Http;

    fn facts(self) -> &'static Facts {
        // The first row stands in for none; a test sees to it that each service has its own.
        TABLE
            .iter()
            .find(|facts| facts.service == self)
            .unwrap_or(&TABLE[0])
    }

    /// What usually listens on a port; HTTP where nothing else does.
    pub(super) fn on_port(port: u16) -> Self {
        let expects = |facts: &&Facts| {
            facts.other_ports.contains(&port) || facts.schemes.iter().any(|(_, known)| *known == port)
        };
        TABLE
            .iter()
            .find(expects)
            .map_or(Self::DEFAULT, |facts| facts.service)
    }

    /// A URL's scheme: the service, and its port unless another is given.
    pub(super) fn by_scheme(scheme: &str) -> Option<(Self, u16)> {
        let (_, service, port) = schemes().find(|(known, ..)| known.eq_ignore_ascii_case(scheme))?;
        Some((service, port))
    }

    /// The service's name in reports.
    pub(crate) fn name(self) -> &'static str {
        self.facts().name
    }

    /// What is sent to it first, in words.
    pub(crate) fn request(self) -> &'static str {
        self.facts().request
    }

    /// The same with its article.
    pub(crate) fn a_request(self) -> String {
        let request = self.request();
        // HTTP is spelt out.
        match request.starts_with(['A', 'E', 'H', 'I', 'O']) {
            true => format!("an {request}"),
            false => format!("a {request}"),
        }
    }

    /// Whether these may be the first bytes of an answer from such a service.
    pub(crate) fn may_answer(self, bytes: &[u8]) -> bool {
        (self.facts().may_answer)(bytes)
    }
}

/// Whether the bytes are a beginning of that one, or go on after it.
fn agree(bytes: &[u8], beginning: &[u8]) -> bool {
    let len = beginning.len().min(bytes.len());
    bytes[..len] == beginning[..len]
}

/// A record of TLS 1.0 to 1.3: an alert or a handshake (RFC 8446, section 5.1).
fn is_tls_record(bytes: &[u8]) -> bool {
    const ALERT: u8 = 21;
    const HANDSHAKE: u8 = 22;
    const MAJOR_VERSION: u8 = 3;
    bytes
        .first()
        .is_none_or(|kind| matches!(*kind, ALERT | HANDSHAKE))
        && bytes.get(1).is_none_or(|version| *version == MAJOR_VERSION)
}

/// A response to the query that is sent (RFC 1035, sections 4.1.1 and 4.2.2): after the length it has the query's number, and the bit QR.
fn is_dns_response(bytes: &[u8]) -> bool {
    const LENGTH: usize = 2;
    const RESPONSE: u8 = 0x80;
    let message = bytes.get(LENGTH..).unwrap_or_default();
    agree(message, &DNS_ID)
        && message
            .get(DNS_ID.len())
            .is_none_or(|flags| flags & RESPONSE != 0)
}

impl Serialize for Service {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

fn schemes() -> impl Iterator<Item = (&'static str, Service, u16)> {
    let own = TABLE.iter().flat_map(|facts| {
        let schemes = facts.schemes.iter();
        schemes.map(|(scheme, port)| (*scheme, facts.service, *port))
    });
    own.chain(BORROWED_PORTS.iter().copied())
}

/// Every scheme, as a sentence lists them: `http, https, tls or dns`.
pub(super) struct Schemes;

impl fmt::Display for Schemes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&listed(schemes().map(|(scheme, ..)| scheme.to_owned())))
    }
}

/// What is sent to each service, as the help says it: `an HTTP request, a TLS ClientHello or a DNS query`.
pub(crate) fn all_requests() -> String {
    listed(TABLE.iter().map(|facts| facts.service.a_request()))
}

fn listed(items: impl Iterator<Item = String>) -> String {
    let items: Vec<_> = items.collect();
    match items.as_slice() {
        [] => String::new(),
        [only] => only.clone(),
        [others @ .., last] => format!("{} or {last}", others.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &[Service] = &[Service::Http, Service::Tls, Service::Dns, Service::Redis];

    /// The match makes a new service fail to compile here until it is listed.
    fn is_listed(service: Service) -> bool {
        match service {
            Service::Http | Service::Tls | Service::Dns | Service::Redis => ALL.contains(&service),
        }
    }

    #[test]
    fn each_service_has_one_row_and_no_port_has_two() {
        assert!(ALL.iter().copied().all(is_listed));
        assert_eq!(TABLE.len(), ALL.len());
        for &service in ALL {
            assert_eq!(service.facts().service, service);
        }
        let mut ports: Vec<_> = TABLE
            .iter()
            .flat_map(|facts| {
                let mut own: Vec<_> = facts.schemes.iter().map(|(_, port)| *port).collect();
                own.dedup();
                own.extend(facts.other_ports);
                own
            })
            .collect();
        ports.sort_unstable();
        let claimed = ports.len();
        ports.dedup();
        assert_eq!(claimed, ports.len());
    }

    #[test]
    fn the_schemas_know_every_service() {
        let schema = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        let names: Vec<_> = TABLE
            .iter()
            .map(|facts| serde_json::Value::from(facts.name))
            .collect();
        let bench = schema(include_str!("../../schemas/bench.json"));
        assert_eq!(
            bench["$defs"]["report"]["properties"]["service"]["enum"],
            serde_json::Value::from(names.clone())
        );
        let probe = schema(include_str!("../../schemas/probe.json"));
        let or_none = [names, vec![serde_json::Value::Null]].concat();
        assert_eq!(
            probe["$defs"]["report"]["properties"]["service"]["enum"],
            serde_json::Value::from(or_none)
        );
    }

    #[test]
    fn sentences_list_the_whole_table() {
        assert_eq!(Schemes.to_string(), "http, https, tls, dns, redis or rediss");
        assert_eq!(
            all_requests(),
            "an HTTP request, a TLS ClientHello, a DNS query or a Redis PING"
        );
    }

    #[test]
    fn an_answer_is_told_from_a_greeting() {
        let greetings: [&[u8]; 6] = [
            b"SSH-2.0-OpenSSH_10.0\r\n",
            b"220 mail.example ESMTP\r\n",
            b"+OK POP3 ready\r\n",
            b"* OK IMAP4rev1\r\n",
            b"RFB 003.008\n",
            b"J\0\0\0\n8.0.36\0",
        ];
        let answers: [(Service, &[&[u8]]); 4] = [
            (Service::Http, &[b"HTTP/1.1 200 OK\r\n", b"HT"]),
            (
                Service::Tls,
                &[b"\x16\x03\x03\0\x7a\x02", b"\x15\x03\x01\0\x02\x02\x28", b"\x16"],
            ),
            (Service::Dns, &[b"\0\x11TF\x81\x80", b"\x02\x30TF\x81\x05", b"\0"]),
            (Service::Redis, &[b"+PONG\r\n", b"-NOAUTH", b"-ERR", b"+"]),
        ];
        for (service, own) in answers {
            for greeting in greetings {
                assert!(
                    !service.may_answer(greeting),
                    "{service:?}: {}",
                    greeting.escape_ascii()
                );
            }
            for (other, bytes) in answers {
                assert_eq!(
                    service.may_answer(bytes[0]),
                    other == service,
                    "{service:?}, {other:?}"
                );
            }
            assert!(own.iter().all(|bytes| service.may_answer(bytes)), "{service:?}");
        }
        assert!(
            !Service::Dns.may_answer(b"\0\x11TF\x01\0"),
            "the query itself, as from an echo server"
        );
    }
}
