//! Two processes that tell a signal which was sent to many from one that was sent to the front alone.
//!
//! ```text
//!   front ─┬─ fork ── witness in the front's process group
//!          └─ fork ── witness in a session of its own
//! ```
//!
//! Nobody has a reason to signal them. A signal for the whole group reaches the first; what a service manager sends to each process of a
//! control group reaches both, and so does what is sent to whatever looks like `tfo` (`pkill tfo`).

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal, getppid, set_parent_process_death_signal};

use super::channel::{self, Message};
use super::held::{Sent, Witnessed};
use crate::sys::fork::{self, Side};
use crate::sys::process;
use crate::sys::signals::{self, Signals};

/// How long a witness that runs may take to be scheduled. Only one that is stopped takes longer.
const PATIENCE: Duration = Duration::from_millis(200);

pub(super) struct Witnesses([Witness; 2]);

struct Witness {
    is: Witnessed,
    pid: i32,
    process: OwnedFd,
    channel: OwnedFd,
    /// And has not answered yet.
    is_asked: bool,
}

impl Witnesses {
    /// For a process that has one thread and blocks every signal.
    pub(super) fn start() -> io::Result<Self> {
        Ok(Self([
            Witness::start(Witnessed::InGroup)?,
            Witness::start(Witnessed::Outside)?,
        ]))
    }

    /// They become readable when there is something to [read](Self::read).
    pub(super) fn readable(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.0.iter().map(|witness| witness.channel.as_fd())
    }

    /// Gives what they have received. An error if one of them is gone: then they prove nothing.
    pub(super) fn read(&mut self, mut tell: impl FnMut(Witnessed, Sent)) -> io::Result<()> {
        self.0.iter_mut().try_for_each(|witness| witness.read(&mut tell))
    }

    /// As [`read`](Self::read), with everything that was sent to them before now. An error, too, if one of them does not answer.
    pub(super) fn ask(&mut self, mut tell: impl FnMut(Witnessed, Sent)) -> io::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let Self([one, other]) = self;
        let are_asked = [one.ask()?, other.ask()?];
        for (witness, is_asked) in [one, other].into_iter().zip(are_asked) {
            // One that did not answer the last question is not waited for again.
            witness.hear(if is_asked { deadline } else { Instant::now() }, &mut tell)?;
        }
        match self.0.iter().any(|witness| witness.is_asked) {
            true => Err(io::ErrorKind::TimedOut.into()),
            false => Ok(()),
        }
    }

    /// What stopped the group may have stopped them.
    pub(super) fn wake(&self) {
        for witness in &self.0 {
            let _ = signals::send(witness.process.as_fd(), libc::SIGCONT);
        }
    }
}

impl Witness {
    fn start(is: Witnessed) -> io::Result<Self> {
        let (ours, theirs) = channel::pair()?;
        let front = std::process::id();
        match fork::fork()? {
            Side::Child => {
                // Nothing may return into the caller's code.
                let _ = catch_unwind(AssertUnwindSafe(|| watch(is, front, &theirs)));
                fork::exit(0)
            }
            Side::Parent { child } => Ok(Self {
                is,
                pid: child,
                process: process::open(child.unsigned_abs())?,
                channel: ours,
                is_asked: false,
            }),
        }
    }

    fn read(&mut self, tell: &mut impl FnMut(Witnessed, Sent)) -> io::Result<()> {
        loop {
            match channel::receive_now(&self.channel) {
                Ok(Message::Witnessed(number, sender)) => tell(self.is, Sent { number, sender }),
                Ok(_) => self.is_asked = false,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    /// Returns whether there is a new question: who does not answer is not asked again and again, which would fill the channel.
    fn ask(&mut self) -> io::Result<bool> {
        if self.is_asked {
            return Ok(false);
        }
        channel::send(&self.channel, Message::Ready, None)?;
        self.is_asked = true;
        Ok(true)
    }

    /// Reads until there is an answer.
    fn hear(&mut self, deadline: Instant, tell: &mut impl FnMut(Witnessed, Sent)) -> io::Result<()> {
        loop {
            self.read(tell)?;
            let left = deadline.saturating_duration_since(Instant::now());
            if !self.is_asked || left.is_zero() {
                return Ok(());
            }
            let timeout = Timespec::try_from(left).ok();
            let _ = poll(&mut [PollFd::new(&self.channel, PollFlags::IN)], timeout.as_ref());
        }
    }
}

impl Drop for Witness {
    /// Nothing of the front's group is left behind.
    fn drop(&mut self) {
        if signals::send(self.process.as_fd(), libc::SIGKILL).is_ok() {
            fork::wait(self.pid);
        }
    }
}

/// In the witness.
fn watch(is: Witnessed, front: u32, channel: &OwnedFd) {
    // One that is stopped would see no end of the channel.
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    let parent = getppid().map(|parent| parent.as_raw_nonzero().get().unsigned_abs());
    let Ok(signals) = Signals::every() else { return };
    if parent != Some(front) {
        return;
    }
    if is == Witnessed::Outside {
        fork::leave_session();
    }
    fork::set_name(c"tfo-witness");
    fork::close_all_but(&[channel.as_raw_fd(), signals.as_fd().as_raw_fd()]);
    loop {
        let mut waited = [
            PollFd::new(&signals, PollFlags::IN),
            PollFd::new(channel, PollFlags::IN),
        ];
        let _ = poll(&mut waited, None);
        // The question before the signals: the answer says that everything sent before the question was told.
        let question = channel::receive_now(channel);
        while let Some(signal) = signals.take() {
            let Some(Sent { number, sender }) = Sent::of(&signal) else {
                continue;
            };
            if channel::send(channel, Message::Witnessed(number, sender), None).is_err() {
                return;
            }
        }
        match question {
            Ok(_) if channel::send(channel, Message::Ready, None).is_ok() => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            _ => return,
        }
    }
}
