//! What the kernel has counted: the Fast Open counters among `TcpExt`, and a few beside them that explain failures.
//!
//! They belong to the calling thread's network namespace, and count since it was made (or since the machine was started).
//!
//! Source: `/proc/net/netstat`; `net/ipv4/proc.c`, `include/uapi/linux/snmp.h`.

mod counter;
mod parse;

use crate::error::Error;
use crate::proc;

pub use counter::Counter;

/// The counters at one moment, or how much they rose between two. `None` is a counter that this kernel does not have.
///
/// ```
/// use fastopen_host::counters::{Counter, Counters};
///
/// let before = Counters::parse("TcpExt: TCPFastOpenActive ListenDrops\nTcpExt: 7 0\n")?;
/// let after = Counters::parse("TcpExt: TCPFastOpenActive ListenDrops\nTcpExt: 9 0\n")?;
/// assert_eq!(after.since(&before).get(Counter::Active), Some(2));
/// assert_eq!(after.get(Counter::PassiveAltKey), None);
/// # Ok::<(), fastopen_host::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters([Option<u64>; Counter::ALL.len()]);

impl Counters {
    /// Reads the counters of the calling thread's network namespace.
    ///
    /// # Errors
    /// [`Error`] if the file can't be read, or is not what Linux writes.
    pub fn read() -> Result<Self, Error> {
        match proc::read_net("netstat")? {
            Some(text) => Self::parse(&text),
            None => Ok(Self::default()),
        }
    }

    /// Takes the text of `/proc/net/netstat`. Names are found wherever they stand.
    ///
    /// # Errors
    /// [`Error::Malformed`] if a name has no value, or a value is no number.
    pub fn parse(netstat: &str) -> Result<Self, Error> {
        let mut counters = Self::default();
        for (name, value) in parse::tcp_ext(netstat)? {
            if let Some(counter) = Counter::by_name(name) {
                counters.0[counter as usize] = Some(parse::value(name, value)?);
            }
        }
        Ok(counters)
    }

    /// One counter; `None` where the kernel does not have it.
    pub fn get(&self, counter: Counter) -> Option<u64> {
        self.0[counter as usize]
    }

    /// Every counter that the kernel has.
    pub fn iter(&self) -> impl Iterator<Item = (Counter, u64)> + '_ {
        Counter::ALL
            .iter()
            .filter_map(|&counter| Some((counter, self.get(counter)?)))
    }

    /// How much each counter rose since an earlier reading.
    ///
    /// A counter that went down has either wrapped around, as those of 32-bit kernels do, and the rise is counted modulo 2³²; or it
    /// started over, as it does in another namespace or after a restart, and all of it counts.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut risen = *self;
        for (now, then) in risen.0.iter_mut().zip(earlier.0) {
            *now = now.map(|now| rise(then.unwrap_or(0), now));
        }
        risen
    }
}

/// More than this between two readings is a counter that started over rather than one that wrapped around.
const NEAR: u64 = 1 << 24;
const WRAP: u64 = 1 << 32;

fn rise(then: u64, now: u64) -> u64 {
    if now >= then {
        return now - then;
    }
    match WRAP.checked_sub(then) {
        Some(to_the_end) if to_the_end + now < NEAR => to_the_end + now,
        _ => now,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_that_went_down_was_reset_or_wrapped() {
        assert_eq!(rise(5, 7), 2);
        assert_eq!(rise(7, 7), 0);
        assert_eq!(rise(7, 3), 3);
        assert_eq!(rise(0xffff_fffe, 3), 5);
        assert_eq!(rise(u64::MAX, 3), 3);
    }

    #[test]
    fn a_counter_new_in_the_later_reading_counts_from_zero() {
        let earlier = Counters::default();
        let now = Counters::parse("TcpExt: TCPFastOpenActive\nTcpExt: 4\n").unwrap();
        assert_eq!(now.since(&earlier).get(Counter::Active), Some(4));
        assert_eq!(earlier.since(&now).get(Counter::Active), None);
    }

    proptest::proptest! {
        #[test]
        fn no_rise_overflows(then: u64, now: u64) {
            assert!(rise(then, now) <= now || now < then);
        }
    }
}
