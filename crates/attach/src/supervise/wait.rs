//! What a supervisor waits for.

use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::supervisor::Supervisor;

/// What there is to do after a wait.
pub(super) struct Ready {
    /// A call waits, or none will come any more.
    pub(super) calls: PollFlags,
    /// Something else is told.
    pub(super) others: bool,
}

impl Supervisor {
    /// Waits for a call, for anything else that is told, or until something is due.
    ///
    /// By poll(), and not by epoll alone: only so does the kernel wake this process on the processor of the thread that calls, as it was asked
    /// to. Waking another processor takes longer than the whole answer.
    ///
    /// Source: `seccomp_do_user_notification` in `kernel/seccomp.c`, `WF_CURRENT_CPU`; `ep_poll_callback` in `fs/eventpoll.c`.
    pub(super) fn wait(&self) -> Ready {
        let others = PollFd::new(&self.epoll, PollFlags::IN);
        let calls = PollFd::new(&self.listener, PollFlags::IN);
        let mut waited = [others, calls];
        let waited = match self.calls_are_over {
            true => &mut waited[..1],
            false => &mut waited[..],
        };
        // The only possible error is EINTR, and such signals are ignored.
        let _ = poll(waited, self.timeout().as_ref());
        Ready {
            calls: waited.get(1).map_or(PollFlags::empty(), PollFd::revents),
            others: !waited[0].revents().is_empty(),
        }
    }

    fn timeout(&self) -> Option<Timespec> {
        let file = (self.keeper.is_some() && self.memory.has_news()).then_some(self.file_due);
        let next = [self.table.next(), file].into_iter().flatten().min()?;
        Timespec::try_from(next.saturating_duration_since(Instant::now())).ok()
    }
}
