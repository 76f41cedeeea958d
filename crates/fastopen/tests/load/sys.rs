//! Signals that interrupt one thread, and an allocator that counts.

use std::alloc::{GlobalAlloc, Layout, System};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicIsize, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

static SEEN: AtomicU64 = AtomicU64::new(0);

extern "C" fn count(_: libc::c_int) {
    SEEN.fetch_add(1, Ordering::Relaxed);
}

/// How many signals have come so far.
pub(crate) fn signals_seen() -> u64 {
    SEEN.load(Ordering::Relaxed)
}

/// Handles `SIGUSR1` by counting it, so that it interrupts system calls. With `restart` the kernel restarts them.
pub(crate) fn handle_signals(restart: bool) {
    // SAFETY: zero is a valid value for every field of the structure.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = count as *const () as libc::sighandler_t;
    action.sa_flags = if restart { libc::SA_RESTART } else { 0 };
    // SAFETY: the handler does nothing but add to an atomic number, and `action` lives through the call.
    let result = unsafe { libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut()) };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
}

/// Runs `body` on this thread, which gets a signal every millisecond meanwhile.
pub(crate) fn interrupted<T>(body: impl FnOnce() -> T) -> T {
    // SAFETY: the call takes nothing and can't fail.
    let thread = unsafe { libc::pthread_self() };
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let timer = thread::spawn(move || {
        while !stopped.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(1));
            // SAFETY: the thread waits for this one to end before it does.
            unsafe { libc::pthread_kill(thread, libc::SIGUSR1) };
        }
    });
    let result = body();
    stop.store(true, Ordering::Relaxed);
    timer.join().expect("the timer doesn't panic");
    result
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;
static ALLOCATED: AtomicIsize = AtomicIsize::new(0);

/// How many bytes this process has allocated and not freed.
pub(crate) fn allocated_bytes() -> isize {
    ALLOCATED.load(Ordering::Relaxed)
}

// SAFETY: everything is left to the system's allocator; the count has no part in it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(layout.size() as isize, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        ALLOCATED.fetch_sub(layout.size() as isize, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.dealloc(pointer, layout) }
    }
}
