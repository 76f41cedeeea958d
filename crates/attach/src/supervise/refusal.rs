//! What a system can refuse, tried before anything is changed, and what to do about each refusal.

use std::fs;
use std::io;
use std::os::fd::{AsFd, RawFd};

use rustix::net::{AddressFamily, SocketType};

use super::channel::Message;
use super::nested;
use crate::sys::{process, seccomp};

/// Why a program can't be supervised. It can still be run.
#[derive(Debug, thiserror::Error)]
#[error("{call}: {error}{}", help(call, error, yama().unwrap_or(0)))]
pub struct NotSupervised {
    call: &'static str,
    error: io::Error,
}

impl NotSupervised {
    pub(super) fn of(call: &'static str) -> impl Fn(io::Error) -> Self {
        move |error| Self { call, error }
    }

    /// Whether a supervisor of this kind has the process already, so that the program has Fast Open, by the rules of that one.
    pub fn is_supervised_already(&self) -> bool {
        self.call == "seccomp" && self.error.raw_os_error() == Some(libc::EBUSY) && nested::is_supervised()
    }

    /// For another process: [`name_of`] gives the call's name back.
    pub(super) fn message(&self) -> Message {
        let code = self.error.raw_os_error().unwrap_or(libc::EPIPE);
        Message::Refused(number_of(self.call), code)
    }
}

/// The limit of open files.
pub(super) const DESCRIPTORS: &str = "open files (ulimit -n)";
/// The end of the supervisor's process before it was ready.
pub(super) const SUPERVISOR: &str = "the supervisor";
/// In a filter of system calls of somebody else's, the calls that a supervisor takes.
const IN_A_SANDBOX: &str = "in a container: docker run --cap-add SYS_PTRACE; in a unit of systemd: \
                            SystemCallFilter=pidfd_getfd process_vm_readv process_vm_writev seccomp";

fn help(call: &str, error: &io::Error, yama: u8) -> String {
    let may_be_yama = error.raw_os_error() == Some(libc::EPERM);
    match (call, error.raw_os_error()) {
        ("pidfd_getfd" | "process_vm_readv", _) if may_be_yama && yama >= 3 => {
            "; kernel.yama.ptrace_scope is 3, which forbids it to everybody until the machine is started again".to_owned()
        }
        ("pidfd_getfd" | "process_vm_readv", _) if may_be_yama && yama == 2 => {
            "; kernel.yama.ptrace_scope is 2, which leaves it to CAP_SYS_PTRACE: run tfo as root, or allow it: \
             sysctl -w kernel.yama.ptrace_scope=0"
                .to_owned()
        }
        ("socket(AF_NETLINK)", _) => {
            "; in a unit of systemd with RestrictAddressFamilies=: RestrictAddressFamilies=AF_NETLINK".to_owned()
        }
        ("pidfd_open" | "pidfd_getfd" | "process_vm_readv", _) => {
            format!("; it takes the right to trace processes of the same user, which a sandbox may deny; {IN_A_SANDBOX}")
        }
        ("seccomp", Some(libc::EBUSY)) => {
            "; it is supervised by somebody else already, and Linux allows for one".to_owned()
        }
        ("seccomp", Some(_)) => format!(
            "; it takes Linux 5.9, and a sandbox that allows seccomp(2); in a container: \
             docker run --security-opt seccomp=unconfined; {}",
            IN_A_SANDBOX.rsplit("; ").next().unwrap_or_default()
        ),
        (DESCRIPTORS, _) => {
            "; to raise it: ulimit -Hn 1024 as root, or in a unit of systemd LimitNOFILE=1024".to_owned()
        }
        (SUPERVISOR, _) => format!("; a filter of system calls may have killed it; {IN_A_SANDBOX}"),
        _ => String::new(),
    }
}

/// `kernel.yama.ptrace_scope`; `None` on a kernel without Yama.
fn yama() -> Option<u8> {
    let scope = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").ok()?;
    scope.trim().parse().ok()
}

/// Whether Yama lets this process look at descendants only, and at those that have let it in, each for itself.
///
/// Source: Documentation/admin-guide/LSM/Yama.rst; `security/yama/yama_lsm.c`, `yama_ptrace_access_check`.
pub(super) fn only_ancestors_may_trace() -> bool {
    yama() == Some(1) && !may_trace(&fs::read_to_string("/proc/self/status").unwrap_or_default())
}

/// Whether a process with this status has CAP_SYS_PTRACE.
fn may_trace(status: &str) -> bool {
    const CAP_SYS_PTRACE: u32 = 19;
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let effective = effective.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    effective.is_some_and(|mask| mask >> CAP_SYS_PTRACE & 1 == 1)
}

