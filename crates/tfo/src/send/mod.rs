//! `tfo send`.

use crate::status::Status;

/// Not written yet
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs it.
///
/// # Errors
/// Always, for now.
pub fn run(_: &Args) -> anyhow::Result<Status> {
    anyhow::bail!("not written yet")
}
