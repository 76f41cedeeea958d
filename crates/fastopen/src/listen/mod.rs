//! Listening: a listener is a std or tokio listener, with the options set.

mod error;
mod options;
mod warning;

pub use error::ListenError;
pub use options::{ListenOptions, Listening, listen};
pub use warning::ListenWarning;
