//! setresuid(2) and capset(2).

use std::io;
use std::ptr;

/// Gives all threads of the process that user and group and no other, if root calls it.
pub(crate) fn become_user(uid: u32, gid: u32) -> io::Result<()> {
    // SAFETY: it takes nothing and changes nothing.
    if unsafe { libc::geteuid() } != 0 {
        return Ok(());
    }
    // SAFETY: an empty list is read from nowhere.
    check(unsafe { libc::setgroups(0, ptr::null()) })?;
    // SAFETY: it takes numbers only.
    check(unsafe { libc::setresgid(gid, gid, gid) })?;
    // SAFETY: it takes numbers only.
    check(unsafe { libc::setresuid(uid, uid, uid) })
}

/// Gives up the calling thread's capabilities, and those that a program run later could bring.
pub(crate) fn drop_capabilities() -> io::Result<()> {
    /// `_LINUX_CAPABILITY_VERSION_3` of `linux/capability.h`.
    const VERSION_3: u32 = 0x2008_0522;
    // The version, and the thread: 0 is the calling one.
    let header = [VERSION_3, 0];
    // Twice effective, permitted and inheritable: the lower and the upper 32 capabilities.
    let none = [0_u32; 6];
    // SAFETY: the header and the two sets of capabilities are laid out as `struct __user_cap_header_struct` and
    // `struct __user_cap_data_struct` are, and the kernel only reads them where the version is one that it knows.
    let returned = unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), none.as_ptr()) };
    check(returned as libc::c_int)?;
    // SAFETY: it takes numbers only.
    check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) })
}

fn check(returned: libc::c_int) -> io::Result<()> {
    match returned {
        0.. => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
