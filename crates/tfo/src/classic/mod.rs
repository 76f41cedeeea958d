//! `tcp-fast-open`: the classic example's command line.

use crate::status::Status;

/// Not written yet
#[derive(Debug, clap::Parser)]
pub struct Args {}

impl Args {
    /// Runs it.
    ///
    /// # Errors
    /// Always, for now.
    pub fn run(&self) -> anyhow::Result<Status> {
        anyhow::bail!("not written yet")
    }
}
