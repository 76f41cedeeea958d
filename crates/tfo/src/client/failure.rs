//! Why there is no connection, and whether this system or the server is the cause.

use std::io::ErrorKind;

use fastopen::{CallError, ConnectError};
use serde::{Serialize, Serializer};

use crate::local_error::LocalError;
use crate::program;
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
    /// What was asked for, or a file.
    Usage,
    /// No address of the server is of the family to connect from.
    NoAddress,
    /// This system: an option that it lacks or does not allow.
    Here(CallError, LocalError),
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

    pub(super) fn before_connecting(error: &anyhow::Error) -> Self {
        Self {
            message: program::message(error),
            cause: Cause::Usage,
        }
    }

    pub(super) fn status(&self) -> Status {
        match self.cause {
            Cause::Usage | Cause::NoAddress | Cause::Here(..) => Status::Unusable,
            Cause::There(_) => Status::Fails,
            Cause::Interrupted => Status::Inconclusive,
        }
    }

    /// What to do about it, whatever the program.
    pub(super) fn hint(&self) -> Option<&'static str> {
        match self.cause {
            Cause::Here(error, _) if error.call() == "bind" => None,
            Cause::Here(error, _)
                if error.kind() == ErrorKind::Unsupported && error.call() == "sendto(MSG_FASTOPEN)" =>
            {
                Some("switch Fast Open on for clients; tfo doctor prints the command")
            }
            Cause::Here(_, why) => why.hint(),
            Cause::There(ErrorKind::ConnectionRefused) => {
                Some("nothing listens there, or a firewall refuses it; a server to try: tfo serve")
            }
            Cause::There(ErrorKind::TimedOut) => {
                Some("check the address, and that no firewall drops packets to it")
            }
            Cause::There(ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable) => {
                Some("this machine has no route there: see ip route get")
            }
            Cause::There(ErrorKind::PermissionDenied) => LocalError::Prohibited.hint(),
            Cause::Usage | Cause::NoAddress | Cause::There(_) | Cause::Interrupted => None,
        }
    }

    /// The call that this system refused.
    pub(crate) fn refused_call(&self) -> Option<&'static str> {
        match self.cause {
            Cause::Here(error, _) => Some(error.call()),
            _ => None,
        }
    }

    /// Whether none of the server's addresses can be used.
    pub(crate) fn lacks_an_address(&self) -> bool {
        self.cause == Cause::NoAddress
    }

    /// Whether nothing answered in time.
    pub(crate) fn timed_out(&self) -> bool {
        self.cause == Cause::There(ErrorKind::TimedOut)
    }
}

impl From<&ConnectError> for Failure {
    fn from(error: &ConnectError) -> Self {
        let last = LocalError::last(error.attempts());
        let here = last.filter(|(call, _)| is_about_this_system(*call));
        Self {
            message: error.to_string(),
            cause: match error {
                ConnectError::NoAddress => Cause::NoAddress,
                error => here.map_or(Cause::There(error.kind()), |(call, why)| Cause::Here(call, why)),
            },
        }
    }
}

/// Only connecting asks the network; every other call asks this system alone. Sending with the SYN asks both. The address to connect
/// from, and whether there is a way to the server's at all, is always this system's.
fn is_about_this_system(error: CallError) -> bool {
    match error.call() {
        _ if matches!(
            error.kind(),
            ErrorKind::AddrNotAvailable | ErrorKind::InvalidInput
        ) =>
        {
            true
        }
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
