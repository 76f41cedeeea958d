//! Programs inside a namespace.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use super::check;
use super::namespace::Namespace;

/// A program that starts inside a network namespace, and is killed when the thread that started it ends.
pub(crate) fn command(program: &std::ffi::OsStr, namespace: Namespace) -> Command {
    let mut command = Command::new(program);
    let start = move || {
        namespace.join()?;
        die_with_parent()
    };
    // SAFETY: between fork and exec it makes two system calls and, on failure, an `io::Error` that holds no allocation.
    unsafe { command.pre_exec(start) };
    command
}

fn die_with_parent() -> io::Result<()> {
    // SAFETY: this option takes one integer.
    check(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) }).map(drop)
}
