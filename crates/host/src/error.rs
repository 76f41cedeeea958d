//! What can go wrong between this crate and the kernel.

use std::io;
use std::path::PathBuf;

/// Something of the kernel's that could not be read, written or understood.
///
/// The message names the file or the request, and says what would help where that is known. It converts to [`io::Error`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file under `/proc` that is there could not be read.
    #[error("can't read {}: {error}{}", path.display(), read_help(error))]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A sysctl could not be written.
    #[error("can't write {value} to {}: {error}{}", path.display(), write_help(error))]
    Write {
        /// The file.
        path: PathBuf,
        /// The text that was to be written.
        value: String,
        /// What the system said.
        error: io::Error,
    },
    /// The kernel's answer is not of the form that it has on Linux.
    #[error("{source_name} can't be understood: {problem}")]
    Malformed {
        /// The file or the request whose answer it is.
        source_name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The kernel refused a request.
    #[error("{request} failed: {error}")]
    Request {
        /// What was asked for.
        request: &'static str,
        /// What the system said.
        error: io::Error,
    },
    /// The kernel refused a request because the privilege is missing.
    #[error("{request} is not permitted: {}", permission_help(*in_user_namespace))]
    NotPermitted {
        /// What was asked for.
        request: &'static str,
        /// Whether this process is in a user namespace of its own, where being root does not help.
        in_user_namespace: bool,
    },
    /// A list changed whenever it was read.
    #[error("{request} did not come to an end: the list kept changing; try again")]
    Interrupted {
        /// What was asked for.
        request: &'static str,
    },
    /// This kernel can't tell: a part of it is missing.
    #[error("{request} failed: this kernel has no {part}")]
    Missing {
        /// What was asked for.
        request: &'static str,
        /// The part that is missing.
        part: &'static str,
    },
    /// `/proc` is not there.
    #[error("/proc is not mounted; to mount it: mount -t proc proc /proc")]
    NoProc,
    /// This system is not Linux.
    #[error(
        "what this crate reads exists on Linux only, and this is {}",
        std::env::consts::OS
    )]
    NotLinux,
}

impl Error {
    /// The nearest kind that the standard library has.
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            Self::Read { error, .. } | Self::Write { error, .. } => error.kind(),
            Self::Request { error, .. } => error.kind(),
            Self::NotPermitted { .. } => io::ErrorKind::PermissionDenied,
            Self::Interrupted { .. } => io::ErrorKind::Interrupted,
            Self::Malformed { .. } => io::ErrorKind::InvalidData,
            Self::NoProc => io::ErrorKind::NotFound,
            Self::NotLinux | Self::Missing { .. } => io::ErrorKind::Unsupported,
        }
    }

    pub(crate) fn malformed(source_name: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Malformed {
            source_name: source_name.into(),
            problem: problem.into(),
        }
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        Self::new(error.kind(), error)
    }
}

fn permission_help(in_user_namespace: bool) -> &'static str {
    if in_user_namespace {
        "the kernel takes it only from root of the whole machine, and this process is in a user namespace (a rootless container, \
         or unshare -U), where being root is not enough"
    } else {
        "it takes root (CAP_NET_ADMIN; in a container: docker run --cap-add NET_ADMIN)"
    }
}

fn read_help(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "; root may read it",
        _ => "",
    }
}

fn write_help(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "; it takes root, or root of the user namespace that owns this network namespace"
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            "; containers often see /proc/sys read-only: set it where the container is started (docker run --sysctl NAME=VALUE)"
        }
        io::ErrorKind::NotFound => "; this kernel does not have that setting",
        io::ErrorKind::InvalidInput => "; the kernel does not take that value",
        _ => "",
    }
}
