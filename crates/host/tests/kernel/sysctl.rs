//! Settings, against what the lab reads and writes in the same namespace.

use std::io;
use std::time::Duration;

use fastopen_host::Error;
use fastopen_host::sysctl::{self, FastOpenBits, KeyState, SynCookies, Sysctl};

use crate::net;

pub(crate) fn what_is_written_is_read() {
    let lab = net::lab();
    let host = lab.client().unwrap();
    assert_eq!(host.run(sysctl::fast_open).unwrap(), Some(FastOpenBits::CLIENT));
    let bits = FastOpenBits::CLIENT | FastOpenBits::SERVER | FastOpenBits::EVERY_LISTENER;
    host.run(|| sysctl::set_fast_open(bits)).unwrap();
    assert_eq!(host.sysctl("net.ipv4.tcp_fastopen").unwrap(), "1027");
    assert_eq!(host.run(sysctl::fast_open).unwrap(), Some(bits));

    host.run(|| Sysctl::SomaxConn.write("123")).unwrap();
    assert_eq!(host.run(sysctl::somaxconn).unwrap(), Some(123));
    host.run(|| Sysctl::BlackholeTimeout.write("60")).unwrap();
    assert_eq!(
        host.run(sysctl::blackhole_timeout).unwrap(),
        Some(Duration::from_secs(60))
    );
    host.run(|| Sysctl::SynCookies.write("2")).unwrap();
    assert_eq!(host.run(sysctl::syn_cookies).unwrap(), Some(SynCookies::Always));
}

pub(crate) fn keys_are_counted() {
    const KEY: &str = "a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4";
    let lab = net::lab();
    let host = lab.server().unwrap();
    assert_eq!(host.run(sysctl::fast_open_key).unwrap(), KeyState::Unset);
    host.run(|| Sysctl::FastOpenKey.write(KEY)).unwrap();
    assert_eq!(host.run(sysctl::fast_open_key).unwrap(), KeyState::One);
    host.run(|| Sysctl::FastOpenKey.write(&format!("{KEY},{KEY}")))
        .unwrap();
    assert_eq!(host.run(sysctl::fast_open_key).unwrap(), KeyState::Two);
}

pub(crate) fn what_the_kernel_refuses_says_why() {
    let lab = net::lab();
    let host = lab.client().unwrap();
    let error = host.run(|| Sysctl::SomaxConn.write("many")).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    let told = error.to_string();
    assert!(told.contains("/proc/sys/net/core/somaxconn"), "{told}");
    assert!(told.contains("many"), "{told}");
    assert!(matches!(error, Error::Write { .. }));
}
