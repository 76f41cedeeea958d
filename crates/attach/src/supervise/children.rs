//! The processes below a supervisor, or below the guardian that has taken its place: what the program does is told to its front, and of
//! the others nothing is left when they end.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::process::{Pid, Signal};

use super::channel::{self, Message};
use crate::sys::children::{self, Change};
use crate::sys::signals::{self, Signals};

#[derive(Debug)]
pub(crate) struct Children {
    program: u32,
    has_ended: bool,
    /// By which signal it is stopped.
    stopped: Option<i32>,
    signals: Signals,
    front: Option<Front>,
}

/// The process that stands for the program.
#[derive(Debug)]
pub(crate) struct Front {
    pub(crate) channel: OwnedFd,
    pub(crate) process: OwnedFd,
}

impl Children {
    /// From here on this process gets the orphans among its descendants.
    pub(crate) fn new(program: u32, front: Front) -> io::Result<Self> {
        adopt_orphans();
        Ok(Self {
            program,
            has_ended: false,
            stopped: None,
            signals: Signals::of_children()?,
            front: Some(front),
        })
    }

    /// Becomes readable when there is something to [look](Self::look) at.
    pub(crate) fn signals(&self) -> BorrowedFd<'_> {
        self.signals.as_fd()
    }

    /// They become readable when there is something to [look](Self::look) at, or to [hear](Self::hear).
    pub(crate) fn readable(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        std::iter::once(self.signals()).chain(self.front())
    }

    /// Becomes readable when there is something to hear.
    pub(crate) fn front(&self) -> Option<BorrowedFd<'_>> {
        Some(self.front.as_ref()?.channel.as_fd())
    }

    /// Takes what is new; does something before the program's end is told. Returns whether there are any left.
    pub(crate) fn look(&mut self, before_end: impl FnMut()) -> bool {
        while self.signals.take().is_some() {}
        self.take(false, before_end)
    }

    /// Waits until there are none left.
    pub(crate) fn wait_for_all(&mut self) {
        while self.take(true, || ()) {}
    }

    fn take(&mut self, waits: bool, mut before_end: impl FnMut()) -> bool {
        loop {
            match children::peek(waits) {
                Ok(Some((pid, change))) => {
                    // What was told and not taken is told again by whoever takes this process's place; what was taken would be lost with it.
                    if pid == self.program {
                        if matches!(change, Change::Ended(_)) {
                            before_end();
                        }
                        self.tell(change);
                    }
                    children::take(pid, change);
                }
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
    }

    fn tell(&mut self, change: Change) {
        self.stopped = match change {
            Change::Stopped(signal) => Some(signal),
            _ => None,
        };
        self.has_ended = matches!(change, Change::Ended(_));
        let Some(front) = &self.front else { return };
        let message = match change {
            Change::Stopped(signal) => Message::Stopped(signal),
            Change::Continued => Message::Continued(std::process::id()),
            Change::Ended(end) => Message::Ended(end),
        };
        let _ = channel::send(&front.channel, message, None);
        if self.stopped.is_none() {
            let _ = signals::send(front.process.as_fd(), libc::SIGCONT);
        }
    }

    /// Takes what the front says. False if it is gone: then nobody stands for the program any more. It was killed, and so is the program.
    pub(crate) fn hear(&mut self) -> bool {
        let Some(front) = &self.front else { return true };
        match channel::receive_now(&front.channel) {
            Ok(Message::MayStop) => {
                if let Some(signal) = self.stopped {
                    let _ = signals::send(front.process.as_fd(), signal);
                }
                true
            }
            Ok(_) => true,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => true,
            Err(_) => false,
        }
    }

    /// The front is gone. Who ended it could not be answered otherwise: it passes on what can be passed on.
    pub(crate) fn lose_front(&mut self) {
        self.front = None;
        let program = i32::try_from(self.program).ok().and_then(Pid::from_raw);
        if let Some(program) = program.filter(|_| !self.has_ended) {
            // It is a child of this process, which has not taken its end: nobody else has its number.
            let _ = rustix::process::kill_process(program, Signal::KILL);
        }
    }
}

/// Descendants whose parent ends become children of this process, if there is no other such process in between.
pub(super) fn adopt_orphans() {
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
}

/// They become what they would be without this process.
pub(super) fn leave_orphans() {
    let _ = rustix::process::set_child_subreaper(None);
}
