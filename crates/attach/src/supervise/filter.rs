//! The filter that says which system calls are reported: pure.
//!
//! Programs of another architecture than this one's, 32-bit ones for instance, pass untouched: their calls have other numbers.
//!
//! Source: seccomp(2); `include/uapi/linux/seccomp.h`, `include/uapi/linux/bpf_common.h`.

use crate::sys::seccomp::Instruction;

/// Which calls are reported besides those that connecting takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Watched {
    pub(crate) listen: bool,
    pub(crate) exit: bool,
}

#[cfg(target_arch = "x86_64")]
pub(crate) mod native {
    /// `AUDIT_ARCH_X86_64`.
    pub(crate) const ARCHITECTURE: u32 = 0xc000_003e;
    /// Calls of the x32 ABI have this bit: they count as the same architecture, and other sizes of pointers.
    pub(crate) const FOREIGN_FROM: u32 = 0x4000_0000;
}

#[cfg(target_arch = "aarch64")]
pub(crate) mod native {
    /// `AUDIT_ARCH_AARCH64`.
    pub(crate) const ARCHITECTURE: u32 = 0xc000_00b7;
    pub(crate) const FOREIGN_FROM: u32 = u32::MAX;
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(crate) mod native {
    /// Not that of any architecture.
    pub(crate) const ARCHITECTURE: u32 = 0;
    pub(crate) const FOREIGN_FROM: u32 = 0;
}

/// Whether a filter for this architecture was ever tried.
pub(crate) const IS_FOR_THIS_ARCHITECTURE: bool = native::ARCHITECTURE != 0;

/// Offsets in `struct seccomp_data`; both architectures are little-endian.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
/// The lower half of the third argument.
const LENGTH: u32 = 32;

const LOAD: u16 = 0x20;
const JUMP_IF_EQUAL: u16 = 0x15;
const JUMP_IF_GREATER: u16 = 0x25;
const JUMP_IF_AT_LEAST: u16 = 0x35;
const RETURN: u16 = 0x06;

const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
const REPORT: u32 = libc::SECCOMP_RET_USER_NOTIF;

/// The lengths of addresses that `connect` is reported with: from that of a bare family (`AF_UNSPEC`) to that of IPv6, and that of `struct
/// sockaddr_storage`. Addresses of local sockets mostly have others, and cost nothing then.
const SHORTEST: u32 = 2;
const LONGEST: u32 = 28;
const STORAGE: u32 = 128;

/// The filter's instructions.
pub(crate) fn build(watched: Watched) -> Vec<Instruction> {
    let mut calls = vec![libc::SYS_getpeername, libc::SYS_shutdown];
    if watched.listen {
        calls.push(libc::SYS_listen);
    }
    if watched.exit {
        calls.push(libc::SYS_exit_group);
    }
    let others = calls.len();
    let mut filter = vec![
        instruction(LOAD, ARCHITECTURE, 0, 0),
        instruction(JUMP_IF_EQUAL, native::ARCHITECTURE, 1, 0),
        instruction(RETURN, ALLOW, 0, 0),
        instruction(LOAD, NUMBER, 0, 0),
        instruction(JUMP_IF_AT_LEAST, native::FOREIGN_FROM, 0, 1),
        instruction(RETURN, ALLOW, 0, 0),
        instruction(JUMP_IF_EQUAL, number(libc::SYS_connect), jump(others + 1), 0),
    ];
    for (position, call) in calls.into_iter().enumerate() {
        // Over the rest of them, the return, and the five instructions on the length.
        let to_report = others - position - 1 + 1 + 5;
        filter.push(instruction(JUMP_IF_EQUAL, number(call), jump(to_report), 0));
    }
    filter.extend([
        instruction(RETURN, ALLOW, 0, 0),
        instruction(LOAD, LENGTH, 0, 0),
        instruction(JUMP_IF_EQUAL, STORAGE, 3, 0),
        instruction(JUMP_IF_GREATER, LONGEST, 1, 0),
        instruction(JUMP_IF_AT_LEAST, SHORTEST, 1, 0),
        instruction(RETURN, ALLOW, 0, 0),
        instruction(RETURN, REPORT, 0, 0),
    ]);
    filter
}

fn instruction(code: u16, value: u32, jump_true: u8, jump_false: u8) -> Instruction {
    Instruction {
        code,
        jump_true,
        jump_false,
        value,
    }
}

/// Numbers of calls are small.
fn number(call: libc::c_long) -> u32 {
    u32::try_from(call).unwrap_or(u32::MAX)
}

/// The filter has far fewer instructions than a jump can pass over.
fn jump(over: usize) -> u8 {
    u8::try_from(over).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the filter says of a call, as the kernel would carry it out.
    fn run(filter: &[Instruction], architecture: u32, number: libc::c_long, length: u64) -> u32 {
        let mut data = [0_u8; 64];
        data[..4].copy_from_slice(&(number as u32).to_le_bytes());
        data[4..8].copy_from_slice(&architecture.to_le_bytes());
        data[32..40].copy_from_slice(&length.to_le_bytes());
        let (mut at, mut accumulator) = (0_usize, 0_u32);
        loop {
            let Instruction {
                code,
                jump_true,
                jump_false,
                value,
            } = filter[at];
            let holds = match code {
                LOAD => {
                    let from = value as usize;
                    accumulator = u32::from_le_bytes(data[from..from + 4].try_into().unwrap());
                    at += 1;
                    continue;
                }
                RETURN => return value,
                JUMP_IF_EQUAL => accumulator == value,
                JUMP_IF_GREATER => accumulator > value,
                JUMP_IF_AT_LEAST => accumulator >= value,
                other => panic!("{other:#x}"),
            };
            at += 1 + usize::from(if holds { jump_true } else { jump_false });
        }
    }

    #[test]
    fn only_what_is_watched_is_reported() {
        for (listen, exit) in [(false, false), (true, false), (false, true), (true, true)] {
            let filter = build(Watched { listen, exit });
            let of = |number, length| run(&filter, native::ARCHITECTURE, number, length) == REPORT;
            for length in [2, 16, 27, 28, 128] {
                assert!(of(libc::SYS_connect, length), "{length}");
            }
            for length in [0, 1, 29, 110, 129, u64::from(u32::MAX)] {
                assert!(!of(libc::SYS_connect, length), "{length}");
            }
            for (call, reported) in [
                (libc::SYS_getpeername, true),
                (libc::SYS_shutdown, true),
                (libc::SYS_listen, listen),
                (libc::SYS_exit_group, exit),
                (libc::SYS_write, false),
                (libc::SYS_close, false),
                (libc::SYS_sendto, false),
                (libc::SYS_connect | 0x4000_0000, false),
            ] {
                assert_eq!(of(call, 0) || of(call, 16), reported, "{call}");
            }
        }
    }

    #[test]
    fn other_architectures_pass() {
        /// `AUDIT_ARCH_I386`, `AUDIT_ARCH_ARM`, `AUDIT_ARCH_RISCV64`.
        const OTHERS: [u32; 3] = [0x4000_0003, 0x4000_0028, 0xc000_00f3];
        let filter = build(Watched {
            listen: true,
            exit: true,
        });
        for architecture in OTHERS {
            for call in 0..500 {
                assert_eq!(run(&filter, architecture, call, 16), ALLOW);
            }
        }
    }
}
