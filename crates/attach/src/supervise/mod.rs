//! Programs that are started with Fast Open, unchanged.
//!
//! ```text
//!   program ── connect() ──▶ filter ──▶ supervisor: rules, memory
//!      ▲                                   │ pidfd_getfd, TCP_FASTOPEN_CONNECT
//!      └────────── the call goes on ◀──────┘ then: looks after the connection
//! ```
//!
//! `launch` puts the three processes in their places; `filter` says which calls are reported. The `supervisor` answers them (`calls`)
//! and looks after the connections (`tracked`); what to do about one is decided in `rules`, `memory` and `step`, which are pure. The
//! `guardian` takes over when the supervisor is killed.

mod calls;
mod filter;
mod guardian;
mod launch;
mod memory;
mod observe;
mod rules;
mod settings;
mod shared;
mod sockaddr;
mod step;
mod store;
mod supervisor;
mod tracked;

pub use launch::{NotSupervised, exec, supervise};
pub use observe::{Connection, Note, Observer};
pub use rules::{ParseRuleError, Rule, Rules};
pub use settings::Settings;
