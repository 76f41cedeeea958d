//! A connection's packets as a sequence diagram, as `trace` and `demo` draw it.
//!
//! [`ladder`] draws it in a terminal and [`svg`] in a picture; [`words`] has what both say of a packet, and how they mark a verdict.

pub(crate) mod ladder;
#[cfg(test)]
pub(crate) mod sample;
mod svg;
pub(crate) mod words;

pub(crate) use svg::PictureFile;
