//! What the examples and their tests share: servers as a user would write them, in a lab, and the table of round trips.

pub mod certificate;
pub mod echo;
pub mod lab;
pub mod table;
