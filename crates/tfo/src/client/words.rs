//! What an outcome means, and what to do next, in words.

use std::borrow::Cow;

use fastopen::{Outcome, Reason};

use super::report::{Delivery, End, MEASURABLE, Refused, Report};
use crate::own_server::OwnServer;

/// What happened to the SYN and the data in it.
pub(crate) fn explain(report: &Report, outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Accepted if report.server_first => {
            "the server spoke before this client's ACK could have reached it, which saved a round trip"
        }
        Outcome::Accepted => explain_accepted(report),
        Outcome::NoCookie => "no cookie for this server was cached, so an ordinary handshake asked for one",
        Outcome::Ignored => match report.cookie_replaced {
            Some(true) => {
                "the cookie was invalid: the server refused it and granted another; the data in the SYN was sent again after the handshake"
            }
            Some(false) => {
                "the data in the SYN was not accepted, and the cookie was not replaced; the data was sent again after the handshake"
            }
            None => "the data in the SYN was not accepted; it was sent again after the handshake",
        },
        Outcome::SynLost => match report.fast_syn_refused() {
            Some(Refused::Reset) => {
                "the SYN with the Fast Open option was refused (answered with a reset), and a plain one connected"
            }
            Some(Refused::Icmp) => {
                "the SYN with the Fast Open option was answered with an ICMP error, and a plain one connected"
            }
            None => "the SYN with the Fast Open option got no answer, and a plain one connected",
        },
        Outcome::NotAttempted(reason) => explain_reason(reason),
        Outcome::Unknown if report.server_first => explain_unproven(report),
        _ => "the system does not report what became of the SYN",
    }
}

fn explain_accepted(report: &Report) -> &'static str {
    match report.end {
        _ if report.received > 0 => "the server took the data in the SYN, which saved a round trip",
        _ if report.broke_after_the_handshake() => {
            "the SYN-ACK acknowledged the data in the SYN, but nothing that followed it was acknowledged, and no answer arrived"
        }
        Some(End::Reset) => "the server took the data in the SYN, and reset the connection without an answer",
        Some(End::Silent) if matches!(report.delivery, Some(Delivery::CutOff | Delivery::Unacknowledged)) => {
            "the server took the data in the SYN, then stopped taking more, and sent no answer"
        }
        Some(End::Broken) => {
            "the server took the data in the SYN, and the connection broke without an answer"
        }
        Some(End::Closed) => {
            "the server took the data in the SYN, and closed the connection without an answer"
        }
        Some(End::Interrupted) => {
            "the server took the data in the SYN, and had sent no answer when the wait was interrupted"
        }
        _ => "the server took the data in the SYN, and sent no answer",
    }
}

fn explain_unproven(report: &Report) -> &'static str {
    match report.cookie_replaced {
        Some(true) => {
            "the cookie was invalid: the server refused it and granted another, so this was an ordinary handshake"
        }
        _ if report.received == 0 => {
            "the SYN presented the cookie and carried no data, and the server has not spoken"
        }
        _ => {
            "the SYN presented the cookie and carried no data; the server spoke too late to prove that it did so before this client's ACK"
        }
    }
}

fn explain_reason(reason: Reason) -> &'static str {
    match reason {
        Reason::Policy => "an ordinary handshake, as asked for",
        Reason::Sysctl => "the client bit of net.ipv4.tcp_fastopen is off on this machine",
        Reason::Unsupported => "this system has no TCP Fast Open for clients",
        Reason::PathMemory => "it failed on this path a moment ago, so this was an ordinary handshake",
        Reason::Dataless => "there was no data to put into the SYN, so this was an ordinary handshake",
        Reason::Blackhole => {
            "the kernel has switched Fast Open off for a while, after a fast connection of this machine kept timing out"
        }
        _ => "an ordinary handshake",
    }
}

