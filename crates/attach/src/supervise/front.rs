//! The process that stands for the program where that has another number: to its parent and its shell it is the program.
//!
//! It stops, goes on and ends as the program does, and passes on the signals that are sent to it. It stays in the process group that it was
//! started in, which is the program's: what is sent to the group reaches both, and is not passed on.

use std::convert::Infallible;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{DumpableBehavior, Pid, getpgid, getpgrp, set_dumpable_behavior};

use super::channel::{self, Message};
use super::held::{Held, Reach, Sent};
use super::refusal::{self, NotSupervised};
use super::unit;
use super::witness::Witnesses;
use crate::sys::children::{self, Change, End};
use crate::sys::fork;
use crate::sys::process;
use crate::sys::signals::{self, Received, Signals};

/// Stands for the program until that ends, and ends as it does. Returns if there is none, because it can't be supervised.
///
/// The channel is the one to which the processes below write.
pub(super) fn stand(channel: OwnedFd) -> Result<Infallible, NotSupervised> {
    let gone = NotSupervised::of(refusal::SUPERVISOR);
    let mut program = None;
    loop {
        return Err(match channel::receive_descriptor(&channel) {
            // From the supervisor.
            Ok((Message::Hello(_), Some(process))) => {
                program = Some(process);
                continue;
            }
            // From the program's process, which begins now.
            Ok((Message::Hello(pid), None)) => {
                let program = program.map_or_else(|| process::open(pid), Ok);
                match program.and_then(|program| Front::new(channel, pid, program)) {
                    Ok(front) => front.stand(),
                    Err(_) => fork::exit(1),
                }
            }
            // Before it began.
            Ok((Message::Ended(end), _)) => end_like(end),
            Ok((Message::Refused(call, code), _)) => {
                NotSupervised::of(refusal::name_of(call))(io::Error::from_raw_os_error(code))
            }
            Ok(_) => gone(io::ErrorKind::InvalidData.into()),
            Err(error) => gone(error),
        });
    }
}

struct Front {
    /// None when the supervisor and the guardian are gone: the program is a child of this process then.
    channel: Option<OwnedFd>,
    pid: u32,
    program: OwnedFd,
    signals: Signals,
    /// Why the program is stopped, and this process is or will be.
    stopped_by: Option<i32>,
    /// Who sends SIGCONT to this process when the program goes on.
    continued_by: Option<u32>,
    held: Held<Received>,
    /// None if one of them is gone.
    witnesses: Option<Witnesses>,
}

impl Front {
    fn new(channel: OwnedFd, pid: u32, program: OwnedFd) -> io::Result<Self> {
        let signals = Signals::every()?;
        // The program may close its files, and wait for others to see that.
        fork::close_all_but(&[
            channel.as_raw_fd(),
            program.as_raw_fd(),
            signals.as_fd().as_raw_fd(),
        ]);
        let _ = std::env::set_current_dir("/");
        Ok(Self {
            channel: Some(channel),
            pid,
            program,
            signals,
            stopped_by: None,
            continued_by: None,
            held: Held::new(),
            witnesses: Witnesses::start().ok(),
        })
    }

    fn stand(mut self) -> ! {
        loop {
            self.wait();
            // Taken first, since what stops this process discards a SIGCONT that is pending.
            let signals: Vec<_> = std::iter::from_fn(|| self.signals.take()).collect();
            let change = self.read_channel();
            for signal in signals {
                self.receive(signal);
            }
            self.pass_on();
            if let Some(change) = change {
                self.follow(change);
            }
            while let Ok(Some((pid, change))) = children::peek(false) {
                children::take(pid, change);
                if pid == self.pid {
                    self.follow(change);
                }
            }
        }
    }

    fn wait(&self) {
        let in_from = |fd| PollFd::from_borrowed_fd(fd, PollFlags::IN);
        let mut waited = vec![in_from(self.signals.as_fd())];
        waited.extend(self.channel.iter().map(|channel| in_from(channel.as_fd())));
        waited.extend(self.witnesses.iter().flat_map(Witnesses::readable).map(in_from));
        let left = self
            .held
            .due()
            .map(|due| due.saturating_duration_since(Instant::now()));
        let timeout = left.and_then(|left| Timespec::try_from(left).ok());
        let _ = poll(&mut waited, timeout.as_ref());
    }

