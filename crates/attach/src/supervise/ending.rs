//! What a supervisor does when the program ends, and when no process is left.

use std::time::{Duration, Instant};

use rustix::process::{getpid, getppid};

use super::descendants;
use super::observe::Left;
use super::step::End;
use super::supervisor::Supervisor;
use crate::sys::process;

/// For how long connections are looked after when no process is left: what was written last is on its way in the SYN, which is sent again
/// after one, three and seven seconds.
const LAST_LOOKS: Duration = Duration::from_secs(10);

impl Supervisor {
    pub(super) fn program_ended(&mut self) {
        if self.program_has_ended {
            return;
        }
        self.program_has_ended = true;
        for number in self.table.numbers() {
            self.look_at(number);
            self.give_up_unbegun(number);
            if self.ends_all {
                self.conclude_as_it_is(number);
            }
        }
        self.save();
        if let Some(observer) = &mut self.observer {
            let this_one =
                [Some(getpid()), getppid()].map(|pid| pid.map_or(0, |pid| pid.as_raw_pid().cast_unsigned()));
            observer.program_ended(Left {
                connections: self.table.len(),
                processes: descendants::count(self.program, &this_one),
            });
        }
    }

    /// Nobody will look at it again.
    fn conclude_as_it_is(&mut self, number: u64) {
        if let Some(tracked) = self.table.get_mut(number) {
            let look = tracked.look(Instant::now());
            let end = tracked.end_so_far();
            self.conclude(number, end, &look);
        }
    }

    /// Reports those whose outcome is still open, and goes on looking after their sockets.
    fn report_as_they_are(&mut self) {
        for number in self.table.numbers() {
            let (Some(tracked), Some(observer)) = (self.table.get_mut(number), &mut self.observer) else {
                continue;
            };
            let look = tracked.look(Instant::now());
            observer.connection(&tracked.report(tracked.end_so_far(), look.info.as_ref()));
        }
    }

    /// A connection of the program that ends, or of a process that has ended, and that has not begun: its connect() has failed at once.
    fn give_up_unbegun(&mut self, number: u64) {
        let is_over = |tid| process::process_of(tid).map_or(true, |process| process == self.program);
        let Some(tracked) = self.table.get_mut(number) else {
            return;
        };
        if !tracked.begun && is_over(tracked.tid) {
            let look = tracked.look(Instant::now());
            if !tracked.begun {
                self.conclude(number, End::NotBegun, &look);
            }
        }
    }

    pub(super) fn end(&mut self) {
        self.program_ended();
        // Connections whose programs have closed them are still being made. Their outcome is worth a moment; the sockets stay for as long as
        // the kernel tries.
        self.look_on(Duration::from_secs(2));
        self.save();
        self.report_as_they_are();
        if let Some(observer) = &mut self.observer {
            observer.all_ended();
        }
        self.observer = None;
        self.look_on(LAST_LOOKS);
    }

    /// Looks after the sockets that are held, for at most so long.
    fn look_on(&mut self, limit: Duration) {
        let deadline = Instant::now() + limit;
        for number in self.table.numbers() {
            self.look_at(number);
        }
        while self.table.holds_any() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
            for number in self.table.numbers() {
                self.look_at(number);
            }
        }
    }
}