/// What can be refused, by what a message between processes calls it; those that are tried come first.
const CALLS: [&str; 9] = [
    "seccomp",
    "socket(AF_NETLINK)",
    "pidfd_open",
    "pidfd_getfd",
    "process_vm_readv",
    PRIVILEGES,
    "socketpair",
    "pipe",
    "fork",
];
pub(super) const PRIVILEGES: &str = "prctl(PR_SET_NO_NEW_PRIVS)";

/// The name of a call that was refused.
pub(super) fn name_of(call: u8) -> &'static str {
    CALLS.get(usize::from(call)).copied().unwrap_or(SUPERVISOR)
}

/// What a message calls it.
fn number_of(call: &str) -> u8 {
    let known = CALLS.iter().position(|name| *name == call);
    known.and_then(|at| u8::try_from(at).ok()).unwrap_or(u8::MAX)
}

/// Tries what a supervisor must be able to do to that process, which this one is a copy of; gives the call that was refused.
///
/// A filter may end who calls what it denies: that is this process, and not the program's.
pub(super) fn try_calls(program: u32, descriptor: RawFd) -> Result<(), (u8, io::Error)> {
    let call = |number: u8| move |error| (number, error);
    seccomp::can_report().map_err(call(0))?;
    // By netlink it learns whether there is a cookie, and what becomes of connections.
    let netlink = rustix::net::socket(AddressFamily::NETLINK, SocketType::RAW, None);
    netlink.map_err(|error| (1, error.into()))?;
    let process = process::open(program).map_err(call(2))?;
    match process::duplicate(process.as_fd(), descriptor) {
        // The number may stand for another file there, or for none; only a refusal matters.
        Err(error) if error.raw_os_error() != Some(libc::EBADF) => return Err((3, error)),
        _ => {}
    }
    let probe = 0_u64;
    // Where a variable is here there was one in the process that this one is a copy of.
    match process::read_memory(program, (&raw const probe).addr() as u64, &mut [0; 8]) {
        Err(error) if error.raw_os_error() != Some(libc::EFAULT) => Err((4, error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_says_what_would_help() {
        for (call, error, yama, expected) in [
            ("pidfd_getfd", libc::EPERM, 0, "--cap-add SYS_PTRACE"),
            ("pidfd_getfd", libc::EPERM, 1, "SystemCallFilter=pidfd_getfd"),
            ("pidfd_getfd", libc::EPERM, 2, "ptrace_scope is 2"),
            ("process_vm_readv", libc::EPERM, 3, "ptrace_scope is 3"),
            ("process_vm_readv", libc::ENOSYS, 2, "--cap-add SYS_PTRACE"),
            ("pidfd_open", libc::EPERM, 2, "--cap-add SYS_PTRACE"),
            (
                "socket(AF_NETLINK)",
                libc::EAFNOSUPPORT,
                0,
                "RestrictAddressFamilies=AF_NETLINK",
            ),
            ("seccomp", libc::EBUSY, 0, "by somebody else"),
            ("seccomp", libc::EPERM, 0, "seccomp=unconfined"),
            ("seccomp", libc::ENOSYS, 0, "Linux 5.9"),
            (SUPERVISOR, libc::EPIPE, 0, "may have killed it"),
        ] {
            let said = help(call, &io::Error::from_raw_os_error(error), yama);
            assert!(said.contains(expected), "{call} {error} {yama}: {said}");
        }
        // What is not the kernel's word names its cause itself.
        assert_eq!(
            help("seccomp", &io::Error::other("not for this architecture"), 0),
            ""
        );
        assert_eq!(help("fork", &io::Error::from_raw_os_error(libc::EAGAIN), 0), "");
    }

    #[test]
    fn another_process_is_told_of_it() {
        for call in CALLS.into_iter().chain([SUPERVISOR]) {
            let refused = NotSupervised::of(call)(io::Error::from_raw_os_error(libc::EACCES));
            let Message::Refused(number, code) = refused.message() else {
                panic!("{call}")
            };
            assert_eq!((name_of(number), code), (call, libc::EACCES));
        }
    }

    #[test]
    fn who_may_trace() {
        assert!(may_trace("Name:\ttfo\nCapEff:\t0000000000080000\n"));
        assert!(!may_trace("CapEff:\t0000000000040000\n"));
        assert!(!may_trace(""));
    }

    #[test]
    fn a_process_may_look_at_itself() {
        assert!(try_calls(std::process::id(), 0).is_ok());
        let (call, error) = try_calls(u32::MAX, 0).unwrap_err();
        assert_eq!(
            (name_of(call), error.raw_os_error()),
            ("pidfd_open", Some(libc::ESRCH))
        );
    }
}
