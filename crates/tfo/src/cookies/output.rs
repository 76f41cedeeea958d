//! The option that all of the command's actions share.

/// How the answer is written.
#[derive(Debug, clap::Args)]
pub(super) struct Output {
    /// Print one JSON object (described by schemas/cookies.json)
    #[arg(long)]
    pub(super) json: bool,
}
