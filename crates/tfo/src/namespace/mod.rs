//! Network namespaces, as commands name and enter them.

pub(crate) mod machine;

use std::convert::Infallible;
use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::Context;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::hint::Hint;

/// What root may lack to look at another process. Source: ptrace(2), "Ptrace access mode checking".
pub(crate) const TRACING: &str = "it takes CAP_SYS_PTRACE to look at that process, which root lacks here: in a container, run it \
                                  outside, on its host, or give it that (docker run --cap-add SYS_PTRACE)";

/// A network namespace, as a person names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Namespace {
    /// That of a process.
    Process(u32),
    /// A file that stands for it.
    File(PathBuf),
}

impl Namespace {
    /// Moves the calling thread into it for good; other threads stay where they are. `command` is what a hint tells to run as root.
    ///
    /// # Errors
    /// There is no such namespace, or the system does not let this process into it.
    pub(crate) fn enter(&self, command: &str) -> anyhow::Result<()> {
        let path = self.path();
        let entered = File::open(&path).and_then(|file| {
            move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).map_err(io::Error::from)
        });
        let kind = entered
            .as_ref()
            .map_or_else(io::Error::kind, |()| ErrorKind::Other);
        entered
            .with_context(|| format!("can't look into the network namespace {}", path.display()))
            .hint(self.help(kind, rustix::process::geteuid().is_root(), command))
    }

    pub(crate) fn path(&self) -> PathBuf {
        match self {
            Self::Process(pid) => format!("/proc/{pid}/ns/net").into(),
            Self::File(path) => path.clone(),
        }
    }

    fn help(&self, kind: ErrorKind, is_root: bool, command: &str) -> String {
        match (kind, self) {
            (ErrorKind::PermissionDenied, Self::Process(_)) if is_root => {
                format!("{TRACING}, and CAP_SYS_ADMIN to enter its network namespace")
            }
            (ErrorKind::PermissionDenied, Self::File(_)) if is_root => {
                "it takes CAP_SYS_ADMIN, which root lacks here: in a container, run it outside, on its host".to_owned()
            }
            (ErrorKind::PermissionDenied, Self::Process(pid)) => format!(
                "run it as root: sudo {command} --netns {pid}; or, in a rootless container of yours: nsenter \
                 --preserve-credentials --user --net -t {pid} {command}"
            ),
            (ErrorKind::PermissionDenied, Self::File(path)) => {
                format!("run it as root: sudo {command} --netns {}", path.display())
            }
            (ErrorKind::NotFound, Self::Process(pid)) => {
                format!("there is no process {pid}: give the number of a process that runs")
            }
            _ => {
                "give its name (ip netns lists them), the number of a process in it, or a file such as /run/netns/NAME"
                    .to_owned()
            }
        }
    }
}

impl FromStr for Namespace {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text.parse() {
            Ok(pid) => Self::Process(pid),
            Err(_) if text.contains('/') => Self::File(PathBuf::from(text)),
            Err(_) => Self::File(machine::named(text)),
        })
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process(pid) => write!(f, "process {pid}"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hint;

    #[test]
    fn a_number_is_a_process_a_word_a_name_and_anything_else_a_file() {
        for (text, path) in [
            ("4711", "/proc/4711/ns/net"),
            ("blue", "/run/netns/blue"),
            ("/run/netns/blue", "/run/netns/blue"),
            ("./4711", "./4711"),
        ] {
            let namespace: Namespace = text.parse().unwrap();
            assert_eq!(namespace.path(), PathBuf::from(path));
        }
    }

    #[test]
    fn what_is_no_namespace_is_refused_with_a_hint() {
        for (text, told) in [
            ("4294967295", "a process that runs"),
            ("/nowhere", "ip netns"),
            ("/dev/null", "ip netns"),
        ] {
            let error = text.parse::<Namespace>().unwrap().enter("tfo watch").unwrap_err();
            assert!(hint::of(&error).unwrap().contains(told), "{error:#}");
            assert!(error.to_string().contains("network namespace"), "{error:#}");
        }
    }

    #[test]
    fn without_privilege_the_command_that_works_is_told() {
        let help = |is_root| Namespace::Process(4711).help(ErrorKind::PermissionDenied, is_root, "tfo watch");
        assert!(
            help(false).contains("sudo tfo watch --netns 4711"),
            "{}",
            help(false)
        );
        assert!(help(true).contains("CAP_SYS_PTRACE"), "{}", help(true));
        assert!(!help(true).contains("run it as root"), "{}", help(true));
    }
}
