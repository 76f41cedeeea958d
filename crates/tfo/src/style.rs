//! The few styles there are. The output leaves them out where there is no terminal, or where `NO_COLOR` is set.

use anstyle::{AnsiColor, Style};

/// It works.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// It doesn't.
pub const BAD: Style = AnsiColor::Red.on_default();
/// It deserves a look.
pub const WARNING: Style = AnsiColor::Yellow.on_default();
/// The word before an error.
pub const ERROR: Style = AnsiColor::Red.on_default().bold();
/// The word before a hint.
pub const HINT: Style = AnsiColor::Cyan.on_default().bold();
/// What is most important.
pub const BOLD: Style = Style::new().bold();
/// What is least important.
pub const DIM: Style = Style::new().dimmed();
