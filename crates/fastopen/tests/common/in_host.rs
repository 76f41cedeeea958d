//! What a host of the lab has: a runtime that works in it, and its sockets.

use fastopen_lab::Host;
use tokio::runtime::Runtime;

/// A runtime that works in that host.
pub(crate) fn runtime_in(host: &Host) -> Runtime {
    let host = host.clone();
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .on_thread_start(move || host.enter_thread().unwrap())
        .enable_all()
        .build()
        .unwrap()
}

/// TCP sockets in the namespace, those in TIME_WAIT left out.
pub(crate) fn sockets(host: &Host) -> usize {
    let text = host
        .run(|| std::fs::read_to_string("/proc/thread-self/net/sockstat"))
        .unwrap();
    let tcp = text.lines().find(|line| line.starts_with("TCP:")).unwrap();
    tcp.split(' ').nth(2).unwrap().parse().unwrap()
}
