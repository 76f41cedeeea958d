//! How a program is supervised.

use std::path::PathBuf;

use super::refusal;
use super::rules::Rules;

/// What a supervisor is to do.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Which destinations may get data in a SYN.
    pub rules: Rules,
    /// Switch Fast Open on for listeners, with a queue of this length.
    pub listen: Option<u32>,
    /// The file in which what is learnt of destinations is kept.
    pub memory: Option<PathBuf>,
    /// Hold back the program's end until the observer has been told of it and what was learnt is in the file.
    pub holds_exit: bool,
    /// Where the supervisor's process stands.
    pub placement: Placement,
}

/// Where the supervisor's process stands among others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Placement {
    /// Beside the program, out of its sight: the process that starts it becomes the program.
    #[default]
    Beside,
    /// Above the program, as its parent: a Linux security module, Yama, may let nobody else look at what the program starts. The process
    /// that starts it stands for the program, whose number is another.
    Above,
}

impl Placement {
    /// The one that this system takes.
    pub fn here() -> Self {
        match refusal::only_ancestors_may_trace() {
            true => Self::Above,
            false => Self::Beside,
        }
    }
}
