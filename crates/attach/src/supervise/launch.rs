//! How a program comes to be supervised: its process stays the one that was started.
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

use std::fs;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};
use rustix::pipe::{PipeFlags, pipe_with};

use super::filter::{self, Watched};
use super::guardian;
use super::observe::Observer;
use super::refusal::{self, NotSupervised};
use super::settings::Settings;
use super::shared::Shared;
use super::supervisor::Supervisor;
use crate::sys::fork::{self, Side};
use crate::sys::seccomp::{self, Listener};

/// Starts a supervisor for this process and for all that it starts from now on. This process goes on, and may [become](exec) a
/// program.
///
/// Without CAP_SYS_ADMIN it sets `no_new_privs`: setuid programs then run without their privilege.
///
/// # Errors
/// [`NotSupervised`] where the system does not allow for it; then nothing has changed, but `no_new_privs` may be set.
///
/// # Panics
/// Never in this process. A panic in the supervisor ends that, and the guardian takes over.
pub fn supervise(settings: Settings, observer: Option<Box<dyn Observer>>) -> Result<(), NotSupervised> {
    if !filter::IS_FOR_THIS_ARCHITECTURE {
        return Err(NotSupervised::of("seccomp")(io::Error::new(
            io::ErrorKind::Unsupported,
            "programs are supervised on x86-64 and aarch64 only",
        )));
    }
    let threads = fs::read_dir("/proc/self/task").map_err(NotSupervised::of(
        "/proc/self/task, by which the program's threads are known (is /proc mounted?)",
    ))?;
    if threads.count() != 1 {
        return Err(NotSupervised::of("fork")(io::Error::other(
            "there are several threads",
        )));
    }
    let program = std::process::id();
    let shared = Shared::new().map_err(NotSupervised::of("mmap"))?;
    let (ours, theirs) = rustix::net::socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )
    .map_err(|error| NotSupervised::of("socketpair")(error.into()))?;
    let watched = Watched {
        listen: settings.listen.is_some(),
        exit: settings.holds_exit,
    };
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

/// In the program's process: lets the guardian look at it, installs the filter and hands its descriptor over.
fn hand_over(guardian: &OwnedFd, watched: Watched) -> Result<(), NotSupervised> {
    let gone = NotSupervised::of(refusal::SUPERVISOR);
    let hello = receive(guardian).map_err(&gone)?;
    let Message::Hello(pid) = hello else {
        return Err(gone(io::ErrorKind::InvalidData.into()));
    };
    fork::allow_tracer(pid);
    send(guardian, &Message::Hello(std::process::id()), None).map_err(&gone)?;
    match receive(guardian).map_err(&gone)? {
        Message::Refused(call, code) => {
            let error = io::Error::from_raw_os_error(code);
            return Err(NotSupervised::of(refusal::name_of(call))(error));
        }
        Message::Ready => {}
        Message::Hello(_) => return Err(gone(io::ErrorKind::InvalidData.into())),
    }
    let filter = filter::build(watched);
    let listener = match seccomp::install(&filter) {
        Err(error) if error.raw_os_error() == Some(libc::EACCES) => {
            seccomp::set_no_new_privileges().map_err(NotSupervised::of("prctl(PR_SET_NO_NEW_PRIVS)"))?;
            seccomp::install(&filter)
        }
        installed => installed,
    }
    .map_err(NotSupervised::of("seccomp"))?;
    send(guardian, &Message::Ready, Some(&listener)).map_err(&gone)?;
    drop(listener);
    // The first call that is reported. Its answer says that the supervisor is there, and from its number the guardian knows the others'.
    let _ = socket2::SockRef::from(guardian).peer_addr();
    Ok(())
}

