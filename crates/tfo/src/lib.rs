//! What the commands `tfo` and `tcp-fast-open` are made of. It serves these two and promises nothing to other programs.
//!
//! ```text
//!   arguments ──▶ command ──▶ typed report ──▶ renderer: text or JSON
//!   `Args`        `run`       `Report`         only draws
//! ```
//!
//! [`cli`] has the command line, and each command a folder of its own. [`program`] is what surrounds them all: parsing, errors, exit
//! statuses. [`stdout`], [`json`] and [`style`] are how they write.

#![forbid(unsafe_code)]
// These pages are for those who work on the commands, and they see the private items too.
#![allow(rustdoc::private_intra_doc_links)]

pub mod address;
pub mod bench;
pub mod classic;
pub mod cli;
mod client;
pub mod completions;
pub mod cookies;
pub mod demo;
mod descriptors;
mod diagram;
pub mod doctor;
pub mod enable;
mod fingerprint;
pub mod hint;
pub mod interrupt;
pub mod json;
pub mod key_options;
pub mod keys;
mod listener_address;
pub mod man;
mod metrics_page;
mod namespace;
pub mod output;
mod own_server;
pub mod printable;
pub mod probe;
pub mod program;
pub mod run;
pub mod send;
pub mod serve;
mod server;
mod service;
mod stats;
pub mod status;
pub mod stdout;
pub mod style;
mod timed;
pub mod trace;
pub mod units;
pub mod warning;
pub mod watch;
pub mod width;
