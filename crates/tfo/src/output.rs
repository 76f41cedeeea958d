//! Files that commands write.
//!
//! A file is opened when there is something to read, and emptied when there is something to write: until then what it holds stays.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use fastopen_host::privileges::User;

use crate::hint::Hint;
use crate::printable;

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Whoever the umask lets.
    Anybody,
    /// Its owner alone: it holds whole cookies.
    Owner,
}

/// A file that is open for writing and still has what it had.
#[derive(Debug)]
pub struct OutputFile {
    path: PathBuf,
    file: Option<File>,
    is_new: bool,
}

impl OutputFile {
    /// Opens the file, or makes an empty one. A new file of root's belongs to the user who called sudo.
    ///
    /// # Errors
    /// The system does not allow it.
    pub fn open(path: &Path, access: Access) -> anyhow::Result<Self> {
        let mode = match access {
            Access::Anybody => 0o666,
            Access::Owner => 0o600,
        };
        let mut options = OpenOptions::new();
        options.write(true).mode(mode);
        let opened = match options.clone().create_new(true).open(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                // A dangling symbolic link exists and leads to no file.
                options
                    .create(true)
                    .truncate(false)
                    .open(path)
                    .map(|file| (file, false))
            }
            created => created.map(|file| (file, true)),
        };
        let (file, is_new) = opened.with_context(|| cannot_write(path))?;
        restrict(&file, access).with_context(|| cannot_write(path))?;
        if is_new
            && rustix::process::geteuid().is_root()
            && let Some(user) = User::behind_sudo()
        {
            // Where it can't be given away it stays root's.
            let _ = fchown(&file, Some(user.uid), Some(user.gid));
        }
        Ok(Self {
            path: path.to_owned(),
            file: Some(file),
            is_new,
        })
    }

    /// Empties the file.
    ///
    /// # Errors
    /// The system does not allow it.
    pub fn begin(mut self) -> anyhow::Result<File> {
        let file = self
            .file
            .take()
            .ok_or_else(|| anyhow!("{} was begun before", self.path.display()))?;
        empty(&file).with_context(|| cannot_write(&self.path))?;
        Ok(file)
    }

    /// Gives the file this content.
    ///
    /// # Errors
    /// The system does not allow it, or there is no room.
    pub fn write_all(self, content: &[u8]) -> anyhow::Result<()> {
        let path = self.path.clone();
        self.begin()?
            .write_all(content)
            .with_context(|| cannot_write(&path))
    }
}

/// A file that was there may be open to others.
fn restrict(file: &File, access: Access) -> io::Result<()> {
    match access == Access::Owner && file.metadata()?.is_file() {
        true => file.set_permissions(Permissions::from_mode(0o600)),
        false => Ok(()),
    }
}

/// A terminal, a pipe and the like have nothing to be emptied.
fn empty(file: &File) -> io::Result<()> {
    match file.metadata()?.is_file() {
        true => file.set_len(0),
        false => Ok(()),
    }
}

impl Drop for OutputFile {
    fn drop(&mut self) {
        if self.is_new && self.file.is_some() {
            // Nothing came that was worth a file.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn cannot_write(path: &Path) -> String {
    format!("can't write {}", printable::path(path))
}

/// Refuses to write a file that is read, or that is written twice.
///
/// # Errors
/// Two of the paths lead to one file.
pub fn refuse_same<'p>(
    read: impl IntoIterator<Item = &'p Path>,
    written: impl IntoIterator<Item = &'p Path>,
) -> anyhow::Result<()> {
    let mut known: Vec<(Place, &str)> = read
        .into_iter()
        .filter_map(|path| Some((Place::of_input(path)?, "both read and written")))
        .chain(Place::of_stream(io::stdout()).map(|place| (place, "written and standard output, too")))
        .collect();
    for path in written {
        let Some(place) = Place::of(path) else { continue };
        if let Some((_, what)) = known.iter().find(|(other, _)| *other == place) {
            let error = anyhow!("{} is {what}", printable::path(path));
            return Err(error).hint("choose another file to write to");
        }
        known.push((place, "written twice"));
    }
    Ok(())
}

/// Where a path leads.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// A file, by device and inode.
    File(u64, u64),
    /// A name in a folder, by device and inode, that is still free.
    Free(u64, u64, std::ffi::OsString),
}

impl Place {
    /// `None` for what is no regular file, such as a pipe or `/dev/null`: two may share it.
    fn of(path: &Path) -> Option<Self> {
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
    fn of_input(path: &Path) -> Option<Self> {
        match path == Path::new("-") {
            true => Self::of_stream(io::stdin()),
            false => Self::of(path),
        }
    }

    fn of_stream(stream: impl AsFd) -> Option<Self> {
        let file = File::from(stream.as_fd().try_clone_to_owned().ok()?);
        let metadata = file.metadata().ok()?;
        metadata
            .is_file()
            .then(|| Self::File(metadata.dev(), metadata.ino()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_emptied_when_it_begins_and_not_before() {
        let dir = tempfile::tempdir().unwrap();
        let [old, new] = ["old", "new"].map(|name| dir.path().join(name));
        fs::write(&old, "yesterday's").unwrap();
        for path in [&old, &new] {
            drop(OutputFile::open(path, Access::Owner).unwrap());
        }
        assert_eq!(fs::read(&old).unwrap(), b"yesterday's");
        assert!(!new.exists());
        for path in [&old, &new] {
            let output = OutputFile::open(path, Access::Owner).unwrap();
            output.write_all(b"today's").unwrap();
            assert_eq!(fs::read(path).unwrap(), b"today's");
            assert_eq!(fs::metadata(path).unwrap().mode() & 0o777, 0o600);
        }
        let open_to_others = dir.path().join("picture");
        OutputFile::open(&open_to_others, Access::Anybody)
            .unwrap()
            .write_all(b"")
            .unwrap();
        assert_ne!(fs::metadata(open_to_others).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn what_can_not_be_written_is_named() {
        let error = OutputFile::open(Path::new("/nowhere/\x1b[2Ja"), Access::Anybody).unwrap_err();
        assert_eq!(error.to_string(), "can't write /nowhere/\u{fffd}[2Ja");
        let full = OutputFile::open(Path::new("/dev/full"), Access::Anybody).unwrap();
        assert_eq!(
            full.write_all(b"x").unwrap_err().to_string(),
            "can't write /dev/full"
        );
    }

    #[test]
    fn one_file_by_any_name_is_one_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::write(path("a"), "").unwrap();
        fs::hard_link(path("a"), path("hard")).unwrap();
        std::os::unix::fs::symlink(path("a"), path("soft")).unwrap();
        let refuses = |read: &[&str], written: &[&str]| {
            let [read, written] =
                [read, written].map(|names| names.iter().map(|name| path(name)).collect::<Vec<_>>());
            refuse_same(
                read.iter().map(PathBuf::as_path),
                written.iter().map(PathBuf::as_path),
            )
            .is_err()
        };
        assert!(refuses(&["a"], &["a"]) && refuses(&["a"], &["hard"]) && refuses(&["soft"], &["hard"]));
        assert!(
            refuses(&[], &["new", "new"]) && refuses(&[], &["new", "./new"]) && refuses(&[], &["a", "soft"])
        );
        assert!(!refuses(&["a", "a"], &["new", "newer"]) && !refuses(&["a"], &[]));
        let null = Path::new("/dev/null");
        assert!(refuse_same([null], [null, null]).is_ok());
    }
}
