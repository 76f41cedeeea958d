//! Why there is no connection, and whose fault that is.

use std::io::ErrorKind;

use fastopen::{Attempt, AttemptEnd, CallError, ConnectError};
use serde::{Serialize, Serializer};

use crate::status::Status;

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// In words.
    pub(crate) message: String,
    cause: Cause,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// This system: an option that it lacks or does not allow.
    Here(CallError),
    /// The server or the path refused.
    There(ErrorKind),
    Interrupted,
}

impl Failure {
    pub(super) fn interrupted() -> Self {
        Self {
            message: "interrupted before there was a connection".to_owned(),
            cause: Cause::Interrupted,
        }
    }

    pub(super) fn status(&self) -> Status {
        match self.cause {
            Cause::Here(_) => Status::Unusable,
            Cause::There(_) => Status::Fails,
            Cause::Interrupted => Status::Inconclusive,
        }
    }

    /// What to do about it.
    pub(super) fn hint(&self) -> Option<&'static str> {
        match self.cause {
            Cause::Here(error) => hint_for_this_system(error),
            Cause::There(ErrorKind::ConnectionRefused) => {
                Some("nothing listens there, or a firewall refuses it; a server to try: tfo serve")
            }
            Cause::There(ErrorKind::TimedOut) => {
                Some("check the address, and that no firewall drops it; more patience: --timeout 60s")
            }
            Cause::There(ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable) => {
                Some("this machine has no route there: see ip route get")
            }
            Cause::There(_) | Cause::Interrupted => None,
        }
    }
}

fn hint_for_this_system(error: CallError) -> Option<&'static str> {
    match error.call() {
        "sendto(MSG_FASTOPEN)" => Some("switch Fast Open on for clients; the command is told by: tfo doctor"),
        "setsockopt(SO_MARK)" => Some("--mark needs CAP_NET_ADMIN: run it as root"),
        "setsockopt(SO_BINDTODEVICE)" => Some("--interface wants the name of an interface: see ip link"),
        "bind" => Some("--source wants an address of this machine: see ip address"),
        _ => None,
    }
}

impl From<&ConnectError> for Failure {
    fn from(error: &ConnectError) -> Self {
        let here = last_failure(error.attempts()).filter(|call| is_about_this_system(*call));
        Self {
            message: error.to_string(),
            cause: match error {
                ConnectError::NoAddress => Cause::There(ErrorKind::InvalidInput),
                error => here.map_or(Cause::There(error.kind()), Cause::Here),
            },
        }
    }
}

fn last_failure(attempts: &[Attempt]) -> Option<CallError> {
    attempts.iter().rev().find_map(|attempt| match attempt.end {
        AttemptEnd::Failed(error) => Some(error),
        AttemptEnd::Connected | AttemptEnd::Unanswered => None,
    })
}

/// Only connecting asks the network; every other call asks this system alone. Sending with the SYN asks both.
fn is_about_this_system(error: CallError) -> bool {
    match error.call() {
        "connect" => false,
        "sendto(MSG_FASTOPEN)" => error.kind() == ErrorKind::Unsupported,
        _ => true,
    }
}

impl Serialize for Failure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.message)
    }
}
