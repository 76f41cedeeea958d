//! The supervisor: answers the calls that are reported, and looks after the connections that come of them.
//!
//! Everything but the memory's file happens on one thread, so that a program's call never waits for a lock. It must never block.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use rustix::event::{PollFlags, Timespec, epoll};
use rustix::pipe::{PipeFlags, pipe_with};

use super::children::Children;
use super::descriptors;
use super::guardian;
use super::keeper::Keeper;
use super::marked::Marked;
use super::memory::Memory;
use super::observe::{Note, Observer};
use super::rules::Rules;
use super::settings::Settings;
use super::shared::Shared;
use super::step::{End, Step, patience};
use super::tracked::{Look, Table, Tracked};
use crate::sys::fork::{self, Side};
use crate::sys::process;
use crate::sys::seccomp::{Answer, Listener, Notification};
use crate::sys::socket;
use crate::sys::thread::Thread;

/// How many destinations are remembered.
const DESTINATIONS: usize = 4096;
/// How often the file of the memory is looked at, and written.
pub(super) const FILE_INTERVAL: Duration = Duration::from_secs(1);

const GUARDIAN: u64 = 1;
const PROGRAM: u64 = 2;
pub(super) const CHILDREN: u64 = 3;
pub(super) const FRONT: u64 = 4;
pub(super) const FILE: u64 = 5;
/// Connections have the numbers from here on.
const CONNECTIONS: u64 = 16;

/// What a supervisor has when it begins.
pub(crate) struct Post {
    pub(crate) program: u32,
    pub(crate) listener: Listener,
    pub(crate) guardian_end: OwnedFd,
    /// Closed when this process ends, which tells the guardian.
    pub(crate) alive: OwnedFd,
    pub(crate) shared: Rc<Shared>,
    /// The program's end is the end of all processes in its PID namespace, this one too.
    pub(crate) ends_all: bool,
    /// If the program is a child of this process.
    pub(crate) children: Option<Children>,
}

pub(crate) struct Supervisor {
    pub(super) program: u32,
    pub(super) listener: Listener,
    guardian_end: OwnedFd,
    _alive: OwnedFd,
    pub(super) children: Option<Children>,
    pub(super) ends_all: bool,
    /// Nobody could release a deferred socket in this process's place.
    pub(super) is_unguarded: bool,
    /// No call will come any more.
    pub(super) calls_are_over: bool,
    pub(super) shared: Rc<Shared>,
    pub(super) epoll: OwnedFd,
    pub(super) rules: Rules,
    pub(super) queue: Option<u32>,
    pub(super) memory: Memory,
    pub(super) keeper: Option<Keeper>,
    /// The observer was told that the file can't be kept.
    pub(super) told_of_file: bool,
    pub(super) file_due: Instant,
    pub(super) table: Table,
    pub(super) marked: Marked,
    /// Who made the last call.
    pub(super) caller: Option<Thread>,
    /// This process's network namespace, as sockets name theirs (Linux 5.14).
    pub(super) namespace: Option<u64>,
    /// How many connections may be looked after at once: each takes a descriptor.
    pub(super) capacity: usize,
    pub(super) observer: Option<Box<dyn Observer>>,
    pub(super) program_has_ended: bool,
}

impl Supervisor {
    pub(crate) fn new(
        post: Post,
        settings: Settings,
        observer: Option<Box<dyn Observer>>,
    ) -> io::Result<Self> {
        let Post {
            program,
            listener,
            guardian_end,
            alive,
            shared,
            ends_all,
            children,
        } = post;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(
            &epoll,
            &guardian_end,
            epoll::EventData::new_u64(GUARDIAN),
            epoll::EventFlags::IN,
        )?;
        if let Ok(program) = process::open(program) {
            // Once: it stays readable for as long as descendants of the program keep this process here.
            let data = epoll::EventData::new_u64(PROGRAM);
            epoll::add(
                &epoll,
                &program,
                data,
                epoll::EventFlags::IN | epoll::EventFlags::ONESHOT,
            )?;
            // It is to stay open for as long as this process lives.
            std::mem::forget(program);
        }
        let mut supervisor = Self {
            program,
            listener,
            guardian_end,
            _alive: alive,
            children,
            ends_all,
            is_unguarded: false,
            calls_are_over: false,
            shared,
            epoll,
            rules: settings.rules,
            queue: settings.listen,
            memory: Memory::new(DESTINATIONS),
            keeper: None,
            told_of_file: false,
            file_due: Instant::now() + FILE_INTERVAL,
            table: Table::default(),
            marked: Marked::default(),
            caller: None,
            namespace: socket::own_namespace(),
            capacity: descriptors::capacity(),
            observer,
            program_has_ended: false,
        };
        supervisor.watch_children()?;
        if let Some(path) = settings.memory {
            supervisor.begin_with_file(path);
        }
        Ok(supervisor)
    }

