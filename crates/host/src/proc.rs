//! Files under `/proc`: the thin shell around the parsers.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::Path;

use crate::Error;

/// No file that is read whole comes near it; one that does is not what it should be.
const LIMIT: u64 = 1 << 20;

/// Reads a small file whole; `None` where the kernel has no such file.
pub(crate) fn read(path: &Path) -> Result<Option<String>, Error> {
    let Some(file) = open(path)? else {
        return Ok(None);
    };
    // Room for any sysctl at once: a secret must not be left behind where the buffer grew out of.
    let mut bytes = Vec::with_capacity(4096);
    file.take(LIMIT)
        .read_to_end(&mut bytes)
        .map_err(|error| read_error(path, error))?;
    String::from_utf8(bytes).map(Some).map_err(|_| Error::Malformed {
        source_name: path.display().to_string(),
        problem: "it is not text".to_owned(),
    })
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

fn read_error(path: &Path, error: std::io::Error) -> Error {
    Error::Read {
        path: path.to_owned(),
        error,
    }
}
