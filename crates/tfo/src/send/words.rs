//! What an outcome means, and what to do next, in words.

use fastopen::{Outcome, Reason};

use super::report::Report;

/// What an outcome means.
pub(crate) fn explain(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Accepted => "the server took the data in the SYN, which saved a round trip",
        Outcome::NoCookie => "no cookie for this server was cached, so an ordinary handshake asked for one",
        Outcome::Ignored => {
            "the SYN carried data that the server did not take; the kernel sent it again, and nothing is lost"
        }
        Outcome::SynLost => "the SYN with the Fast Open option got no answer, and a plain one connected",
        Outcome::NotAttempted(reason) => explain_reason(reason),
        _ => "the system does not tell what became of the SYN",
    }
}

fn explain_reason(reason: Reason) -> &'static str {
    match reason {
        Reason::Policy => "an ordinary handshake, as asked for",
        Reason::Sysctl => "the client bit of net.ipv4.tcp_fastopen is off on this machine",
        Reason::Unsupported => "this system has no TCP Fast Open for clients",
        Reason::PathMemory => "it failed on this path a moment ago, so this was an ordinary handshake",
        Reason::Dataless => "there was no data to put into the SYN, so this was an ordinary handshake",
        Reason::Blackhole => "the kernel has switched Fast Open off for a while, after it failed",
        _ => "an ordinary handshake",
    }
}

/// What to do next, if anything.
pub(crate) fn next_step(report: &Report) -> Option<&'static str> {
    let Some(outcome) = report.outcome else {
        return report.failure.as_ref()?.hint();
    };
    match outcome {
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
        Outcome::Ignored => Some(
            "run it again: a server with new keys has just granted a new cookie; if it stays so, tfo probe names the causes that are left",
        ),
        Outcome::SynLost => Some(
            "something on the path drops SYNs with Fast Open; it is left alone for a minute within one program, and --policy off does without",
        ),
        Outcome::NotAttempted(reason) => next_step_for(reason),
        _ => Some("a capture shows it: tcpdump -n -i any 'tcp[tcpflags] & tcp-syn != 0'"),
    }
}

fn next_step_for(reason: Reason) -> Option<&'static str> {
    match reason {
        Reason::Sysctl => Some("switch it on; the command is told by: tfo doctor"),
        Reason::PathMemory => Some("it is tried again after a minute; to try now: --policy require"),
        Reason::Dataless => Some("give it something to send: tfo send ADDR hello"),
        Reason::Blackhole => Some("to end that: sysctl -w net.ipv4.tcp_fastopen_blackhole_timeout_sec=0"),
        _ => None,
    }
}
