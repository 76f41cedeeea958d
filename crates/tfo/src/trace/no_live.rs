//! Systems whose packets cannot be watched here.

use std::convert::Infallible;

use super::selection::Selection;
use super::session::Session;
use super::stop::Stop;
use crate::hint;

pub(super) type Live = Infallible;

pub(super) fn open(_interface: Option<&str>, _selection: &Selection) -> anyhow::Result<Live> {
    Err(hint::with(
        anyhow::anyhow!("tfo trace needs Linux to watch packets as they pass"),
        "make a capture, and then: tfo trace --read FILE",
    ))
}

pub(super) fn watch(live: Live, _session: &mut Session, _stop: &Stop) -> anyhow::Result<()> {
    match live {}
}
