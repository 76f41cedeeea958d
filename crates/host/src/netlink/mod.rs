//! Asking the kernel over netlink: one request, its answers, and what ends them.
//!
//! What a connection must provide on each platform: [`Connection::open`], [`send`](Connection::send) and
//! [`next_reply`](Connection::next_reply). On other systems than Linux opening one fails.

mod attributes;
#[cfg_attr(any(target_os = "linux", target_os = "android"), path = "connection.rs")]
#[cfg_attr(not(any(target_os = "linux", target_os = "android")), path = "unsupported.rs")]
mod connection;
mod message;

pub(crate) use attributes::{Attribute, attributes, encode};
pub(crate) use connection::{Connection, NETLINK_GENERIC, NETLINK_SOCK_DIAG};
pub(crate) use netlink_packet_core::{NLM_F_ACK, NLM_F_DUMP};

use crate::error::Error;

/// How often a list that changed while it was read is read again.
const ATTEMPTS: usize = 4;

/// Reads a whole list, again where the kernel says that it changed meanwhile.
pub(crate) fn collect<T, I>(mut dump: impl FnMut() -> Result<I, Error>) -> Result<Vec<T>, Error>
where
    I: Iterator<Item = Result<T, Error>>,
{
    let mut attempt = 1;
    loop {
        match dump()?.collect() {
            Err(Error::Interrupted { .. }) if attempt < ATTEMPTS => attempt += 1,
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_changed_is_read_again_but_not_for_ever() {
        let interrupted = || Err(Error::Interrupted { request: "listing" });
        let mut attempts = 0;
        let read = collect(|| {
            attempts += 1;
            Ok(vec![Ok(7), if attempts < 3 { interrupted() } else { Ok(8) }].into_iter())
        });
        assert_eq!((read.unwrap(), attempts), (vec![7, 8], 3));

        let mut attempts = 0;
        let read = collect::<u8, _>(|| {
            attempts += 1;
            Ok([interrupted()].into_iter())
        });
        assert!(matches!(read, Err(Error::Interrupted { .. })));
        assert_eq!(attempts, ATTEMPTS);
    }
}
