//! The picture's file.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::Context;
use fastopen_wire::Connection;

use super::Picture;

/// The picture, and the file that it goes to.
pub(crate) struct PictureFile {
    name: String,
    file: File,
    picture: Picture,
}

impl PictureFile {
    /// Makes the file, or empties it.
    pub(crate) fn create(path: &Path) -> anyhow::Result<Self> {
        let name = path.display().to_string();
        Ok(Self {
            file: File::create(path).with_context(|| format!("can't write {name}"))?,
            name,
            picture: Picture::default(),
        })
    }

    pub(crate) fn add(&mut self, connection: &Connection) {
        self.picture.add(connection);
    }

    /// Draws it.
    pub(crate) fn finish(self) -> anyhow::Result<()> {
        let mut out = BufWriter::new(self.file);
        self.picture
            .write(&mut out)
            .and_then(|()| out.flush())
            .with_context(|| format!("can't write {}", self.name))
    }
}