    /// Works until no task uses the filter any more.
    pub(crate) fn run(&mut self) {
        let mut events = Vec::with_capacity(64);
        loop {
            let ready = self.wait();
            if ready.calls.contains(PollFlags::IN) {
                self.take_call();
            } else if !ready.calls.is_empty() {
                self.see_calls_end();
            }
            if ready.others {
                self.handle_events(&mut events);
            }
            if self.calls_are_over && self.children.is_none() {
                return self.end();
            }
            let now = Instant::now();
            while let Some(number) = self.table.due(now) {
                self.look_at(number);
            }
            self.keep_file(now);
        }
    }

    fn handle_events(&mut self, events: &mut Vec<epoll::Event>) {
        events.clear();
        let at_once = Timespec::default();
        let _ = epoll::wait(
            &self.epoll,
            rustix::buffer::spare_capacity(events),
            Some(&at_once),
        );
        for event in events {
            // The kernel packs them.
            let (data, flags) = (event.data, event.flags);
            match data.u64() {
                // It ends when no call can come any more, as this process does.
                GUARDIAN if self.calls_are_over => {}
                GUARDIAN => self.replace_guardian(),
                PROGRAM => self.program_ended(),
                CHILDREN => self.look_at_children(),
                FRONT => self.hear_the_front(),
                FILE => self.file_was_told_of(),
                number => self.told_of(number - CONNECTIONS, flags),
            }
        }
    }

    fn take_call(&mut self) {
        let Ok(Some(call)) = self.listener.receive() else {
            return;
        };
        self.shared.received(call.id);
        if i64::from(call.number) == libc::SYS_exit_group {
            // It does not return, and its observer is told before it is let through.
            if self.is_of_program(&call) {
                self.program_ended();
            }
            self.listener.answer(call.id, Answer::Continue);
            return;
        }
        self.handle(&call);
    }

    fn is_of_program(&self, call: &Notification) -> bool {
        call.tid == self.program || process::process_of(call.tid).is_ok_and(|process| process == self.program)
    }

    /// The guardian is gone: another takes its place.
    fn replace_guardian(&mut self) {
        // The new one inherits the old end: closing it here would not take it out of the set.
        let _ = epoll::delete(&self.epoll, &self.guardian_end);
        self.is_unguarded = self.children.is_some();
        let Ok((guardian_end, guardian_alive)) = pipe_with(PipeFlags::CLOEXEC) else {
            return;
        };
        let Ok((supervisor_end, supervisor_alive)) = pipe_with(PipeFlags::CLOEXEC) else {
            return;
        };
        match fork::fork() {
            Ok(Side::Child) => {
                fork::close_all_but(&[
                    self.listener.as_fd().as_raw_fd(),
                    supervisor_end.as_raw_fd(),
                    guardian_alive.as_raw_fd(),
                ]);
                guardian::guard(&self.listener, supervisor_end, &self.shared, None);
                fork::exit(0);
            }
            Ok(Side::Parent { .. }) => {
                let data = epoll::EventData::new_u64(GUARDIAN);
                let _ = epoll::add(&self.epoll, &guardian_end, data, epoll::EventFlags::IN);
                self.guardian_end = guardian_end;
                self._alive = supervisor_alive;
            }
            // Without one from now on.
            Err(_) => {}
        }
    }

    /// The kernel tells of a socket that its handshake has ended, or that it has been closed.
    fn told_of(&mut self, number: u64, flags: epoll::EventFlags) {
        if let Some(tracked) = self.table.get_mut(number) {
            let is_closed = flags.intersects(epoll::EventFlags::HUP | epoll::EventFlags::ERR);
            tracked.refused |= is_closed && tracked.socket.is_none();
            self.look_at(number);
        }
    }

