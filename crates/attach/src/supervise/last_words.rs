//! What a guardian says when its supervisor was killed, where somebody waits for a report.

use std::cell::Cell;
use std::io;
use std::os::fd::{AsFd, RawFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::sys::process;

const STANDARD_ERROR: RawFd = 2;

/// A line for the program's standard error. It is not kept open meanwhile: who reads it until its end would wait for this process.
#[derive(Debug)]
pub(crate) struct LastWords {
    pub(super) program: u32,
    line: String,
    /// The file that standard error was when the program began.
    file: (u64, u64),
    said: Cell<bool>,
}

impl LastWords {
    /// For the program that this process becomes.
    pub(crate) fn of(program: u32, line: String) -> Option<Self> {
        Some(Self {
            program,
            line,
            file: identity(io::stderr())?,
            said: Cell::new(false),
        })
    }

    /// Says them once, if the program still runs, has the file that it began with, and that takes a line at once.
    pub(crate) fn say(&self) {
        if self.said.replace(true) {
            return;
        }
        let Ok(process) = process::open(self.program) else {
            return;
        };
        let Ok(file) = process::duplicate(process.as_fd(), STANDARD_ERROR) else {
            return;
        };
        let mut waited = [PollFd::new(&file, PollFlags::OUT)];
        let takes_it = poll(&mut waited, Some(&Timespec::default())).is_ok_and(|ready| ready > 0);
        if takes_it && identity(&file) == Some(self.file) {
            let _ = rustix::io::write(&file, self.line.as_bytes());
        }
    }
}

fn identity(file: impl AsFd) -> Option<(u64, u64)> {
    let file = rustix::fs::fstat(file).ok()?;
    Some((file.st_dev, file.st_ino))
}
