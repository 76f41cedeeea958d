//! Writing on Windows: a pipe that nobody reads is waited for, and Ctrl-C ends the process meanwhile.

use std::fs::File;
use std::io::{self, Write};
use std::os::windows::io::AsHandle;

/// The same, without the standard library's buffer in between.
pub(crate) fn duplicate(stream: &impl AsHandle) -> io::Result<File> {
    stream.as_handle().try_clone_to_owned().map(File::from)
}

pub(super) struct Pieces<F>(F);

impl<F> Pieces<F> {
    pub(super) fn new(out: F) -> Self {
        Self(out)
    }
}

impl<F: Write> Write for Pieces<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
