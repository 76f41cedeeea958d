//! One connection with data in its SYN, as `send` and `tcp-fast-open` make it.
//!
//! [`data`] is what to send and [`answer`] where the answer goes; [`transfer`] makes the connection and gives a [`report`]. What a
//! report means stands in [`words`].

mod answer;
mod cookie;
mod data;
mod failure;
mod report;
mod resolve;
mod transfer;
mod upload;
mod words;

pub(crate) use answer::Answer;
pub(crate) use data::Data;
pub(crate) use failure::Failure;
pub(crate) use report::{AttemptReport, Delivery, End, MEASURABLE, Report};
pub(crate) use resolve::{Family, resolve};
pub(crate) use transfer::{Settings, transfer};
pub(crate) use words::{explain, next_step};
