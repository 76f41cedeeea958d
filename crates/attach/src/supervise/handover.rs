//! How a supervisor gets the descriptor to which a program's calls are reported, wherever it stands.
//!
//! It tries what it must be able to do to the program's process; that installs the filter on itself, and hands the descriptor over.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use super::channel::{self, Message, receive, send};
use super::filter::{self, Watched};
use super::observe::Observer;
use super::refusal::{self, NotSupervised};
use crate::sys::{fork, seccomp};

/// In the program's process: lets the other look at it, installs the filter and hands its descriptor over.
pub(super) fn hand_over(other: &OwnedFd, watched: Watched) -> Result<(), NotSupervised> {
    let gone = NotSupervised::of(refusal::SUPERVISOR);
    let hello = receive(other).map_err(&gone)?;
    let Message::Hello(pid) = hello else {
        return Err(gone(io::ErrorKind::InvalidData.into()));
    };
    fork::allow_tracer(pid);
    send(other, Message::Hello(std::process::id()), None).map_err(&gone)?;
    match receive(other).map_err(&gone)? {
        Message::Refused(call, code) => {
            let error = io::Error::from_raw_os_error(code);
            return Err(NotSupervised::of(refusal::name_of(call))(error));
        }
        Message::Ready => {}
        _ => return Err(gone(io::ErrorKind::InvalidData.into())),
    }
    let filter = filter::build(watched);
    let listener = match seccomp::install(&filter) {
        Err(error) if error.raw_os_error() == Some(libc::EACCES) => {
            seccomp::set_no_new_privileges().map_err(NotSupervised::of(refusal::PRIVILEGES))?;
            seccomp::install(&filter)
        }
        installed => installed,
    }
    .map_err(NotSupervised::of("seccomp"))?;
    send(other, Message::Ready, Some(&listener)).map_err(&gone)?;
    drop(listener);
    // The first call that is reported. Its answer says that the supervisor is there, and from its number the guardian knows the others'.
    let _ = socket2::SockRef::from(other).peer_addr();
    Ok(())
}

/// In a process that is to work for it: tries what a supervisor must be able to do to the program's process, and gets the descriptor.
pub(super) fn negotiate(program: u32, channel: &OwnedFd) -> Option<OwnedFd> {
    send(channel, Message::Hello(std::process::id()), None).ok()?;
    let Ok(Message::Hello(_)) = receive(channel) else {
        return None;
    };
    let answer = match refusal::try_calls(program, channel.as_raw_fd()) {
        Ok(()) => Message::Ready,
        Err((call, error)) => Message::Refused(call, error.raw_os_error().unwrap_or(libc::EPERM)),
    };
    send(channel, answer, None).ok()?;
    channel::receive_descriptor(channel).ok()?.1
}

/// What an observer writes to.
pub(super) fn written_by(observer: &Option<Box<dyn Observer>>) -> Vec<RawFd> {
    observer
        .iter()
        .flat_map(|observer| observer.descriptors())
        .collect()
}
