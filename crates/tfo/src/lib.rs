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
#![cfg_attr(
    not(target_os = "linux"),
    allow(dead_code, reason = "the verbs that use it need Linux")
)]
#![allow(
    rustdoc::private_intra_doc_links,
    reason = "who works on the commands sees the private items, too"
)]

#[cfg(target_os = "linux")]
pub mod address;
#[cfg(target_os = "linux")]
pub mod bench;
#[cfg(target_os = "linux")]
pub mod classic;
pub mod cli;
#[cfg(target_os = "linux")]
mod client;
pub mod completions;
pub mod cookies;
#[cfg(target_os = "linux")]
pub mod demo;
mod descriptors;
mod diagram;
#[cfg(target_os = "linux")]
pub mod doctor;
#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(target_os = "linux")]
pub mod enable;
mod fingerprint;
pub mod help;
pub mod hint;
pub mod interrupt;
pub mod json;
pub mod key_options;
pub mod keys;
#[cfg(target_os = "linux")]
mod listener_address;
#[cfg(target_os = "linux")]
mod local_error;
pub mod man;
#[cfg(target_os = "linux")]
mod metrics_page;
#[cfg(target_os = "linux")]
mod namespace;
pub mod output;
#[cfg(target_os = "linux")]
mod own_server;
mod patience;
pub mod printable;
#[cfg(target_os = "linux")]
pub mod probe;
pub mod program;
#[cfg(target_os = "linux")]
pub mod run;
#[cfg(target_os = "linux")]
pub mod send;
#[cfg(target_os = "linux")]
pub mod serve;
#[cfg(target_os = "linux")]
mod server;
#[cfg(target_os = "linux")]
mod service;
#[cfg(target_os = "linux")]
pub mod stats;
pub mod status;
pub mod stdout;
pub mod style;
#[cfg(target_os = "linux")]
mod target_lines;
#[cfg(target_os = "linux")]
mod timed;
pub mod trace;
pub mod units;
mod values;
pub mod warning;
#[cfg(target_os = "linux")]
pub mod watch;
pub mod width;
