//! The network namespaces of this machine.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::Namespace;

/// Where names of network namespaces are mounted: by ip-netns(8), and by Docker.
const FOLDERS: [&str; 2] = ["/run/netns", "/run/docker/netns"];

/// A network namespace by its device and inode, as long as it exists; later another may have the same.
pub(crate) type Id = (u64, u64);

/// The file of a name, whether or not there is one.
pub(super) fn named(name: &str) -> PathBuf {
    let files = FOLDERS.map(|folder| Path::new(folder).join(name));
    let there = files.iter().find(|file| file.exists());
    there.unwrap_or(&files[0]).clone()
}

/// Which one it is.
///
/// # Errors
/// There is none by that name or of that process, or it may not be looked at.
pub(crate) fn id(namespace: &Namespace) -> io::Result<Id> {
    id_of(&namespace.path())
}

/// The namespace of this process.
pub(crate) fn here() -> Option<Id> {
    id_of(Path::new("/proc/self/ns/net")).ok()
}

/// Every one that a process is in or that has a name, as far as this process may look.
pub(crate) fn all() -> BTreeMap<Id, Namespace> {
    let device = here().map(|(device, _)| device);
    let named = FOLDERS.iter().flat_map(|folder| entries(Path::new(folder)));
    let of_processes = entries(Path::new("/proc"))
        .filter_map(|path| path.file_name()?.to_str()?.parse::<u32>().ok())
        .map(Namespace::Process);
    let mut found = BTreeMap::new();
    // The names last: they are what a person knows it by.
    for namespace in of_processes.chain(named.map(Namespace::File)) {
        // One that is gone, or a name of none: `ip netns add` makes the file before it mounts the namespace on it.
        if let Ok(id) = id(&namespace)
            && device.is_none_or(|device| id.0 == device)
        {
            found.insert(id, namespace);
        }
    }
    found
}

/// Moves the calling thread there, unless it is there already, as it takes privileges. `here` is the process's own; `command` is what
/// a hint tells to run as root.
///
/// # Errors
/// It is gone, or the system does not let this process into it.
pub(crate) fn enter(
    here: Option<Id>,
    namespace_id: Id,
    namespace: &Namespace,
    command: &str,
) -> anyhow::Result<()> {
    let is_in = || id_of(Path::new("/proc/thread-self/ns/net")).ok() == Some(namespace_id);
    if here == Some(namespace_id) && is_in() {
        return Ok(());
    }
    namespace.enter(command)?;
    // The number of a process may be another's meanwhile.
    anyhow::ensure!(is_in(), "it ended");
    Ok(())
}

/// As a person knows it.
pub(crate) fn name(namespace: &Namespace) -> String {
    match namespace {
        Namespace::File(path) if path == Path::new("/proc/thread-self/ns/net") => {
            "this network namespace".to_owned()
        }
        Namespace::File(path) => path.display().to_string(),
        Namespace::Process(pid) => format!("network namespace of process {pid}"),
    }
}

fn id_of(path: &Path) -> io::Result<Id> {
    fs::metadata(path).map(|metadata| (metadata.dev(), metadata.ino()))
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
}
