//! TCP Fast Open (RFC 7413).

mod arrival;
mod confirm;
mod connect;
mod error;
mod key;
mod listen;
mod outcome;
mod replay_safe;
mod sys;
mod tcp_info;
#[cfg(feature = "tokio")]
pub mod tokio;

pub use arrival::{Arrival, ArrivalKind, ArrivalSyn};
pub use confirm::confirmed;
pub use connect::{Attempt, AttemptEnd, Connected, Connector, PathMemory, Policy, Syn, connect};
pub use error::{CallError, ConnectError, ListenError};
pub use fastopen_wire::{Cookie, FastOpen, OptionKind};
pub use key::{Key, KeyRing, ParseKeyError};
pub use listen::{ListenOptions, ListenWarning, Listening, listen};
pub use outcome::{Outcome, Reason};
pub use replay_safe::ReplaySafe;
pub use tcp_info::{ClientFail, TcpInfo, TcpState};
