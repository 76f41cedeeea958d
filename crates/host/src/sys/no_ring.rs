//! No packet sockets: none can be opened.

use std::convert::Infallible;
use std::os::fd::{AsFd, BorrowedFd};

use super::instruction::Instruction;
use crate::error::Error;

#[derive(Debug)]
pub(crate) struct Ring(Infallible);

impl Ring {
    pub(crate) fn open(_interface: Option<&str>, _program: &[Instruction]) -> Result<Self, Error> {
        Err(Error::NotLinux)
    }

    pub(crate) fn filled(&self) -> Option<&[u8]> {
        match self.0 {}
    }

    pub(crate) fn release(&mut self) {
        match self.0 {}
    }

    pub(crate) fn take_dropped(&mut self) -> Result<u64, Error> {
        match self.0 {}
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        match self.0 {}
    }
}

impl AsFd for Ring {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self.0 {}
    }
}
