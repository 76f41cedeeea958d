//! What can go wrong with another program's socket.

use std::io;

/// A call on another process or on its socket that failed.
///
/// The message names the call, what it failed on and what would help where that is known. It converts to [`io::Error`].
#[derive(Debug, thiserror::Error)]
#[error("{call} of {subject}: {error}{}", help(call, .error))]
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

    /// Whether it failed for want of privilege.
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

fn help(call: &str, error: &io::Error) -> &'static str {
    match (call, error.raw_os_error()) {
        ("pidfd_getfd", Some(libc::EPERM | libc::EACCES)) => {
            "; it takes the right to trace the process: root (CAP_SYS_PTRACE), or the user that it runs as where \
             kernel.yama.ptrace_scope is 0; in Docker: --cap-add SYS_PTRACE"
        }
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
        let refused = io::Error::from_raw_os_error(libc::EPERM);
        let error = Error::new("pidfd_getfd", "process 4711 (nginx)", refused);
        assert!(error.is_not_permitted());
        let said = error.to_string();
        assert!(
            said.starts_with("pidfd_getfd of process 4711 (nginx): "),
            "{said}"
        );
        assert!(said.contains("CAP_SYS_PTRACE"), "{said}");
    }
}
