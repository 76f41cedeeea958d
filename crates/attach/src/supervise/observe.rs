//! What a supervisor reports of the connections that it has seen.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::RawFd;
use std::time::Duration;

use fastopen::Outcome;

/// Receives the outcome of each connection. It runs in the supervisor's process.
pub trait Observer {
    /// The descriptors that it writes to: the others are closed, so that nothing waits for this process to close them.
    fn descriptors(&self) -> Vec<RawFd>;

    /// What became of a connection is known.
    fn connection(&mut self, connection: &Connection);

    /// A listener was switched on.
    fn listening(&mut self, program: &str, address: Option<SocketAddr>, queue: u32);

    /// What was learnt of destinations could not be kept in its file. Told once.
    fn memory_not_kept(&mut self, error: &io::Error);

    /// The program that was started is about to end, or has ended; processes that it started may go on.
    fn program_ended(&mut self, left: Left);

    /// No process is left.
    fn all_ended(&mut self);

    /// What is to be said on the program's standard error if this observer's process is killed before the program has ended.
    fn last_words(&self) -> Option<String>;
}

/// What there still is when the program ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// Connections whose outcome is not known yet.
    pub connections: usize,
    /// Processes that the program started, as far as they are still known as its descendants.
    pub processes: usize,
}

/// A connection, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// The thread that connected.
    pub tid: u32,
    /// The program's name, up to 15 bytes.
    pub program: String,
    /// Where to.
    pub destination: SocketAddr,
    /// The outcome, from the kernel's `tcp_info`.
    pub outcome: Outcome,
    /// What there is to say besides.
    pub note: Option<Note>,
    /// The round-trip time, where the kernel has measured it.
    pub rtt: Option<Duration>,
}

impl Connection {
    /// Whether it saved a round trip: the SYN took all that the program wrote at first, and the server accepted it.
    pub fn saves_a_round_trip(&self) -> bool {
        self.outcome == Outcome::Accepted && self.note != Some(Note::Oversized)
    }

    /// The time that the connection saved: one round trip, or nothing.
    pub fn saved(&self) -> Option<Duration> {
        self.saves_a_round_trip().then_some(self.rtt?)
    }
}

/// What there is to say of a connection besides its outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Note {
    /// The rules leave the destination out.
    LeftOut,
    /// The first connection to an address and port is an ordinary one.
    FirstContact,
    /// A recent connection to the destination failed.
    FailedLately,
    /// Recent connections to there saved nothing: programs wrote only after they had been released, or more at once than a SYN takes.
    SavesNothing,
    /// The server speaks first there.
    ServerFirst,
    /// The program did not write for a few milliseconds, so its SYN left without data.
    Released,
    /// The program wrote more at once than the SYN takes, so the answer came no sooner.
    Oversized,
    /// The program uses Fast Open by itself.
    OwnFastOpen,
    /// A blocking write that a signal interrupts would be sent twice, and the program handles signals that come by themselves.
    Signals,
    /// Too many are being made at once.
    Busy,
    /// The guardian was killed, and none can take its place where only ancestors may look at a process.
    Unguarded,
    /// The supervisor may not have more descriptors: its limit of open files is too low.
    DescriptorLimit,
    /// The socket belongs to another network namespace than the supervisor's.
    OtherNamespace,
    /// The kernel does not let this process have the socket.
    NotPermitted,
    /// Its SYN was answered by a reset or by an error of ICMP.
    Refused,
    /// Its first SYN got no answer, and then it failed or was given up.
    Unanswered,
    /// connect() failed before a SYN was sent.
    Failed,
    /// The socket was closed before there was an outcome.
    ClosedEarly,
}

impl Note {
    /// The note's name, such as `first-contact`.
    pub fn name(self) -> &'static str {
        match self {
            Self::LeftOut => "left-out",
            Self::FirstContact => "first-contact",
            Self::FailedLately => "failed-lately",
            Self::SavesNothing => "saves-nothing",
            Self::ServerFirst => "server-first",
            Self::Released => "released",
            Self::Oversized => "oversized",
            Self::OwnFastOpen => "own-fast-open",
            Self::Signals => "signals",
            Self::Busy => "busy",
            Self::Unguarded => "unguarded",
            Self::DescriptorLimit => "descriptor-limit",
            Self::OtherNamespace => "other-namespace",
            Self::NotPermitted => "not-permitted",
            Self::Refused => "refused",
            Self::Unanswered => "unanswered",
            Self::Failed => "failed",
            Self::ClosedEarly => "closed-early",
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