/// What to do next, if anything, whatever the program.
pub(crate) fn next_step(report: &Report) -> Option<Cow<'static, str>> {
    match report.own_server.as_ref().and_then(OwnServer::switch_on) {
        Some(commands) => Some(Cow::Owned(format!(
            "on this machine Fast Open is off for that server; to switch it on now: {commands}; to keep it on: tfo doctor"
        ))),
        None => whatever_the_server(report).map(Cow::Borrowed),
    }
}

fn whatever_the_server(report: &Report) -> Option<&'static str> {
    let Some(outcome) = report.outcome else {
        return report.failure.as_ref()?.hint();
    };
    match outcome {
        Outcome::Accepted if report.broke_after_the_handshake() => Some(
            "see whether the same connection works without Fast Open; if it does, something on the path breaks those whose SYN carried data",
        ),
        Outcome::Accepted if report.is_unanswered() && report.end == Some(End::Silent) => Some(
            "only an answer shows that the connection works after the handshake: send what this server answers, or see whether it answers without Fast Open",
        ),
        Outcome::Accepted => None,
        Outcome::NoCookie => Some(match report.cookie_cached {
            Some(true) => {
                "run it again: the server has granted a cookie, and the next connection presents it"
            }
            Some(false) => {
                "the server granted no cookie: on Linux Fast Open is off for servers by default (run tfo doctor there); a proxy in front of it, SYN cookies or a path that strips the option look the same; tfo probe tells some of these apart"
            }
            None => "run it again: if the server granted a cookie, the next connection presents it",
        }),
        Outcome::Ignored => Some(match report.cookie_replaced {
            Some(true) => {
                "run it again: the next connection presents the new cookie; if that one is refused too, servers with different keys share the address, or this machine's address changes on the way (NAT)"
            }
            Some(false) => {
                "no other cookie was granted, so different keys are an unlikely reason: the server's queue of unconfirmed connections is full, its Fast Open was switched off (run tfo doctor there), or the path strips the option or answers in the server's place"
            }
            None => {
                "run it again: a server with new keys has just granted a new cookie; if it stays so, tfo probe names the causes that are left"
            }
        }),
        Outcome::SynLost => Some(match report.fast_syn_refused() {
            Some(Refused::Reset) => {
                "something on the path, or in front of the server, answers SYNs with Fast Open by a reset; this process does not use it there for a minute"
            }
            Some(Refused::Icmp) => {
                "a router or firewall on the path refuses SYNs with Fast Open; this process does not use it there for a minute"
            }
            None => {
                "something on the path drops SYNs with Fast Open; this process does not use it there for a minute"
            }
        }),
        Outcome::NotAttempted(reason) => next_step_for(reason),
        Outcome::Unknown if report.server_first => Some(next_step_unproven(report)),
        _ => Some("a capture shows it: tcpdump -n -i any 'tcp[tcpflags] & tcp-syn != 0'"),
    }
}

fn next_step_unproven(report: &Report) -> &'static str {
    match report.cookie_replaced {
        Some(true) => "run it again: the next connection presents the new cookie",
        _ if report.received == 0 => {
            "does this server speak first? Those of HTTP and TLS wait for the client"
        }
        _ if report.rtt.is_some_and(|rtt| rtt < MEASURABLE) => {
            "this can't be determined over so short a path: try it from farther away, or see the packets with tfo trace"
        }
        _ => {
            "compare the time of the first byte with that of an ordinary handshake: a server that takes its time looks like this even where a round trip was saved"
        }
    }
}

fn next_step_for(reason: Reason) -> Option<&'static str> {
    match reason {
        Reason::Sysctl => Some("switch it on; tfo doctor prints the command"),
        Reason::PathMemory => Some("it is tried again after a minute"),
        Reason::Dataless => Some("give it something to send"),
        Reason::Blackhole => Some(
            "the kernel tries again by itself (net.ipv4.tcp_fastopen_blackhole_timeout_sec); a bad path is the cause (tfo probe finds it), or a client that vanished while a server here was answering it",
        ),
        _ => None,
    }
}
