//! A connection's report in words.

use std::fmt::Write;

use fastopen::ArrivalKind;

use super::report::{Arrived, Ended, SynOption};
use crate::units::{bytes, time};

/// How a connection arrived, such as `fast, 18 bytes in the SYN, cookie 3021b9…`.
pub(crate) fn arrival(arrived: &Arrived) -> String {
    let mut text = arrived.arrival.name().to_owned();
    let carried = arrived.syn_bytes.unwrap_or(0) as u64;
    // Writing to a string can't fail.
    let _ = match (arrived.arrival, arrived.syn_data_accepted) {
        (ArrivalKind::Fast { .. }, false) => write!(text, ", no data in the SYN"),
        (ArrivalKind::Fast { .. }, true) if arrived.syn_bytes.is_none() => write!(text, ", data in the SYN"),
        (ArrivalKind::Fast { .. }, true) => write!(text, ", {} in the SYN", bytes(carried)),
        _ if carried > 0 => write!(text, ", {} in the SYN ignored", bytes(carried)),
        _ => Ok(()),
    };
    let refused = match arrived.arrival {
        ArrivalKind::Fast { .. } => "",
        _ => " refused",
    };
    let _ = match (&arrived.cookie, arrived.syn_option) {
        (Some(cookie), _) => write!(text, ", cookie {cookie}{refused}"),
        (None, Some(SynOption::Malformed)) => write!(text, ", malformed Fast Open option"),
        _ => Ok(()),
    };
    text
}

/// When the client proved its address, or that it did not; nothing for an ordinary handshake.
pub(crate) fn proof(ended: &Ended) -> Option<String> {
    let at_once = ended.arrived.confirmed_on_arrival;
    match (ended.confirmed?, ended.confirmed_after) {
        (true, _) if at_once => match ended.arrived.arrival {
            ArrivalKind::Fast { .. } => Some("confirmed at once".to_owned()),
            _ => None,
        },
        (true, Some(after)) => Some(format!("confirmed after {}", time(after))),
        (true, None) => Some("confirmed".to_owned()),
        (false, _) => Some("never confirmed".to_owned()),
    }
}