fn become_guardian(
    program: u32,
    channel: &OwnedFd,
    shared: Shared,
    settings: Settings,
    observer: Option<Box<dyn Observer>>,
) {
    fork::ignore_signals();
    let written: Vec<RawFd> = observer
        .iter()
        .flat_map(|observer| observer.descriptors())
        .collect();
    fork::close_all_but(&[&written[..], &[channel.as_raw_fd()]].concat());
    let _ = std::env::set_current_dir("/");
    let Some(listener) = negotiate(program, channel) else {
        return;
    };
    let shared = Rc::new(shared);
    // From here on the program's calls are reported, and somebody must answer them.
    let pipes =
        || Ok::<_, rustix::io::Errno>((pipe_with(PipeFlags::CLOEXEC)?, pipe_with(PipeFlags::CLOEXEC)?));
    let Ok(((supervisor_end, supervisor_alive), (guardian_end, guardian_alive))) = pipes() else {
        return guardian::let_through(&listener, Vec::new());
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
            let supervisor = Supervisor::new(
                program,
                listener,
                guardian_end,
                supervisor_alive,
                shared,
                settings,
                observer,
            );
            if let Ok(mut supervisor) = supervisor {
                supervisor.run();
            }
        }
        Err(_) => guardian::let_through(&listener, Vec::new()),
        Ok(Side::Parent { .. }) => {
            fork::close_all_but(&[
                listener.as_fd().as_raw_fd(),
                supervisor_end.as_raw_fd(),
                guardian_alive.as_raw_fd(),
            ]);
            guardian::guard(&listener, supervisor_end, &shared);
        }
    }
}

/// Tries what a supervisor must be able to do to the program's process, and gets the descriptor.
fn negotiate(program: u32, channel: &OwnedFd) -> Option<Listener> {
    send(channel, &Message::Hello(std::process::id()), None).ok()?;
    let Ok(Message::Hello(_)) = receive(channel) else {
        return None;
    };
    let answer = match refusal::try_calls(program, channel.as_raw_fd()) {
        Ok(()) => Message::Ready,
        Err((call, error)) => Message::Refused(call, error.raw_os_error().unwrap_or(libc::EPERM)),
    };
    send(channel, &answer, None).ok()?;
    receive_listener(channel)
}

/// What the two processes tell each other before the program begins.
enum Message {
    Hello(u32),
    /// Which call, and the error.
    Refused(u8, i32),
    Ready,
}

impl Message {
    fn encode(&self) -> [u8; 6] {
        let (kind, call, value) = match self {
            Self::Hello(pid) => (0, 0, *pid),
            Self::Refused(call, error) => (1, *call, error.cast_unsigned()),
            Self::Ready => (2, 0, 0),
        };
        let [a, b, c, d] = value.to_ne_bytes();
        [kind, call, a, b, c, d]
    }

    fn decode(bytes: [u8; 6]) -> Option<Self> {
        let [kind, call, a, b, c, d] = bytes;
        let value = u32::from_ne_bytes([a, b, c, d]);
        match kind {
            0 => Some(Self::Hello(value)),
            1 => Some(Self::Refused(call, value.cast_signed())),
            2 => Some(Self::Ready),
            _ => None,
        }
    }
}

fn send(channel: &OwnedFd, message: &Message, descriptor: Option<&OwnedFd>) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let rights = descriptor.map(|descriptor| [descriptor.as_fd()]);
    if let Some(rights) = &rights {
        ancillary.push(SendAncillaryMessage::ScmRights(rights));
    }
    let bytes = message.encode();
    rustix::net::sendmsg(
        channel,
        &[IoSlice::new(&bytes)],
        &mut ancillary,
        SendFlags::NOSIGNAL,
    )?;
    Ok(())
}

fn receive(channel: &OwnedFd) -> io::Result<Message> {
    let mut bytes = [0; 6];
    let received =
        rustix::io::retry_on_intr(|| rustix::net::recv(channel, &mut bytes[..], RecvFlags::empty()))?;
    match (received.0, Message::decode(bytes)) {
        (6, Some(message)) => Ok(message),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

fn receive_listener(channel: &OwnedFd) -> Option<Listener> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut bytes = [0; 6];
    rustix::net::recvmsg(
        channel,
        &mut [IoSliceMut::new(&mut bytes)],
        &mut ancillary,
        RecvFlags::CMSG_CLOEXEC,
    )
    .ok()?;
    ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next().map(Listener::new),
        _ => None,
    })
}

/// Puts a program in this process's place, found as the shell finds it; returns the error that prevented it.
pub fn exec(program: &std::ffi::OsStr, arguments: &[std::ffi::OsString]) -> io::Error {
    use std::os::unix::ffi::OsStrExt;
    let text = |text: &std::ffi::OsStr| std::ffi::CString::new(text.as_bytes());
    let all = std::iter::once(text(program)).chain(arguments.iter().map(|argument| text(argument)));
    match (text(program), all.collect::<Result<Vec<_>, _>>()) {
        (Ok(program), Ok(all)) => fork::exec(&program, &all),
        _ => io::Error::new(io::ErrorKind::InvalidInput, "an argument has a zero byte in it"),
    }
}
