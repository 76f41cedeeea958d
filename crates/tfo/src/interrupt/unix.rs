//! Unix' signals.

use std::io;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator;
use signal_hook::low_level::emulate_default_handler;

/// Those that ask a program to stop, as they come.
pub(super) struct Signals(iterator::Signals);

impl Signals {
    pub(super) fn new() -> io::Result<Self> {
        iterator::Signals::new([SIGINT, SIGTERM]).map(Self)
    }

    /// Waits for each.
    pub(super) fn forever(&mut self) -> impl Iterator<Item = i32> {
        self.0.forever()
    }
}

/// Ends the process as the signal would without a handler, without waiting for anything.
pub(super) fn end_by(signal: i32) {
    // It fails only for signals that have no default.
    let _ = emulate_default_handler(signal);
}
