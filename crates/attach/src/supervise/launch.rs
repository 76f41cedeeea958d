//! How a program comes to be supervised.
//!
//! The processes are put in their places [beside](super::beside) or [above](super::above) the program.

use std::fs;
use std::io;

use super::filter::{self, Watched};
use super::last_words::LastWords;
use super::observe::Observer;
use super::refusal::NotSupervised;
use super::settings::{Placement, Settings};
use super::shared::Shared;
use super::{above, beside, descriptors};
use crate::sys::fork;

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
