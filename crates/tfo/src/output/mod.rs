//! Files that commands write.
//!
//! A file is opened when there is something to read, and emptied when there is something to write: until then what it holds stays.

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod system;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};

use crate::hint::Hint;
use crate::printable;

use system::Place;

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
        let mut options = OpenOptions::new();
        options.write(true);
        system::let_in(&mut options, access);
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
        system::restrict(&file, access).with_context(|| cannot_write(path))?;
        if is_new {
            system::give_to_caller(&file);
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

    /// The file as it is, for who replaces what it holds later.
    ///
    /// # Errors
    /// The system does not allow it.
    pub fn share(&self) -> anyhow::Result<File> {
        let file = self.file.as_ref().map(File::try_clone);
        let file = file.ok_or_else(|| anyhow!("{} was begun before", self.path.display()))?;
        file.with_context(|| cannot_write(&self.path))
    }

    /// Keeps it from being removed, if it is a new one.
    pub fn keep(mut self) {
        self.file = None;
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

#[cfg(test)]
mod tests {
    #[cfg(unix)]
    use std::os::unix::fs::MetadataExt;

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
