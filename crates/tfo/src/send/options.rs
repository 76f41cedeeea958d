//! Which options of `tfo send` help.

use fastopen::{Outcome, Reason};

use crate::client::{Failure, Report};

const WITHOUT: &str = "without Fast Open: --policy off";

/// The option to try next, or to correct, if there is one.
pub(super) fn that_helps(report: &Report) -> Option<&'static str> {
    match report.outcome {
        None if report.only_fast_syns_were_refused() => Some(WITHOUT),
        None => for_failure(report.failure.as_ref()?),
        Some(Outcome::Accepted) if report.broke_after_the_handshake() => Some(WITHOUT),
        Some(Outcome::SynLost) => Some(WITHOUT),
        Some(Outcome::NotAttempted(Reason::PathMemory)) => Some("to try now: --policy require"),
        Some(Outcome::NotAttempted(Reason::Dataless)) => Some(
            "as in: tfo send ADDR hello; to a server that speaks first (SSH, SMTP, FTP): tfo send --server-first ADDR",
        ),
        Some(Outcome::Unknown) if report.is_unproven() => Some(WITHOUT),
        Some(_) => None,
    }
}

fn for_failure(failure: &Failure) -> Option<&'static str> {
    match failure.refused_call() {
        Some("setsockopt(SO_MARK)") => Some("--mark needs CAP_NET_ADMIN: run it as root"),
        Some("setsockopt(SO_BINDTODEVICE)") => {
            Some("--interface takes the name of an interface: see ip link")
        }
        Some("bind") => Some("--source takes an address of this machine: see ip address"),
        Some(_) => None,
        None if failure.lacks_an_address() => {
            Some("--source and the server's address must both be IPv4 or both be IPv6")
        }
        None => failure.timed_out().then_some("to wait longer: --timeout 60s"),
    }
}