    /// Looks at a connection, and does what is due.
    pub(super) fn look_at(&mut self, number: u64) {
        let now = Instant::now();
        let Some(tracked) = self.table.get_mut(number) else {
            return;
        };
        let look = tracked.look(now);
        // Its thread may be waiting for the answer to a call.
        let is_late = now.saturating_duration_since(tracked.started) >= patience(tracked.rtt, true);
        if look.step == Step::Release && !is_late && self.listener.has_calls() {
            return self.table.look_at(number, now + Duration::from_millis(1));
        }
        if look.repeats_syn && look.is_deferred && !tracked.failed {
            tracked.failed = true;
            self.memory.failed(tracked.destination(), seconds());
        }
        if !look.is_connecting {
            tracked.shut_down();
        }
        // It may still become one that is to be released as long as its connect() has not begun.
        let must_release =
            !tracked.released && look.step != Step::Release && (look.is_deferred || !tracked.begun);
        if let Some(slot) = tracked
            .slot
            .take_if(|_| !must_release && tracked.shutdown.is_none())
        {
            self.shared.free(&slot);
        }
        match look.step {
            Step::Wait => {}
            Step::Release => tracked.release(),
            Step::LetGo => {
                watch_on(&self.epoll, number, tracked, look.is_connecting);
                tracked.let_go();
            }
            Step::Withdraw => {
                if tracked.withdraw() {
                    self.conclude(number, End::NotBegun, &look);
                    return;
                }
            }
            Step::Done(end) => {
                self.conclude(number, end, &look);
                return;
            }
        }
        self.table.look_at(number, now + look.next);
    }

    /// Forgets a connection that is over, and learns from it.
    pub(super) fn conclude(&mut self, number: u64, end: End, look: &Look) {
        let Some(mut tracked) = self.table.remove(number) else {
            return;
        };
        if let Some(slot) = &tracked.slot {
            self.shared.free(slot);
        }
        tracked.shut_down();
        if let Some(held) = &tracked.socket {
            // It would stay in the set for as long as the program has the socket, and wake this process whenever that takes more to send.
            let _ = epoll::delete(&self.epoll, held);
        }
        if matches!(end, End::Failed | End::Gone) {
            tracked.withdraw();
        }
        let connection = tracked.report(end, look.info.as_ref());
        if tracked.went_there() {
            let (destination, now) = (tracked.destination(), seconds());
            let lost = connection.outcome == fastopen::Outcome::SynLost;
            match end {
                End::Failed if tracked.expected => self.memory.failed(destination, now),
                End::Failed | End::NotBegun | End::Gone => {}
                _ if lost => self.memory.failed(destination, now),
                End::ServerFirst => self.memory.server_spoke_first(destination, now),
                End::WroteLate => self.memory.saved_nothing(destination, now),
                End::Established if connection.note == Some(Note::Oversized) => {
                    self.memory.saved_nothing(destination, now);
                }
                End::Established if tracked.expected && !tracked.released => {
                    self.memory.worked(destination, now, connection.rtt);
                }
                End::Established => self.memory.answered(destination, now, connection.rtt),
            }
        }
        if let Some(observer) = &mut self.observer {
            observer.connection(&connection);
        }
    }

    /// Begins to look after a connection whose connect() has been let through.
    pub(super) fn track(&mut self, tracked: Tracked) {
        let look_at = tracked.started + patience(tracked.rtt, false);
        let number = self.table.insert(tracked, look_at);
        if let Some(socket) = self
            .table
            .get_mut(number)
            .and_then(|tracked| tracked.socket.as_ref())
        {
            use epoll::EventFlags;
            let data = epoll::EventData::new_u64(number + CONNECTIONS);
            // Edge-triggered: an event when the handshake ends, whichever way.
            let _ = epoll::add(
                &self.epoll,
                socket,
                data,
                EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET,
            );
        }
    }
}

/// A socket that is let go while its handshake goes on stays in the set, which holds nothing of it: one more event tells of the end, if
/// its program has it until then. Any other is taken out.
fn watch_on(epoll: &OwnedFd, number: u64, tracked: &Tracked, is_connecting: bool) {
    use epoll::EventFlags;
    let Some(held) = &tracked.socket else { return };
    let _ = match is_connecting {
        true => epoll::modify(
            epoll,
            held,
            epoll::EventData::new_u64(number + CONNECTIONS),
            EventFlags::OUT | EventFlags::RDHUP | EventFlags::ONESHOT,
        ),
        false => epoll::delete(epoll, held),
    };
}

/// Seconds since 1970, as the memory counts.
pub(super) fn seconds() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
