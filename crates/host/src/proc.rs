//! Files under `/proc`: the thin shell around the parsers.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::Path;

use crate::error::Error;

/// Far more than any file that is read whole: a larger one is an error.
const LIMIT: u64 = 1 << 20;

/// Reads a small file whole; `None` where the kernel has no such file.
pub(crate) fn read(path: &Path) -> Result<Option<String>, Error> {
    let Some(file) = open(path)? else {
        return Ok(None);
    };
    // Room for any sysctl at once: a buffer that grew would leave a copy of a secret behind.
    let mut bytes = Vec::with_capacity(4096);
    file.take(LIMIT)
        .read_to_end(&mut bytes)
        .map_err(|error| read_error(path, error))?;
    String::from_utf8(bytes)
        .map(Some)
        .map_err(|_| Error::malformed(path.display().to_string(), "it is not text"))
}

/// Reads a file of the calling thread's network namespace, such as `netstat`.
///
/// `/proc/net` is the process's main thread's, whatever thread reads it; `/proc/thread-self` dates from Linux 3.17.
pub(crate) fn read_net(name: &str) -> Result<Option<String>, Error> {
    match read(&Path::new("/proc/thread-self/net").join(name))? {
        None => read(&Path::new("/proc/net").join(name)),
        found => Ok(found),
    }
}

/// As [`read_net`], for a file too large to be read whole.
pub(crate) fn open_net(name: &str) -> Result<Option<File>, Error> {
    match open(&Path::new("/proc/thread-self/net").join(name))? {
        None => open(&Path::new("/proc/net").join(name)),
        found => Ok(found),
    }
}

/// Opens a file for reading; `None` where the kernel has no such file.
pub(crate) fn open(path: &Path) -> Result<Option<File>, Error> {
    if !cfg!(any(target_os = "linux", target_os = "android")) {
        return Err(Error::NotLinux);
    }
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            if Path::new("/proc/self").exists() {
                Ok(None)
            } else {
                Err(Error::NoProc)
            }
        }
        Err(error) => Err(read_error(path, error)),
    }
}

/// The numbers of the processes that can be seen, in order.
pub(crate) fn processes() -> Result<Vec<u32>, Error> {
    if !cfg!(any(target_os = "linux", target_os = "android")) {
        return Err(Error::NotLinux);
    }
    let path = Path::new("/proc");
    let entries = fs::read_dir(path).map_err(|error| read_error(path, error))?;
    let mut pids: Vec<u32> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    pids.sort_unstable();
    Ok(pids)
}

/// Writes to a file that is there, in one system call, as sysctls want it.
pub(crate) fn write(path: &Path, value: &str) -> Result<(), Error> {
    if !cfg!(any(target_os = "linux", target_os = "android")) {
        return Err(Error::NotLinux);
    }
    OpenOptions::new()
        .write(true)
        .open(path)
        .and_then(|mut file| file.write_all(value.as_bytes()))
        .map_err(|error| Error::Write {
            path: path.to_owned(),
            value: value.to_owned(),
            error,
        })
}

/// Whether this process is in another user namespace than the machine's first.
#[cfg(feature = "netlink")]
pub(crate) fn in_user_namespace() -> bool {
    read(Path::new("/proc/self/uid_map")).is_ok_and(|map| map.is_some_and(|map| !maps_everybody(&map)))
}

/// Only the first user namespace maps every uid to itself.
#[cfg(feature = "netlink")]
fn maps_everybody(uid_map: &str) -> bool {
    uid_map.split_ascii_whitespace().eq(["0", "0", "4294967295"])
}

fn read_error(path: &Path, error: std::io::Error) -> Error {
    Error::Read {
        path: path.to_owned(),
        error,
    }
}

#[cfg(all(test, feature = "netlink"))]
mod tests {
    use super::maps_everybody;

    #[test]
    fn the_first_user_namespace_is_known_by_its_map() {
        assert!(maps_everybody("         0          0 4294967295\n"));
        assert!(!maps_everybody("         0       1001          1\n"));
        assert!(!maps_everybody(""));
    }
}
