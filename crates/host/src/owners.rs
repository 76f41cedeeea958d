//! Which processes hold a socket.
//!
//! The kernel gives a socket's inode number to whoever asks, but the processes that hold it only show it among their open files, which
//! other users may not read.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use crate::error::Error;
use crate::printable::printable;
use crate::proc;

/// A process that holds a socket.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// The name that it gives itself, up to 15 bytes, made [printable].
    pub name: String,
}

/// The processes that hold some sockets, as far as this process may know.
///
/// ```
/// use std::net::TcpListener;
/// use fastopen_host::{listeners, owners::Owners};
///
/// # if cfg!(target_os = "linux") {
/// let mine = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
/// # let listener = TcpListener::bind(mine)?;
/// let found = listeners::list()?.into_iter().find(|listener| listener.address == mine).unwrap();
/// let owners = Owners::find([found.inode])?;
/// assert_eq!(owners.of(found.inode)[0].pid, std::process::id());
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Owners {
    by_inode: HashMap<u64, Vec<Process>>,
    unreadable: usize,
}

impl Owners {
    /// Looks through the open files of every process for these sockets.
    ///
    /// # Errors
    /// [`Error`] if `/proc` can't be listed. A process that may not be looked into, or that ends meanwhile, is no error.
    pub fn find(inodes: impl IntoIterator<Item = u64>) -> Result<Self, Error> {
        let wanted: HashSet<u64> = inodes.into_iter().collect();
        let mut owners = Self::default();
        if wanted.is_empty() {
            return Ok(owners);
        }
        for pid in proc::processes()? {
            owners.look_into(pid, &wanted);
        }
        Ok(owners)
    }

    /// The processes that hold the socket, by their numbers; none where it is not known.
    pub fn of(&self, inode: u64) -> &[Process] {
        self.by_inode.get(&inode).map_or(&[], Vec::as_slice)
    }

    /// How many processes could not be inspected because the privilege is missing.
    pub fn unreadable(&self) -> usize {
        self.unreadable
    }

    fn look_into(&mut self, pid: u32, wanted: &HashSet<u64>) {
        let folder = Path::new("/proc").join(pid.to_string());
        let files = match fs::read_dir(folder.join("fd")) {
            Ok(files) => files,
            Err(error) => {
                self.unreadable += usize::from(error.kind() == ErrorKind::PermissionDenied);
                return;
            }
        };
        let mut held = HashSet::new();
        for file in files.flatten() {
            match fs::read_link(file.path()) {
                Ok(target) => {
                    let inode = target.to_str().and_then(socket_inode);
                    held.extend(inode.filter(|inode| wanted.contains(inode)));
                }
                // With CAP_DAC_READ_SEARCH and without CAP_SYS_PTRACE its files can be listed, and not what they are.
                Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                    self.unreadable += 1;
                    return;
                }
                Err(_) => {}
            }
        }
        if held.is_empty() {
            return;
        }
        let process = Process {
            pid,
            name: name(&fs::read(folder.join("comm")).unwrap_or_default()),
        };
        for inode in held {
            self.by_inode.entry(inode).or_default().push(process.clone());
        }
    }
}

/// The number in `socket:[4711]`, which is what an open socket's file links to.
fn socket_inode(target: &str) -> Option<u64> {
    target.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

fn name(comm: &[u8]) -> String {
    let name = comm.strip_suffix(b"\n").unwrap_or(comm);
    printable(&String::from_utf8_lossy(name)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sockets_have_a_sockets_inode() {
        assert_eq!(socket_inode("socket:[4711]"), Some(4711));
        for target in [
            "",
            "/dev/null",
            "pipe:[4711]",
            "socket:[]",
            "socket:[x]",
            "socket:[1",
        ] {
            assert_eq!(socket_inode(target), None, "{target}");
        }
    }

    #[test]
    fn names_cannot_upset_a_terminal() {
        assert_eq!(name(b"nginx\n"), "nginx");
        assert_eq!(name(b"\x1b[2Jnginx\n\xff\n"), "\u{fffd}[2Jnginx\u{fffd}\u{fffd}");
    }
}
