//! A process of its own, in a session of its own.
//!
//! The kernel divides the processor among sessions first (autogroups, see sched(7)). In its caller's session the demonstration
//! competes with whatever else that terminal runs, a build for instance, and a fast connection measures as one and a half round trips.
//! A terminal's Ctrl-C reaches its own session only, so the process that was started stays there and waits, and its child ends with
//! it.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::process::{self, Command, ExitStatus};

use rustix::process::{Signal, getppid, set_parent_process_death_signal, setsid};

/// Marks the child as such: its parent's process number.
const PARENT: &str = "TFO_DEMO_PARENT";

/// Moves this process into its own session if it is the child, and returns `None`; otherwise runs everything in a child, with these
/// arguments, and returns how it ended.
pub(super) fn begin(arguments: impl IntoIterator<Item: AsRef<OsStr>>) -> io::Result<Option<ExitStatus>> {
    let Ok(parent) = env::var(PARENT) else {
        return Command::new(env::current_exe()?)
            .args(arguments)
            .env(PARENT, process::id().to_string())
            .status()
            .map(Some);
    };
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // It may have ended before that.
    if getppid().map(|pid| pid.as_raw_nonzero().to_string()) != Some(parent) {
        return Err(io::Error::other("the parent process has ended"));
    }
    setsid()?;
    Ok(None)
}
