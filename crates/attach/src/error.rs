//! What can go wrong with another program's socket.

use std::io;

/// A call on another process or on its socket that failed.
///
/// The message names the call, what it failed on and what would help where that is known. It converts to [`io::Error`].
#[derive(Debug, thiserror::Error)]
#[error("{call} of {subject}: {error}{}", help(call, .error, yama()))]
pub struct Error {
    call: &'static str,
    subject: String,
    error: io::Error,
}

impl Error {
    pub(crate) fn new(call: &'static str, subject: impl Into<String>, error: io::Error) -> Self {
        Self {
            call,
            subject: subject.into(),
            error,
        }
    }

    /// The nearest kind that the standard library has.
    pub fn kind(&self) -> io::ErrorKind {
        self.error.kind()
    }

    /// Whether it failed because the privilege is missing.
    pub fn is_not_permitted(&self) -> bool {
        self.kind() == io::ErrorKind::PermissionDenied
    }

    /// Whether the process or its descriptor is gone.
    pub(crate) fn is_gone(&self) -> bool {
        matches!(self.error.raw_os_error(), Some(libc::ESRCH | libc::EBADF))
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        Self::new(error.kind(), error)
    }
}

/// `kernel.yama.ptrace_scope`; `None` where the kernel has no Yama.
fn yama() -> Option<u8> {
    let scope = std::fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").ok()?;
    scope.trim().parse().ok()
}

/// Source: `Documentation/admin-guide/LSM/Yama.rst`; ptrace(2), "Ptrace access mode checking".
fn help(call: &str, error: &io::Error, yama: Option<u8>) -> &'static str {
    match (call, error.raw_os_error()) {
        ("pidfd_getfd", Some(libc::EPERM | libc::EACCES)) => match yama {
            None | Some(0) => {
                "; it takes the right to trace the process: root (CAP_SYS_PTRACE), or the user that it runs as; in Docker: \
                 --cap-add SYS_PTRACE"
            }
            Some(1) => {
                "; kernel.yama.ptrace_scope is 1, which lets only root (CAP_SYS_PTRACE) and the parents of a process do it: run \
                 it as root, or allow it to every process of the same user until the next boot: sudo sysctl -w \
                 kernel.yama.ptrace_scope=0"
            }
            Some(2) => {
                "; kernel.yama.ptrace_scope is 2, which lets only root (CAP_SYS_PTRACE) do it: run it as root; in Docker: \
                 --cap-add SYS_PTRACE"
            }
            Some(_) => {
                "; kernel.yama.ptrace_scope is 3, which forbids it to everybody, root included, until the next boot: use the \
                 server's own setting, or net.ipv4.tcp_fastopen=1027 and restart the server"
            }
        },
        ("pidfd_getfd" | "pidfd_open", Some(libc::ENOSYS)) => "; it needs Linux 5.6",
        ("setsockopt(TCP_FASTOPEN)", Some(libc::EOPNOTSUPP | libc::ENOPROTOOPT)) => {
            "; a Multipath TCP listener can have it from Linux 6.2 on"
        }
        ("setsockopt(TCP_FASTOPEN_KEY)", Some(libc::EOPNOTSUPP | libc::ENOPROTOOPT)) => {
            "; this kind of socket can't have a key of its own"
        }
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_it_takes() {
        let refused = || io::Error::from_raw_os_error(libc::EPERM);
        let error = Error::new("pidfd_getfd", "process 4711 (nginx)", refused());
        assert!(error.is_not_permitted());
        let said = error.to_string();
        assert!(
            said.starts_with("pidfd_getfd of process 4711 (nginx): "),
            "{said}"
        );
        for (yama, told) in [
            (None, "the user that it runs as"),
            (Some(0), "the user that it runs as"),
            (Some(1), "sysctl -w kernel.yama.ptrace_scope=0"),
            (Some(2), "only root"),
            (Some(3), "root included"),
        ] {
            let help = help("pidfd_getfd", &refused(), yama);
            assert!(help.contains(told), "{yama:?}: {help}");
        }
    }
}
