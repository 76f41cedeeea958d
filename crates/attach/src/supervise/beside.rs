//! A supervisor that the program does not see: its process stays the one that was started.
//!
//! ```text
//!   tfo ── fork ── (ends at once)
//!    │               └─ fork ── guardian ── fork ── supervisor
//!    │ filter, exec
//!   program
//! ```
//!
//! The process that the user started becomes the program, so that its number, its parent, its exit status, its signals, its terminal and
//! its core files are what they would be. The other two have a session of their own, are nobody's children, and end with the last process
//! that the filter applies to. In a container, whose first process gets all that is nobody's child, the guardian is a child of whose end that
//! is not told.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use rustix::pipe::{PipeFlags, pipe_with};

use super::channel;
use super::descriptors;
use super::filter::Watched;
use super::guardian;
use super::handover::{hand_over, negotiate, written_by};
use super::observe::Observer;
use super::refusal::NotSupervised;
use super::settings::Settings;
use super::shared::Shared;
use super::supervisor::{Post, Supervisor};
use crate::sys::fork::{self, Side};
use crate::sys::seccomp::Listener;

pub(super) fn start(
    shared: Shared,
    watched: Watched,
    settings: Settings,
    observer: Option<Box<dyn Observer>>,
) -> Result<(), NotSupervised> {
    let program = std::process::id();
    let (ours, theirs) = channel::pair().map_err(NotSupervised::of("socketpair"))?;
    let gets_orphans = program == 1;
    let forked = match gets_orphans {
        true => fork::fork_untold(),
        false => fork::fork(),
    };
    match forked.map_err(NotSupervised::of("fork"))? {
        Side::Child => {
            drop(ours);
            let body = || {
                fork::leave_session();
                if !gets_orphans && !matches!(fork::fork(), Ok(Side::Child)) {
                    fork::exit(0);
                }
                become_guardian(program, &theirs, shared, settings, observer);
            };
            // Nothing may return into the caller's code, which belongs to the program's process.
            let _ = catch_unwind(AssertUnwindSafe(body));
            fork::exit(0);
        }
        Side::Parent { child } => {
            drop(theirs);
            if !gets_orphans {
                fork::wait(child);
            }
            hand_over(&ours, watched)
        }
    }
}

fn become_guardian(
    program: u32,
    channel: &OwnedFd,
    shared: Shared,
    settings: Settings,
    observer: Option<Box<dyn Observer>>,
) {
    fork::ignore_signals();
    descriptors::raise();
    let written = written_by(&observer);
    fork::close_all_but(&[&written[..], &[channel.as_raw_fd()]].concat());
    let _ = std::env::set_current_dir("/");
    let Some(listener) = negotiate(program, channel) else {
        return;
    };
    let listener = Listener::new(listener);
    let shared = Rc::new(shared);
    // From here on the program's calls are reported, and somebody must answer them.
    let pipes =
        || Ok::<_, rustix::io::Errno>((pipe_with(PipeFlags::CLOEXEC)?, pipe_with(PipeFlags::CLOEXEC)?));
    let Ok(((supervisor_end, supervisor_alive), (guardian_end, guardian_alive))) = pipes() else {
        return guardian::let_through(&listener, Vec::new(), None);
    };
    match fork::fork() {
        Ok(Side::Child) => {
            fork::set_name(c"tfo-supervisor");
            drop((supervisor_end, guardian_alive));
            fork::close_all_but(
                &[
                    &written[..],
                    &[
                        listener.as_fd().as_raw_fd(),
                        supervisor_alive.as_raw_fd(),
                        guardian_end.as_raw_fd(),
                    ],
                ]
                .concat(),
            );
            let post = Post {
                program,
                listener,
                guardian_end,
                alive: supervisor_alive,
                shared,
                ends_all: program == 1,
                children: None,
            };
            let supervisor = Supervisor::new(post, settings, observer);
            if let Ok(mut supervisor) = supervisor {
                supervisor.run();
            }
        }
        Err(_) => guardian::let_through(&listener, Vec::new(), None),
        Ok(Side::Parent { .. }) => {
            fork::close_all_but(&[
                listener.as_fd().as_raw_fd(),
                supervisor_end.as_raw_fd(),
                guardian_alive.as_raw_fd(),
            ]);
            guardian::guard(&listener, supervisor_end, &shared, None);
        }
    }
}
