//! Another process, and duplicates of its sockets.

use std::fs;
use std::os::fd::{AsFd, OwnedFd, RawFd};

use crate::error::Error;
use crate::sys;

/// A process that is running, held by descriptor, so that a process that gets its number later is never affected.
#[derive(Debug)]
pub(crate) struct Process {
    pid: u32,
    name: String,
    pidfd: OwnedFd,
}

impl Process {
    /// Opens it. The name is for error messages.
    pub(crate) fn open(pid: u32, name: &str) -> Result<Self, Error> {
        let pidfd = sys::process::open(pid)
            .map_err(|error| Error::new("pidfd_open", format!("process {pid} ({name})"), error))?;
        Ok(Self {
            pid,
            name: name.to_owned(),
            pidfd,
        })
    }

    /// A duplicate of the socket that has this inode number, if the process has it open.
    ///
    /// Between the look at its descriptors and the call the process may have put another file behind the number: what comes is taken
    /// only if it is the socket that was looked for.
    pub(crate) fn duplicate_socket(&self, inode: u64) -> Result<Option<OwnedFd>, Error> {
        let failed = |error| {
            Error::new(
                "pidfd_getfd",
                format!("process {} ({})", self.pid, self.name),
                error,
            )
        };
        for number in self.numbers_of(inode)? {
            match sys::process::duplicate(self.pidfd.as_fd(), number).map_err(failed) {
                Ok(socket) if inode_of(&socket) == Some(inode) => return Ok(Some(socket)),
                Ok(_) => {}
                Err(error) if error.is_gone() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    fn numbers_of(&self, inode: u64) -> Result<Vec<RawFd>, Error> {
        let folder = format!("/proc/{}/fd", self.pid);
        let target = format!("socket:[{inode}]");
        let entries = fs::read_dir(&folder).map_err(|error| Error::new("opendir", &folder, error))?;
        let numbers = entries.flatten().filter_map(|entry| {
            let link = fs::read_link(entry.path()).ok()?;
            (link.to_str() == Some(&target)).then(|| entry.file_name().to_str()?.parse().ok())?
        });
        Ok(numbers.collect())
    }
}

/// The inode number of a socket, as `/proc` and sock_diag tell it.
pub(crate) fn inode_of(socket: impl AsFd) -> Option<u64> {
    rustix::fs::fstat(socket).ok().map(|stat| stat.st_ino)
}
