//! README's client: a request in the SYN, and what became of it. `client.rs` is README's code, verbatim; the integration tests run it.

include!("client.rs");
