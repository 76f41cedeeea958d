//! Listeners, against those that were made and against ss.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::thread;
use std::time::{Duration, Instant};

use fastopen_host::listeners;
use fastopen_host::owners::Owners;

use crate::net;

pub(crate) fn queues_are_those_that_were_set() {
    let lab = net::lab();
    let host = lab.server().unwrap();
    let fast = host.addresses().map(|address| net::listen(host, address));
    let everywhere = net::listen(host, Ipv6Addr::UNSPECIFIED.into());
    let plain = host
        .run(|| TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)))
        .unwrap();
    let _waiting = net::connect_fast(lab.client().unwrap(), fast[0].local_addr().unwrap());

    let found = host.run(listeners::list).unwrap();
    let find = |listener: &TcpListener| {
        let address = listener.local_addr().unwrap();
        found
            .iter()
            .find(|listener| listener.address == address)
            .unwrap_or_else(|| panic!("{address} is not among {found:?}"))
    };
    for listener in fast.iter().chain([&everywhere]) {
        assert_eq!(find(listener).fast_open_queue, Some(net::QUEUE));
    }
    assert_eq!(find(&plain).fast_open_queue, Some(0));
    assert_eq!(found.len(), 4);

    // The client's ACK is still on its way when its connect returns.
    let waiting = || {
        let found = host.run(listeners::list).unwrap();
        let address = fast[0].local_addr().unwrap();
        found
            .iter()
            .any(|listener| listener.address == address && listener.to_accept == 1)
    };
    let deadline = Instant::now() + Duration::from_secs(5);
    while !waiting() {
        assert!(
            Instant::now() < deadline,
            "a connection that waits is not counted"
        );
        thread::sleep(Duration::from_millis(1));
    }
}

pub(crate) fn they_agree_with_ss() {
    let lab = net::lab();
    let host = lab.server().unwrap();
    let _listeners = [
        Ipv4Addr::LOCALHOST.into(),
        host.ipv4().into(),
        Ipv6Addr::LOCALHOST.into(),
        host.ipv6().into(),
    ]
    .map(|address| net::listen(host, address));

    let ss = net::output(host, "ss", &["-Htlne"]);
    let mut told: Vec<(SocketAddr, u64)> = ss
        .lines()
        .map(|line| {
            let columns: Vec<_> = line.split_ascii_whitespace().collect();
            let inode = columns.iter().find_map(|column| column.strip_prefix("ino:"));
            (columns[3].parse().unwrap(), inode.unwrap().parse().unwrap())
        })
        .collect();
    let found = host.run(listeners::list).unwrap();
    let mut found: Vec<_> = found
        .iter()
        .map(|listener| (listener.address, listener.inode))
        .collect();
    told.sort();
    found.sort();
    assert_eq!(found, told);
    assert_eq!(found.len(), 4);
}

pub(crate) fn owners_are_found() {
    let lab = net::lab();
    let host = lab.server().unwrap();
    let listener = net::listen(host, host.ipv4().into());
    let found = host.run(listeners::list).unwrap();
    let owners = Owners::find(found.iter().map(|listener| listener.inode)).unwrap();
    let processes = owners.of(found[0].inode);
    assert_eq!(processes.len(), 1);
    assert_eq!(processes[0].pid, std::process::id());
    drop(listener);
}
