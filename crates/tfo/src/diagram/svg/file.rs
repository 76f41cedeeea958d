//! The picture's file.

use std::path::Path;

use fastopen_wire::Connection;

use super::Picture;
use crate::output::{Access, OutputFile};

/// The picture, and the file that it goes to.
pub(crate) struct PictureFile {
    file: OutputFile,
    picture: Picture,
}

impl PictureFile {
    /// Opens the file, which keeps what it has until the picture is drawn.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        Ok(Self {
            file: OutputFile::open(path, Access::Anybody)?,
            picture: Picture::default(),
        })
    }

    pub(crate) fn add(&mut self, connection: &Connection) {
        self.picture.add(connection);
    }

    /// Draws it.
    pub(crate) fn finish(self) -> anyhow::Result<()> {
        let mut svg = Vec::new();
        self.picture.write(&mut svg)?;
        self.file.write_all(&svg)
    }
}
