//! Warnings.

use std::fmt;

use crate::style::WARNING;

/// Prints a line on standard error.
pub fn print(warning: fmt::Arguments<'_>) {
    anstream::eprintln!("{WARNING}warning:{WARNING:#} {warning}");
}
