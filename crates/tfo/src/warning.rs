//! Warnings.

use std::fmt;

use crate::printable;
use crate::style::WARNING;

/// Prints a line on standard error.
pub fn print(warning: fmt::Arguments<'_>) {
    let warning = warning.to_string();
    anstream::eprintln!("{WARNING}warning:{WARNING:#} {}", printable::lines(&warning));
}
