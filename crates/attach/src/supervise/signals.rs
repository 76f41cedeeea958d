//! Whether a signal could make the kernel send a program's first bytes twice.
//!
//! A blocking first write waits for the handshake. If a signal interrupts that wait the call fails although the data is on its way
//! (`tcp_sendmsg_fastopen`): with SA_RESTART the kernel itself writes it again, without it programs do that try again after EINTR. A program
//! that is stopped or traced in that moment writes twice as well, which nothing tells beforehand.

use std::fs;

use crate::sys::thread::Thread;

/// What a Java virtual machine handles for itself: to shut down, to print its threads, to suspend one, and (`SIGRTMAX - 2`) to wake one
/// whose socket another has closed. Source: `os/posix/signals_posix.cpp`, `NativeThread.c` in OpenJDK.
const OF_JAVA: [i32; 5] = [libc::SIGHUP, libc::SIGTERM, libc::SIGQUIT, libc::SIGUSR2, 62];
/// What wget handles, to go on in the background and to draw its bar.
const OF_WGET: [i32; 3] = [libc::SIGHUP, libc::SIGUSR1, libc::SIGWINCH];

/// Whether the program handles a signal that may come while it waits, and goes on afterwards.
pub(crate) fn may_repeat_a_write(caller: &mut Thread) -> bool {
    let status = caller.status().unwrap_or_default();
    let Some(caught) = caught(&status) else {
        return true;
    };
    match caught {
        0 => false,
        _ if caught & !mask(&OF_WGET) == 0 && status.starts_with("Name:\twget\n") => false,
        _ if caught & !mask(&OF_JAVA) == 0 => !is_java(caller.tid()),
        _ => true,
    }
}

/// Those signals, from `/proc/PID/status`; None where that makes no sense.
fn caught(status: &str) -> Option<u64> {
    /// The program's own doing; and SIGINT, which is to end it, and which every Python program handles.
    const HARMLESS: [i32; 10] = [
        libc::SIGINT,
        libc::SIGILL,
        libc::SIGTRAP,
        libc::SIGABRT,
        libc::SIGBUS,
        libc::SIGFPE,
        libc::SIGSEGV,
        libc::SIGPIPE,
        libc::SIGXFSZ,
        libc::SIGSYS,
    ];
    /// The C library keeps the first three real-time signals for itself.
    const OF_THE_LIBRARY: [i32; 3] = [32, 33, 34];
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"))?;
    let caught = u64::from_str_radix(caught.trim(), 16).ok()?;
    Some(caught & !mask(&HARMLESS) & !mask(&OF_THE_LIBRARY))
}

fn mask(signals: &[i32]) -> u64 {
    signals.iter().fold(0, |mask, signal| mask | bit(*signal))
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
    fn what_programs_do_to_themselves_is_harmless() {
        let status = |signals: &[i32]| {
            format!(
                "SigIgn:\t0000000000000001\nSigCgt:\t{:016x}\nCapInh:\t0\n",
                mask(signals)
            )
        };
        for harmless in [libc::SIGINT, libc::SIGPIPE, libc::SIGSEGV, 32, 34] {
            assert_eq!(caught(&status(&[harmless])), Some(0), "{harmless}");
        }
        for counts in [
            libc::SIGALRM,
            libc::SIGCHLD,
            libc::SIGTERM,
            libc::SIGUSR1,
            libc::SIGWINCH,
            35,
            62,
            64,
        ] {
            assert_eq!(caught(&status(&[libc::SIGINT, counts])), Some(bit(counts)));
        }
        assert_eq!(caught("Name:\tx\n"), None);
        assert_eq!(caught("SigCgt:\tx\n"), None);
    }

    #[test]
    fn this_test_is_no_java_program() {
        assert!(!is_java(std::process::id()));
    }
}
