//! A file's readers and place on Windows, where a file has its folder's readers.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::windows::io::AsHandle;
use std::path::{Path, PathBuf};

use super::Access;

pub(super) fn let_in(_: &mut OpenOptions, _: Access) {}

pub(super) fn restrict(_: &File, _: Access) -> io::Result<()> {
    Ok(())
}

pub(super) fn give_to_caller(_: &File) {}

/// Where a path leads, by its one full name. Two hard links to a file are two places.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place(PathBuf);

impl Place {
    /// `None` for what is no regular file.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let name = match fs::metadata(path) {
            Ok(metadata) if !metadata.is_file() => return None,
            Ok(_) => fs::canonicalize(path).ok()?,
            Err(_) => std::path::absolute(path).ok()?,
        };
        Some(Self(name))
    }

    /// `-` is standard input, whose place is not known.
    pub(super) fn of_input(path: &Path) -> Option<Self> {
        match path == Path::new("-") {
            true => None,
            false => Self::of(path),
        }
    }

    pub(super) fn of_stream(_: impl AsHandle) -> Option<Self> {
        None
    }
}
