//! How a program is supervised.

use std::path::PathBuf;

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
}
