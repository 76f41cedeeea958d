//! What tells that a file was replaced or written to, without reading it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::SystemTime;

/// A file as it was at one moment. Symbolic links are followed, so that a link that points elsewhere is another file: the kubelet and
/// cert-manager swap `..data` in this way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Stamp {
    Absent,
    File {
        device: u64,
        inode: u64,
        length: u64,
        mode: u32,
        modified: Option<SystemTime>,
    },
}

impl Stamp {
    pub(super) fn of(path: &Path) -> Self {
        fs::metadata(path).map_or(Self::Absent, |metadata| Self::File {
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.len(),
            mode: metadata.mode(),
            modified: metadata.modified().ok(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_swapped_link_and_a_written_file_are_others() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("one")).unwrap();
        fs::create_dir(at("two")).unwrap();
        fs::write(at("one/secret"), "same").unwrap();
        fs::write(at("two/secret"), "same").unwrap();
        symlink("one", at("..data")).unwrap();
        symlink("..data/secret", at("secret")).unwrap();
        let first = Stamp::of(&at("secret"));
        assert_eq!(first, Stamp::of(&at("secret")));

        symlink("two", at("..new")).unwrap();
        fs::rename(at("..new"), at("..data")).unwrap();
        let swapped = Stamp::of(&at("secret"));
        assert_ne!(first, swapped);

        fs::write(at("two/secret"), "longer").unwrap();
        assert_ne!(swapped, Stamp::of(&at("secret")));
        fs::remove_file(at("..data")).unwrap();
        assert_eq!(Stamp::of(&at("secret")), Stamp::Absent);
    }
}
