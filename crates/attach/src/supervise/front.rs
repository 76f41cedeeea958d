//! The process that stands for the program where that has another number: to its parent and its shell it is the program.
//!
//! It stops, goes on and ends as the program does, and passes on the signals that are sent to it. It stays in the process group that it was
//! started in, which is the program's: what a terminal sends to the group reaches both.

use std::convert::Infallible;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{DumpableBehavior, Pid, getpgid, getpgrp, set_dumpable_behavior};

use super::channel::{self, Message};
use super::refusal::{self, NotSupervised};
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
        })
    }

    fn stand(mut self) -> ! {
        loop {
            let mut waited = vec![PollFd::new(&self.signals, PollFlags::IN)];
            waited.extend(
                self.channel
                    .iter()
                    .map(|channel| PollFd::new(channel, PollFlags::IN)),
            );
            let _ = poll(&mut waited, None);
            self.read_channel();
            while let Some(signal) = self.signals.take() {
                if self.is_for_the_program(&signal) {
                    let _ = signal.pass_on(self.program.as_fd());
                }
            }
            while let Ok(Some((pid, change))) = children::peek(false) {
                children::take(pid, change);
                if pid == self.pid {
                    self.follow(change);
                }
            }
        }
    }

    fn read_channel(&mut self) {
        let mut last = None;
        while let Some(channel) = &self.channel {
            match channel::receive_now(channel) {
                Ok(Message::Ended(end)) => end_like(end),
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
        if let Some(change) = last {
            self.follow(change);
        }
    }

    /// Does as the program has done.
    fn follow(&mut self, change: Change) {
        if let Some(signal) = self.stopped_by.take() {
            signals::block(signal);
        }
        match change {
            Change::Ended(end) => end_like(end),
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
            libc::SIGCONT => {
                let is_ours = signal.sender().is_some_and(|pid| Some(pid) == self.continued_by);
                !is_ours && process::is_stopped(self.pid)
            }
            number => !(signal.is_the_kernels() && OF_TERMINALS.contains(&number) && self.is_in_the_group()),
        }
    }

    fn is_in_the_group(&self) -> bool {
        let program = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        program.is_some_and(|program| getpgid(Some(program)) == Ok(getpgrp()))
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
