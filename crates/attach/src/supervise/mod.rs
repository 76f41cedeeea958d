//! Programs that are started with Fast Open, unchanged.
//!
//! ```text
//!   program ── connect() ──▶ filter ──▶ supervisor: rules, memory
//!      ▲                                   │ pidfd_getfd, TCP_FASTOPEN_CONNECT
//!      └────────── the call goes on ◀──────┘ then: looks after the connection
//! ```
//!
//! - `launch` puts the processes in their places, `beside` or `above` the program, where the system allows for it (`refusal`, `nested`),
//!   and `handover` gives the supervisor the descriptor to which the `filter` reports calls.
//! - The `supervisor` waits for them (`wait`), answers them (`calls`, `connected`) and looks after the connections (`tracked`, `ending`);
//!   what to do about one is decided in `rules`, `memory`, `signals`, `step` and `traffic`. The memory's `file` is a thread's (`keeper`,
//!   `store`).
//! - The `guardian` takes over when the supervisor is killed.
//! - Where they are above the program, the `front` stands for it, and they look after its `children`. It passes on signals that are sent to
//!   it alone: `held` until two processes (`witness`) show that its group or `unit` had not the same.

mod above;
mod beside;
mod calls;
mod channel;
mod children;
mod connected;
mod descendants;
mod descriptors;
mod ending;
mod file;
mod filter;
mod front;
mod guardian;
mod handover;
mod held;
mod keeper;
mod last_words;
mod launch;
mod marked;
mod memory;
mod nested;
mod observe;
mod parent;
mod refusal;
mod rules;
mod settings;
mod shared;
mod signals;
mod sockaddr;
mod step;
mod store;
mod supervisor;
mod tracked;
mod traffic;
mod unit;
mod wait;
mod witness;

pub use launch::{exec, supervise};
pub use observe::{Connection, Left, Note, Observer};
pub use refusal::NotSupervised;
pub use rules::{ParseRuleError, Rule, Rules};
pub use settings::{Placement, Settings, leaves_out_descendants};
