//! Machines to test with.

use std::time::Duration;

use fastopen_host::KernelVersion;
use fastopen_host::cookies::Entry;
use fastopen_host::counters::Counters;
use fastopen_host::listeners::Listener;
use fastopen_host::owners::Process;
use fastopen_host::sysctl::{FastOpenBits, KeyState, SynCookies};

use super::facts::{Facts, Held};
use super::place::Place;

/// A new kernel, both bits on, one fast listener.
pub(super) fn ready() -> Facts {
    Facts {
        place: Place::Machine,
        kernel: Ok(KernelVersion::new(6, 18, 0)),
        bits: Ok(Some(FastOpenBits::CLIENT | FastOpenBits::SERVER)),
        key: Ok(KeyState::One),
        blackhole_timeout: Ok(Some(Duration::ZERO)),
        somaxconn: Ok(Some(4096)),
        syn_cookies: Ok(Some(SynCookies::WhenFull)),
        ipv6: Ok(true),
        listeners: Ok(vec![
            held("0.0.0.0:443", 256, 4711),
            held_by("sshd", "[::]:22", 0),
        ]),
        counters: Ok(counters([12, 0, 7, 0, 0, 0, 2, 0, 0, 0])),
        cookies: Ok(vec![entry("192.0.2.1", 0)]),
    }
}

/// A machine with the default settings: the client bit alone, and no listener that asks for Fast Open.
pub(super) fn stock() -> Facts {
    Facts {
        bits: Ok(Some(FastOpenBits::CLIENT)),
        key: Ok(KeyState::Unreadable),
        listeners: Ok(vec![held_by("sshd", "0.0.0.0:22", 0)]),
        counters: Ok(counters([0; 10])),
        cookies: Ok(vec![]),
        ..ready()
    }
}

/// A machine on which everything is wrong.
pub(super) fn troubled() -> Facts {
    Facts {
        kernel: Ok(KernelVersion::new(4, 9, 0)),
        bits: Ok(Some(FastOpenBits::from_bits(0xf04))),
        key: Ok(KeyState::Two),
        blackhole_timeout: Ok(Some(Duration::from_secs(3600))),
        somaxconn: Ok(Some(128)),
        syn_cookies: Ok(Some(SynCookies::Always)),
        ipv6: Ok(false),
        counters: Ok(counters([1, 99, 1, 99, 3, 17, 1000, 2, 5, 8])),
        cookies: Ok(vec![entry("192.0.2.1", 2), entry("2001:db8::1", 1)]),
        ..ready()
    }
}

/// A machine of which nothing can be read.
pub(super) fn unreadable() -> Facts {
    fn refused<T>() -> Result<T, String> {
        Err("no reason".to_owned())
    }
    Facts {
        place: Place::Machine,
        kernel: refused(),
        bits: refused(),
        key: refused(),
        blackhole_timeout: refused(),
        somaxconn: refused(),
        syn_cookies: refused(),
        ipv6: refused(),
        listeners: refused(),
        counters: refused(),
        cookies: refused(),
    }
}

/// A kernel from before Fast Open.
pub(super) fn ancient() -> Facts {
    Facts {
        kernel: Ok(KernelVersion::new(2, 6, 32)),
        bits: Ok(None),
        key: Ok(KeyState::Missing),
        blackhole_timeout: Ok(None),
        counters: Ok(Counters::default()),
        ..ready()
    }
}

pub(super) fn held(address: &str, fast_open_queue: u32, inode: u64) -> Held {
    Held {
        listener: Listener {
            address: address.parse().unwrap(),
            fast_open_queue: Some(fast_open_queue),
            to_accept: 0,
            uid: 33,
            inode,
        },
        backlog: Some(511),
        processes: vec![Process {
            pid: 4,
            name: "nginx".to_owned(),
        }],
    }
}

/// A listener of that program.
pub(super) fn held_by(program: &str, address: &str, fast_open_queue: u32) -> Held {
    let mut held = held(address, fast_open_queue, 1);
    program.clone_into(&mut held.processes[0].name);
    held
}

/// A pod's container that serves.
pub(super) fn pod() -> Facts {
    Facts {
        place: Place::Kubernetes,
        bits: Ok(Some(FastOpenBits::CLIENT)),
        ..ready()
    }
}

pub(super) fn entry(destination: &str, syn_drops: u16) -> Entry {
    Entry {
        destination: destination.parse().unwrap(),
        source: Some("192.0.2.9".parse().unwrap()),
        age: Some(Duration::from_millis(1500)),
        mss: Some(1460),
        syn_drops,
        last_syn_drop: (syn_drops > 0).then(|| Duration::from_secs(60)),
        cookie: Some("3021b9d889017eeb".parse().unwrap()),
        rtt: Some(Duration::from_millis(60)),
    }
}

/// Active, ActiveFail, Passive, PassiveFail, PassiveAltKey, ListenOverflow, CookieReqd, Blackhole, ListenOverflows, SyncookiesSent.
fn counters(values: [u64; 10]) -> Counters {
    let names = "TCPFastOpenActive TCPFastOpenActiveFail TCPFastOpenPassive TCPFastOpenPassiveFail TCPFastOpenPassiveAltKey \
                 TCPFastOpenListenOverflow TCPFastOpenCookieReqd TCPFastOpenBlackhole ListenOverflows SyncookiesSent";
    let values = values.map(|value| value.to_string()).join(" ");
    Counters::parse(&format!("TcpExt: {names}\nTcpExt: {values}\n")).unwrap()
}
