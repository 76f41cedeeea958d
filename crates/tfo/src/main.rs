//! The `tfo` command.

fn main() {}
