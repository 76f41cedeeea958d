//! A file's readers, owner and place on Unix.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::Path;

use fastopen_host::privileges::User;

use super::Access;

/// Who may read it if it is a new one.
pub(super) fn let_in(options: &mut OpenOptions, access: Access) {
    options.mode(match access {
        Access::Anybody => 0o666,
        Access::Owner => 0o600,
    });
}

/// A file that was there may be open to others.
pub(super) fn restrict(file: &File, access: Access) -> io::Result<()> {
    match access == Access::Owner && file.metadata()?.is_file() {
        true => file.set_permissions(Permissions::from_mode(0o600)),
        false => Ok(()),
    }
}

/// What root makes is the user's who called sudo.
pub(super) fn give_to_caller(file: &File) {
    if rustix::process::geteuid().is_root()
        && let Some(user) = User::behind_sudo()
    {
        // Where it can't be given away it stays root's.
        let _ = fchown(file, Some(user.uid), Some(user.gid));
    }
}

/// Where a path leads.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A file, by device and inode.
    File(u64, u64),
    /// A name in a folder, by device and inode, that is still free.
    Free(u64, u64, std::ffi::OsString),
}

impl Place {
    /// `None` for what is no regular file, such as a pipe or `/dev/null`: two may share it.
    pub(super) fn of(path: &Path) -> Option<Self> {
        match fs::metadata(path) {
            Ok(metadata) => metadata
                .is_file()
                .then(|| Self::File(metadata.dev(), metadata.ino())),
            Err(_) => {
                let folder = match path.parent() {
                    Some(folder) if folder != Path::new("") => folder,
                    _ => Path::new("."),
                };
                let folder = fs::metadata(folder).ok()?;
                Some(Self::Free(
                    folder.dev(),
                    folder.ino(),
                    path.file_name()?.to_owned(),
                ))
            }
        }
    }

    /// `-` is standard input.
    pub(super) fn of_input(path: &Path) -> Option<Self> {
        match path == Path::new("-") {
            true => Self::of_stream(io::stdin()),
            false => Self::of(path),
        }
    }

    pub(super) fn of_stream(stream: impl AsFd) -> Option<Self> {
        let file = File::from(stream.as_fd().try_clone_to_owned().ok()?);
        let metadata = file.metadata().ok()?;
        metadata
            .is_file()
            .then(|| Self::File(metadata.dev(), metadata.ino()))
    }
}
