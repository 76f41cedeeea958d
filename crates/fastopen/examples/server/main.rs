//! README's server, word for word, so that it can be run and tested:
//!
//! ```text
//! cargo run -p fastopen --example server
//! ```

include!("server.rs");
