//! The process group of a secret command: it ends as a whole, and not the shell alone.

use std::fs::File;
use std::io;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::thread;

use rustix::process::{Pid, Signal, getpgrp, kill_process_group};
use rustix::termios::tcgetpgrp;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;
use tokio::process::{Child, Command};

use crate::interrupt;

/// The groups that run.
static RUNNING: Mutex<Vec<Pid>> = Mutex::new(Vec::new());

/// Whether somebody at a terminal may answer a command, such as ssh that asks for a passphrase. In a group of its own it could not read
/// the terminal; in that of this process Ctrl-C reaches all of it.
pub(super) fn may_be_answered() -> bool {
    let is_in_the_foreground = || tcgetpgrp(File::open("/dev/tty").ok()?).ok();
    // A service has to do without answers.
    !interrupt::is_caught() && is_in_the_foreground() == Some(getpgrp())
}

/// A command's process group. When this is dropped, or a signal ends this process before, all that is in it is killed.
#[derive(Debug)]
pub(super) struct Group(Pid);

impl Group {
    /// Starts the command in a group of its own.
    pub(super) fn spawn(command: &mut Command) -> io::Result<(Child, Option<Self>)> {
        end_with_this_process()?;
        let mut running = running();
        let child = command.process_group(0).spawn()?;
        let leader = child
            .id()
            .and_then(|id| Pid::from_raw(id.cast_signed()))
            .inspect(|leader| running.push(*leader));
        Ok((child, leader.map(Self)))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let mut running = running();
        running.retain(|group| *group != self.0);
        kill(self.0);
    }
}

fn kill(group: Pid) {
    // Where nothing is left in it there is nothing to kill.
    let _ = kill_process_group(group, Signal::KILL);
}

fn running() -> MutexGuard<'static, Vec<Pid>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on the first SIGINT or SIGTERM kills the groups before it ends this process, unless that handles them: then the groups are
/// dropped in good order.
fn end_with_this_process() -> io::Result<()> {
    static ONCE: Once = Once::new();
    if interrupt::is_caught() || ONCE.is_completed() {
        return Ok(());
    }
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    ONCE.call_once(|| {
        thread::spawn(move || {
            for signal in signals.forever() {
                // Held to the end, so that no other is started.
                let groups = running();
                groups.iter().copied().for_each(kill);
                // It fails only for signals that have no default.
                let _ = emulate_default_handler(signal);
            }
        });
    });
    Ok(())
}
