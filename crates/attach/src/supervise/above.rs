//! A supervisor that is the program's parent, for systems on which only ancestors may look at a process.
//!
//! ```text
//!   tfo ── fork ── guardian ── fork ── supervisor ── fork ── program
//! ```
//!
//! The process that the user started is the front, which stands for the program: it stops, goes on and ends as the program does, and passes on
//! its signals. The program is in the front's process group and session, and has another number. All three get the orphans among their
//! descendants (PR_SET_CHILD_SUBREAPER), so that daemons stay below the supervisor. When the supervisor is killed, the guardian is the
//! program's parent; when that is killed too, the front is. When the front is killed, so is the program.
//!
//! A guardian that the supervisor has started itself, because the first one was killed, is nobody's ancestor, and could not release sockets:
//! from then on no connection is deferred.

use std::os::fd::{AsRawFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use rustix::pipe::{PipeFlags, pipe_with};

use super::channel::{self, Message};
use super::children::{self, Children, Front};
use super::descriptors;
use super::filter::Watched;
use super::handover::{hand_over, negotiate, written_by};
use super::observe::Observer;
use super::refusal::NotSupervised;
use super::settings::Settings;
use super::shared::Shared;
use super::supervisor::{Post, Supervisor};
use super::{front, guardian};
use crate::sys::fork::{self, Side};
use crate::sys::process;
use crate::sys::seccomp::Listener;
use crate::sys::signals;

pub(super) fn start(
    shared: Shared,
    watched: Watched,
    settings: Settings,
    observer: Option<Box<dyn Observer>>,
) -> Result<(), NotSupervised> {
    let (ours, channel) = channel::pair().map_err(NotSupervised::of("socketpair"))?;
    let us = std::process::id();
    // What is sent meanwhile waits: the front passes it on.
    let before = signals::block_all();
    children::adopt_orphans();
    let refused = match fork::fork() {
        Ok(Side::Child) => {
            drop(ours);
            match below(us, &channel, shared, watched, settings, observer) {
                Ok(()) => {
                    before.restore();
                    return Ok(());
                }
                // In whichever process it was.
                Err(refused) => {
                    let _ = channel::send(&channel, refused.message(), None);
                    fork::exit(0)
                }
            }
        }
        Ok(Side::Parent { child }) => {
            drop(channel);
            let Err(refused) = front::stand(ours);
            // What was started in vain ends by itself.
            fork::wait(child);
            refused
        }
        Err(error) => NotSupervised::of("fork")(error),
    };
    children::leave_orphans();
    before.restore();
    Err(refused)
}

/// In the front's child, which becomes the guardian. Returns in the program's process, or where something fails.
fn below(
    front_number: u32,
    channel: &OwnedFd,
    shared: Shared,
    watched: Watched,
    settings: Settings,
    observer: Option<Box<dyn Observer>>,
) -> Result<(), NotSupervised> {
    let pipe = || pipe_with(PipeFlags::CLOEXEC).map_err(|error| NotSupervised::of("pipe")(error.into()));
    let pair = || channel::pair().map_err(NotSupervised::of("socketpair"));
    let limit = descriptors::raise();
    // Here, because a filter may end who calls what it denies: that must be neither the front nor the program.
    let front = Front {
        channel: channel.try_clone().map_err(NotSupervised::of("dup"))?,
        process: process::open(front_number).map_err(NotSupervised::of("pidfd_open"))?,
    };
    let (supervisor_end, supervisor_alive) = pipe()?;
    let (guardian_end, guardian_alive) = pipe()?;
    let (from_supervisor, to_guardian) = pair()?;
    if let Side::Parent { child } = fork::fork().map_err(NotSupervised::of("fork"))? {
        drop((supervisor_alive, guardian_end, to_guardian));
        become_only(|| {
            keep(&[&supervisor_end, &guardian_alive, &from_supervisor], &front, &[]);
            guard(child, &from_supervisor, supervisor_end, shared, front);
        });
    }
    drop((supervisor_end, guardian_alive, from_supervisor));
    let (from_program, to_supervisor) = pair()?;
    if let Side::Parent { child } = fork::fork().map_err(NotSupervised::of("fork"))? {
        drop(to_supervisor);
        become_only(|| {
            keep(
                &[&supervisor_alive, &guardian_end, &to_guardian, &from_program],
                &front,
                &written_by(&observer),
            );
            let Some(listener) = take_listener(child, &from_program, &to_guardian, &front) else {
                return fork::wait(child);
            };
            drop((from_program, to_guardian));
            fork::set_name(c"tfo-supervisor");
            let post = Post {
                program: child.unsigned_abs(),
                listener,
                guardian_end,
                alive: supervisor_alive,
                shared: Rc::new(shared),
                ends_all: front_number == 1,
                children: Children::new(child.unsigned_abs(), front).ok(),
            };
            if let Ok(mut supervisor) = Supervisor::new(post, settings, observer) {
                supervisor.run();
            }
        });
    }
    // Who waits for the supervisor's end would wait for this process's.
    drop((from_program, to_guardian, supervisor_alive, guardian_end));
    hand_over(&to_supervisor, watched)?;
    channel::send(channel, Message::Hello(std::process::id()), None).map_err(NotSupervised::of("sendmsg"))?;
    descriptors::set(limit);
    Ok(())
}

/// Nothing may return into the caller's code, which belongs to the program's process.
fn become_only(work: impl FnOnce()) -> ! {
    let _ = catch_unwind(AssertUnwindSafe(work));
    fork::exit(0)
}

/// Keeps these descriptors, and nothing else of the program's.
fn keep(own: &[&OwnedFd], front: &Front, written: &[i32]) {
    fork::leave_session();
    fork::ignore_signals();
    let own = own.iter().copied().chain([&front.channel, &front.process]);
    let own: Vec<_> = own.map(AsRawFd::as_raw_fd).collect();
    fork::close_all_but(&[&own[..], written].concat());
    let _ = std::env::set_current_dir("/");
}

fn guard(
    supervisor: i32,
    from_supervisor: &OwnedFd,
    supervisor_end: OwnedFd,
    mut shared: Shared,
    front: Front,
) {
    let Ok((Message::Hello(program), Some(listener))) = channel::receive_descriptor(from_supervisor) else {
        return fork::wait(supervisor);
    };
    shared.is_of(program);
    let children = Children::new(program, front).ok();
    guardian::guard(
        &Listener::new(listener),
        supervisor_end,
        &Rc::new(shared),
        children,
    );
}

/// Takes the descriptor from the program's process, gives the guardian one as well, and the front what it knows the program by.
fn take_listener(
    program: i32,
    from_program: &OwnedFd,
    to_guardian: &OwnedFd,
    front: &Front,
) -> Option<Listener> {
    let program = program.unsigned_abs();
    let listener = negotiate(program, from_program)?;
    channel::send(to_guardian, Message::Hello(program), Some(&listener)).ok()?;
    let process = process::open(program).ok()?;
    channel::send(&front.channel, Message::Hello(program), Some(&process)).ok()?;
    Some(Listener::new(listener))
}
