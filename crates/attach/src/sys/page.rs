//! Memory that a process and its children share.

use std::io;
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

use super::check;

/// Integers that this process and the children that it has from now on all see.
#[derive(Debug)]
pub(crate) struct Page {
    start: NonNull<AtomicU64>,
    len: usize,
}

impl Page {
    /// Makes room for so many integers, all zero.
    pub(crate) fn new(len: usize) -> io::Result<Self> {
        // SAFETY: a mapping of its own, where the kernel finds room, touches no memory that is in use.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                len * size_of::<AtomicU64>(),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if start == libc::MAP_FAILED {
            check(-1)?;
        }
        let start = NonNull::new(start.cast()).ok_or_else(|| io::Error::from_raw_os_error(libc::ENOMEM))?;
        Ok(Self { start, len })
    }

    pub(crate) fn words(&self) -> &[AtomicU64] {
        // SAFETY: the mapping has room for `len` integers, is aligned to a page, zeroed, and stays until the process ends. Others change
        // it at the same time, and atomics are made for that.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}
