//! What a supervisor does for its children, where the program is one of them.

use std::os::fd::BorrowedFd;

use rustix::event::epoll;

use super::supervisor::{CHILDREN, FRONT, Supervisor};

impl Supervisor {
    pub(super) fn watch_children(&mut self) -> std::io::Result<()> {
        let Some(children) = &self.children else {
            return Ok(());
        };
        let watch = |fd: BorrowedFd<'_>, number| {
            let data = epoll::EventData::new_u64(number);
            epoll::add(&self.epoll, fd, data, epoll::EventFlags::IN)
        };
        children.front().map_or(Ok(()), |front| watch(front, FRONT))?;
        watch(children.signals(), CHILDREN)?;
        // What they did before is told only once.
        self.look_at_children();
        Ok(())
    }

    pub(super) fn look_at_children(&mut self) {
        let Some(mut children) = self.children.take() else {
            return;
        };
        if children.look(|| self.program_ended()) {
            self.children = Some(children);
        }
    }

    pub(super) fn hear_the_front(&mut self) {
        let Some(children) = &mut self.children else {
            return;
        };
        if !children.hear() {
            // The guardian has it open too, so that closing it here would not take it out of the set.
            if let Some(front) = children.front() {
                let _ = epoll::delete(&self.epoll, front);
            }
            children.lose_front();
        }
    }

    /// No task uses the filter any more. The last may not have ended yet.
    pub(super) fn see_calls_end(&mut self) {
        self.calls_are_over = true;
        self.look_at_children();
    }
}