    fn receive(&mut self, signal: Received) {
        if signal.number() == libc::SIGCONT {
            self.witnesses.iter().for_each(Witnesses::wake);
            if !self.is_ours(&signal) {
                self.held.forget_stops();
            }
            if self.is_for_the_program(&signal) {
                let _ = signal.pass_on(self.program.as_fd());
            }
        } else if self.is_for_the_program(&signal) {
            let sent = Sent::of(&signal).map(|sent| (sent, self.reach(sent)));
            self.held.hold(signal, sent, Instant::now());
        }
    }

    /// Passes on what the program has not had.
    fn pass_on(&mut self) {
        let held = &mut self.held;
        let is_due = held.due().is_some_and(|due| due <= Instant::now());
        let told = self.witnesses.as_mut().map(|witnesses| {
            let tell = |witness, sent| held.saw(witness, sent, Instant::now());
            match is_due {
                true => witnesses.ask(tell),
                false => witnesses.read(tell),
            }
        });
        let passed = match told {
            Some(Ok(())) => self.held.decide(Instant::now()),
            Some(Err(error)) if error.kind() == io::ErrorKind::TimedOut => {
                self.witnesses.iter().for_each(Witnesses::wake);
                self.held.give_up()
            }
            _ => {
                self.witnesses = None;
                self.held.give_up()
            }
        };
        for signal in passed {
            let _ = signal.pass_on(self.program.as_fd());
        }
    }

    fn reach(&self, sent: Sent) -> Reach {
        match unit::is_manager(sent.sender) {
            true if unit::is_shared_with(self.pid) => Reach::Each,
            false if self.is_in_the_group() => Reach::Group,
            _ => Reach::Nothing,
        }
    }

    /// What the program did last.
    fn read_channel(&mut self) -> Option<Change> {
        let mut last = None;
        while let Some(channel) = &self.channel {
            match channel::receive_now(channel) {
                Ok(Message::Ended(end)) => self.end(end),
                Ok(Message::Stopped(signal)) => last = Some(Change::Stopped(signal)),
                Ok(Message::Continued(by)) => {
                    self.continued_by = Some(by);
                    last = Some(Change::Continued);
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => self.channel = None,
            }
        }
        last
    }

    /// Does as the program has done.
    fn follow(&mut self, change: Change) {
        if let Some(signal) = self.stopped_by.take() {
            signals::block(signal);
        }
        match change {
            Change::Ended(end) => self.end(end),
            Change::Continued => {}
            Change::Stopped(signal) => {
                signals::allow(signal);
                self.stopped_by = Some(signal);
                // Who sees the program go on stops this process too, so that what is sent last holds.
                let is_told = self
                    .channel
                    .as_ref()
                    .is_some_and(|channel| channel::send(channel, Message::MayStop, None).is_ok());
                if !is_told {
                    signals::raise(signal);
                }
            }
        }
    }

    /// A terminal sends its signals to the whole group, and the program has had them if it belongs to that.
    fn is_for_the_program(&self, signal: &Received) -> bool {
        const OF_TERMINALS: [i32; 7] = [
            libc::SIGHUP,
            libc::SIGINT,
            libc::SIGQUIT,
            libc::SIGTSTP,
            libc::SIGTTIN,
            libc::SIGTTOU,
            libc::SIGWINCH,
        ];
        match signal.number() {
            libc::SIGCHLD => false,
            libc::SIGCONT => !self.is_ours(signal) && process::is_stopped(self.pid),
            number => !(signal.is_the_kernels() && OF_TERMINALS.contains(&number) && self.is_in_the_group()),
        }
    }

    /// Whether a SIGCONT came because the program goes on.
    fn is_ours(&self, signal: &Received) -> bool {
        signal.sender().is_some_and(|pid| Some(pid) == self.continued_by)
    }

    fn is_in_the_group(&self) -> bool {
        let program = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        program.is_some_and(|program| getpgid(Some(program)) == Ok(getpgrp()))
    }

    fn end(&mut self, end: End) -> ! {
        self.witnesses = None;
        end_like(end)
    }
}

/// Ends this process as the program has ended. Only that leaves a core file.
fn end_like(end: End) -> ! {
    let signal = match end {
        End::Exited(status) => fork::exit(status),
        End::Killed(signal) => signal,
    };
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    signals::allow(signal);
    signals::raise(signal);
    // The first process of a container is spared.
    fork::exit(128 + signal)
}
