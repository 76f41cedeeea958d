//! A moment to draw in tests, on screens and on pages.

use std::time::{Duration, Instant, SystemTime};

use fastopen_host::counters::{Counter, Counters};
use fastopen_host::sockets::State;

use super::report::Report;
use super::snapshot::Snapshot;
use super::sockets::Sockets;
use super::sockets::tests::listener;
use super::tally::tests::socket;

const SYN_DATA: u8 = 0x20;
const CHILD: u8 = 0x80;

/// A busy machine, both a client and a server.
pub(super) fn report() -> Report {
    let began = Instant::now();
    let earlier = snapshot(began, [1_234_567, 12, 999, 3, 0, 0, 41, 0, 0, 7, 20, 0]);
    let now = snapshot(
        began + Duration::from_secs(2),
        [1_234_569, 13, 25_999, 3, 0, 0, 42, 0, 0, 7, 21, 0],
    );
    Report::new(Some(&earlier), &now)
}

fn snapshot(taken: Instant, values: [u64; 12]) -> Snapshot {
    Snapshot {
        taken,
        time: SystemTime::UNIX_EPOCH + Duration::from_secs(1_770_000_000),
        counters: counters(values),
        sockets: sockets(),
        fingerprints: vec!["00000000000000aa".to_owned(), "00000000000000bb".to_owned()],
    }
}

fn counters(values: [u64; 12]) -> Counters {
    let names: Vec<_> = Counter::ALL.iter().map(|counter| counter.name()).collect();
    let values = values.map(|value| value.to_string());
    Counters::parse(&format!(
        "TcpExt: {}\nTcpExt: {}\n",
        names.join(" "),
        values.join(" ")
    ))
    .unwrap()
}

fn sockets() -> Sockets {
    use State::{Established, SynRecv, SynSent};
    let mut sockets = Sockets::new([
        listener("0.0.0.0:22", 0),
        listener("[::]:443", 256),
        listener("192.0.2.2:8080", 1024),
        listener("127.0.0.1:5432", 0),
        listener("[2001:db8:1234:5678:9abc:def0:1234:5678]:65535", 4096),
    ]);
    let connections = [
        (
            2,
            "192.0.2.2:8080",
            "192.0.2.1:4711",
            Established,
            SYN_DATA | CHILD,
            0,
        ),
        (
            1,
            "192.0.2.2:8080",
            "192.0.2.1:4711",
            SynRecv,
            SYN_DATA | CHILD,
            0,
        ),
        (
            3,
            "[::ffff:192.0.2.2]:443",
            "[::ffff:192.0.2.1]:1",
            Established,
            0,
            0,
        ),
        (1, "192.0.2.2:22", "198.51.100.255:4711", Established, 0, 0),
        (1, "192.0.2.2:40000", "203.0.113.9:443", Established, SYN_DATA, 0),
        (1, "192.0.2.2:40001", "203.0.113.9:443", Established, 0, 1),
        (1, "192.0.2.2:40002", "203.0.113.10:443", Established, 0, 2),
        (1, "192.0.2.2:40003", "203.0.113.11:443", Established, 0, 3),
        (1, "192.0.2.2:40004", "203.0.113.12:443", SynSent, 0, 0),
        (1, "127.0.0.1:5432", "127.0.0.1:40005", Established, 0, 0),
        (1, "127.0.0.1:40005", "127.0.0.1:5432", Established, 0, 0),
        (
            1,
            "[2001:db8::2]:40006",
            "[2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff]:443",
            Established,
            0,
            0,
        ),
    ];
    for (times, local, remote, state, options, fail) in connections {
        for _ in 0..times {
            sockets.add(&socket(local, remote, state, options, fail));
        }
    }
    sockets
}
