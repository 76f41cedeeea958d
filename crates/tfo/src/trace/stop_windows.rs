//! Stopping, on Windows: between two reads. One that waits for bytes is not interrupted; a second Ctrl-C ends the process.

use std::io::{self, Read};

use crate::interrupt::{self, Interrupt};

/// The request to stop.
#[derive(Debug)]
pub(super) struct Stop(());

impl Stop {
    /// Begins to listen; from then on the first Ctrl-C does not end the program by itself.
    pub(super) fn listen() -> io::Result<Self> {
        Interrupt::new().map(|_| Self(()))
    }

    pub(super) fn requested(&self) -> bool {
        interrupt::is_requested()
    }
}

/// A stream that ends when the program is to stop.
pub(super) struct Stoppable<'s, R> {
    input: R,
    stop: &'s Stop,
}

impl<'s, R> Stoppable<'s, R> {
    pub(super) fn new(input: R, stop: &'s Stop) -> Self {
        Self { input, stop }
    }
}

impl<R: Read> Read for Stoppable<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.stop.requested() {
            true => Ok(0),
            false => self.input.read(buffer),
        }
    }
}
