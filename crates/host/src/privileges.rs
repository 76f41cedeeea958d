//! Giving up root's privileges for good, before untrusted input is read.

use std::io;

use crate::sys::privileges;

/// A user and a group, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct User {
    /// The user's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
}

impl User {
    /// `nobody`, which owns nothing.
    pub const NOBODY: Self = Self {
        uid: 65_534,
        gid: 65_534,
    };

    /// Who called sudo, by the variables that sudo sets; `None` where it was not sudo, or root called it.
    pub fn behind_sudo() -> Option<Self> {
        let number = |name| std::env::var(name).ok()?.parse().ok();
        let (uid, gid) = (number("SUDO_UID")?, number("SUDO_GID")?);
        (uid != 0).then_some(Self { uid, gid })
    }
}

/// Makes this process the user's where it is root's, and gives up all capabilities; neither can be regained. Open files stay open.
///
/// Call it before there are other threads: capabilities belong to each.
///
/// Where root may not become another user, as in a user namespace that has no other, it stays root without capabilities.
///
/// # Errors
/// What the system said when the capabilities could not be given up.
///
/// # Platform notes
/// Linux (capabilities(7)). On other systems nothing is given up.
pub fn drop_to(user: User) -> io::Result<()> {
    // Where it fails, what is left is the root of a namespace without capabilities.
    let _ = privileges::become_user(user.uid, user.gid);
    privileges::drop_capabilities()
}
