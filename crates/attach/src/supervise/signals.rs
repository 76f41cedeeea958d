//! Whether a signal could make the kernel send a program's first bytes twice.
//!
//! A blocking first write waits for the handshake. If a signal interrupts that wait and its handler has SA_RESTART, the kernel sends the
//! data twice (`tcp_sendmsg_fastopen`). Nothing tells from outside whether a handler has SA_RESTART.

use std::fs;

use crate::sys::thread::Thread;

/// By which a Java virtual machine wakes a thread whose socket another thread has closed (`SIGRTMAX - 2`; `NativeThread.c` in OpenJDK).
/// Its handler has no SA_RESTART, and nothing is written to a closed socket again.
const JAVA_WAKE_UP: i32 = 62;

/// Whether the program handles signals that come without anybody's doing: timers, children, input, and those of its own invention.
pub(crate) fn may_repeat_a_write(caller: &mut Thread) -> bool {
    let status = caller.status().unwrap_or_default();
    match unasked(&status) {
        Some(0) => false,
        Some(caught) if caught == bit(JAVA_WAKE_UP) => !is_java(caller.tid()),
        _ => true,
    }
}

/// Those among the handled signals, from `/proc/PID/status`; None where that makes no sense.
fn unasked(status: &str) -> Option<u64> {
    const NAMED: [i32; 8] = [
        libc::SIGALRM,
        libc::SIGCHLD,
        libc::SIGVTALRM,
        libc::SIGPROF,
        libc::SIGIO,
        libc::SIGURG,
        libc::SIGXCPU,
        libc::SIGCONT,
    ];
    /// The C library keeps the first three real-time signals for itself.
    const FIRST_REAL_TIME: i32 = 35;
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"))?;
    let caught = u64::from_str_radix(caught.trim(), 16).ok()?;
    let real_time = u64::MAX << (FIRST_REAL_TIME - 1);
    Some(caught & NAMED.iter().fold(real_time, |mask, signal| mask | bit(*signal)))
}

fn bit(signal: i32) -> u64 {
    1 << (signal - 1)
}

/// Whether the process has a Java virtual machine in it.
fn is_java(tid: u32) -> bool {
    let maps = fs::read(format!("/proc/{tid}/maps")).unwrap_or_default();
    let library = b"/libjvm.so\n";
    maps.windows(library.len()).any(|part| part == library)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_signals_that_come_by_themselves_count() {
        let status = |signals: &[i32]| {
            let mask = signals.iter().fold(0, |mask, signal| mask | bit(*signal));
            format!("SigIgn:\t0000000000000001\nSigCgt:\t{mask:016x}\nCapInh:\t0\n")
        };
        for harmless in [libc::SIGINT, libc::SIGTERM, libc::SIGUSR1, libc::SIGWINCH, 32, 34] {
            assert_eq!(unasked(&status(&[harmless])), Some(0), "{harmless}");
        }
        for counts in [libc::SIGALRM, libc::SIGCHLD, libc::SIGURG, 35, JAVA_WAKE_UP, 64] {
            assert_eq!(unasked(&status(&[libc::SIGINT, counts])), Some(bit(counts)));
        }
        assert_eq!(unasked("Name:\tx\n"), None);
        assert_eq!(unasked("SigCgt:\tx\n"), None);
    }

    #[test]
    fn this_test_is_no_java_program() {
        assert!(!is_java(std::process::id()));
    }
}
