//! No netlink: every connection fails to open.

use std::convert::Infallible;

use crate::error::Error;

pub(crate) const NETLINK_GENERIC: isize = 0;
pub(crate) const NETLINK_SOCK_DIAG: isize = 0;

#[derive(Debug)]
pub(crate) struct Connection(Infallible);

impl Connection {
    pub(crate) fn open(_protocol: isize, _request: &'static str) -> Result<Self, Error> {
        Err(Error::NotLinux)
    }

    pub(crate) fn send(
        &mut self,
        _request: &'static str,
        _kind: u16,
        _flags: u16,
        _body: &[u8],
    ) -> Result<(), Error> {
        match self.0 {}
    }

    pub(crate) fn next_reply(&mut self) -> Result<Option<&[u8]>, Error> {
        match self.0 {}
    }
}
