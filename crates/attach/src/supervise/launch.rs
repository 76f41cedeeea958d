//! How a program comes to be supervised.
//!
//! The processes are put in their places [beside](super::beside) or [above](super::above) the program. Then the supervisor tries what it
//! must be able to do, the program's process installs the filter on itself, and hands the descriptor over to which that reports.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use super::channel::{self, Message, receive, send};
use super::descriptors;
use super::filter::{self, Watched};
use super::last_words::LastWords;
use super::observe::Observer;
use super::refusal::{self, NotSupervised};
use super::settings::{Placement, Settings};
use super::shared::Shared;
use super::{above, beside};
use crate::sys::fork;
use crate::sys::seccomp;

/// Starts a supervisor for this process and for all that it starts from now on. This process goes on, and may [become](exec) a
/// program. [Above](Placement::Above) the program it goes on in a child, and this one never returns.
///
/// Without CAP_SYS_ADMIN it sets `no_new_privs`: setuid programs then run without their privilege.
///
/// # Errors
/// [`NotSupervised`] where the system does not allow for it; then nothing has changed, but `no_new_privs` may be set.
///
/// # Panics
/// Never in this process. A panic in the supervisor ends that, and the guardian takes over.
pub fn supervise(settings: Settings, observer: Option<Box<dyn Observer>>) -> Result<(), NotSupervised> {
    if !filter::IS_FOR_THIS_ARCHITECTURE {
        return Err(NotSupervised::of("seccomp")(io::Error::new(
            io::ErrorKind::Unsupported,
            "programs are supervised on x86-64 and aarch64 only",
        )));
    }
    let threads = fs::read_dir("/proc/self/task").map_err(NotSupervised::of(
        "/proc/self/task, by which the program's threads are known (is /proc mounted?)",
    ))?;
    if threads.count() != 1 {
        return Err(NotSupervised::of("fork")(io::Error::other(
            "there are several threads",
        )));
    }
    descriptors::check()?;
    let last_words = observer.as_ref().and_then(|observer| observer.last_words());
    let last_words = last_words.and_then(|line| LastWords::of(std::process::id(), line));
    let shared = Shared::new(last_words).map_err(NotSupervised::of("mmap"))?;
    let watched = Watched {
        listen: settings.listen.is_some(),
        exit: settings.holds_exit,
    };
    match settings.placement {
        Placement::Beside => beside::start(shared, watched, settings, observer),
        Placement::Above => above::start(shared, watched, settings, observer),
    }
}

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

/// Puts a program in this process's place, found as the shell finds it; returns the error that prevented it.
pub fn exec(program: &std::ffi::OsStr, arguments: &[std::ffi::OsString]) -> io::Error {
    use std::os::unix::ffi::OsStrExt;
    let text = |text: &std::ffi::OsStr| std::ffi::CString::new(text.as_bytes());
    let all = std::iter::once(text(program)).chain(arguments.iter().map(|argument| text(argument)));
    match (text(program), all.collect::<Result<Vec<_>, _>>()) {
        (Ok(program), Ok(all)) => fork::exec(&program, &all),
        _ => io::Error::new(io::ErrorKind::InvalidInput, "an argument has a zero byte in it"),
    }
}
