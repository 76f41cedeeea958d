//! Where privileges are not given up.

use std::io;

pub(crate) fn become_user(_uid: u32, _gid: u32) -> io::Result<()> {
    Ok(())
}

pub(crate) fn drop_capabilities() -> io::Result<()> {
    Ok(())
}
