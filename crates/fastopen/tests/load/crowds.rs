//! Many at once.

use std::collections::{HashMap, HashSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use fastopen::{AttemptEnd, ConnectError, Connector, ListenOptions, PathMemory, ReplaySafe};
use fastopen_lab::testing::LabTest;
use fastopen_lab::{HostSpec, Lab, Scenario};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::alone;
use crate::in_host::{runtime_in, sockets};
use crate::sys::allocated_bytes;

const LONG: Duration = Duration::from_secs(60);

pub(crate) fn tests() -> impl Iterator<Item = LabTest> {
    [
        alone(
            "crowds::ten_thousand_connects_at_once",
            ten_thousand_connects_at_once,
        ),
        alone("crowds::connects_leave_no_memory", connects_leave_no_memory),
        alone(
            "crowds::a_hundred_dead_addresses_and_few_descriptors",
            a_hundred_dead_addresses_and_few_descriptors,
        ),
        alone(
            "crowds::a_thousand_addresses_that_never_answer",
            a_thousand_addresses_that_never_answer,
        ),
        alone(
            "crowds::a_connect_that_is_dropped_leaves_nothing",
            a_connect_that_is_dropped_leaves_nothing,
        ),
    ]
    .into_iter()
}

/// Waits until all tasks but so many have ended: one ends a little after whoever awaits it gets to know.
fn wait_for_tasks(runtime: &Runtime, left: usize) {
    let began = Instant::now();
    while runtime.metrics().num_alive_tasks() > left {
        assert!(
            began.elapsed() < LONG,
            "{} tasks never end",
            runtime.metrics().num_alive_tasks()
        );
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn connector() -> Connector {
    Connector::new().with_path_memory(PathMemory::default())
}

fn ten_thousand_connects_at_once() {
    const CONNECTS: u32 = 10_000;
    let lab = Lab::new(&Scenario::new("crowd").with_rtt(Duration::from_millis(60))).unwrap();
    let (client, server) = (lab.client().unwrap(), lab.server().unwrap());
    client
        .set_sysctl("net.ipv4.ip_local_port_range", "1024 65535")
        .unwrap();
    // Room for all of them: a listener that runs out of it falls back to SYN cookies, and those take a FIN that overtakes the request
    // for nonsense.
    for name in ["net.core.somaxconn", "net.ipv4.tcp_max_syn_backlog"] {
        server.set_sysctl(name, "20000").unwrap();
    }
    let address = SocketAddr::new(server.ipv4().into(), 80);
    let (serving, connecting) = (runtime_in(server), runtime_in(client));
    serve(&serving, address);
    for _ in 0..2 {
        let outcomes = connect_all(&connecting, &connector(), address, CONNECTS);
        assert_eq!(outcomes.values().sum::<u32>(), CONNECTS, "{outcomes:?}");
        wait_for_tasks(&connecting, 0);
        assert_eq!(sockets(client), 0);
    }
}

/// Over loopback, so that no middlebox has a part in it.
fn connects_leave_no_memory() {
    const CONNECTS: u32 = 1000;
    let client = HostSpec::new("client").with_sysctl("net.ipv4.tcp_fastopen", "3");
    let lab = Lab::new(&Scenario::new("loopback").with_host(client)).unwrap();
    let address = SocketAddr::from(([127, 0, 0, 1], 80));
    let runtime = runtime_in(lab.client().unwrap());
    serve(&runtime, address);
    let connector = connector();
    let mut allocated = [0; 6];
    for allocated in &mut allocated {
        connect_all(&runtime, &connector, address, CONNECTS);
        wait_for_tasks(&runtime, 1);
        *allocated = allocated_bytes();
    }
    let growth = (allocated[5] - allocated[2]) as f64 / f64::from(3 * CONNECTS);
    assert!(growth < 8.0, "{growth} bytes a connect: {allocated:?}");
}

fn serve(runtime: &Runtime, address: SocketAddr) {
    runtime.block_on(async {
        let listening = runtime.spawn(async move {
            ListenOptions::new()
                .with_queue(20_000)
                .with_backlog(20_000)
                .listen_tokio(address)
                .await
        });
        runtime.spawn(echo(listening.await.unwrap().unwrap().listener));
    });
}

/// Connects so many times at once, checks the answers, and counts the outcomes.
fn connect_all(
    runtime: &Runtime,
    connector: &Connector,
    address: SocketAddr,
    connects: u32,
) -> HashMap<&'static str, u32> {
    let connector = connector.clone();
    let outcomes = runtime.spawn(async move {
        let mut running = JoinSet::new();
        for i in 0..connects {
            let connector = connector.clone();
            running.spawn(async move {
                let connected = connector
                    .connect_tokio(address, ReplaySafe(i.to_be_bytes()))
                    .await?;
                let mut stream = connected.stream;
                stream.shutdown().await?;
                let mut answer = Vec::new();
                stream.read_to_end(&mut answer).await?;
                assert_eq!(answer, i.to_be_bytes());
                std::io::Result::Ok(connected.outcome.name())
            });
        }
        let mut outcomes = HashMap::new();
        while let Some(outcome) = timeout(LONG, running.join_next()).await.expect("none hangs") {
            *outcomes.entry(outcome.unwrap().unwrap()).or_default() += 1;
        }
        outcomes
    });
    runtime.block_on(outcomes).unwrap()
}

async fn echo(listener: TcpListener) {
    loop {
        let Ok((mut stream, _)) = listener.accept().await else {
            continue;
        };
        tokio::spawn(async move {
            let mut request = Vec::new();
            let _ = timeout(LONG, stream.read_to_end(&mut request)).await;
            let _ = stream.write_all(&request).await;
        });
    }
}

fn a_thousand_addresses_that_never_answer() {
    const DELAY: Duration = Duration::from_millis(2);
    let lab = Lab::new(&Scenario::named("unreachable").unwrap()).unwrap();
    let client = lab.client().unwrap();
    let addresses: Vec<SocketAddr> = (0..1000_u16)
        .map(|i| (Ipv4Addr::from([198, 18, (i >> 8) as u8, i as u8]), 80).into())
        .collect();
    let connector = connector().with_delay(DELAY).with_timeout(Duration::from_secs(4));
    let runtime = runtime_in(client);
    let check = |result: Result<_, ConnectError>, began: Instant| {
        let Err(ConnectError::TimedOut { attempts, .. }) = result else {
            panic!("nobody answers")
        };
        assert!(began.elapsed() < Duration::from_secs(6));
        for address in &addresses {
            assert!(
                attempts.iter().any(|attempt| attempt.address == *address),
                "{address} was left out"
            );
        }
        assert!(
            attempts
                .iter()
                .all(|attempt| attempt.end == AttemptEnd::Unanswered)
        );
        assert_eq!(sockets(client), 0);
    };
    let began = Instant::now();
    check(
        client
            .run(|| connector.connect(&addresses[..], ReplaySafe("?")))
            .map(|_| ()),
        began,
    );
    let began = Instant::now();
    let (connector, list) = (connector.clone(), addresses.clone());
    let connecting = runtime.spawn(async move { connector.connect_tokio(&list[..], ReplaySafe("?")).await });
    check(runtime.block_on(connecting).unwrap().map(|_| ()), began);
    wait_for_tasks(&runtime, 0);
}

/// The dead ones make room for the good one at the end.
fn a_hundred_dead_addresses_and_few_descriptors() {
    let lab = Lab::new(&Scenario::named("clean").unwrap()).unwrap();
    let (client, server) = (lab.client().unwrap(), lab.server().unwrap());
    let _listener = server.run(|| fastopen::listen(("0.0.0.0", 80))).unwrap();
    let dead = (0..100).map(|i| SocketAddr::from((Ipv4Addr::new(198, 18, 0, i), 80)));
    let good = SocketAddr::new(server.ipv4().into(), 80);
    let addresses: Vec<_> = dead.chain([good]).collect();
    let connector = connector().with_delay(Duration::from_millis(2));
    let runtime = runtime_in(client);
    // A descriptor for whatever the runtime does first.
    runtime.block_on(async { tokio::time::sleep(Duration::from_millis(1)).await });
    let connected = with_few_descriptors(10, || {
        let blocking = client
            .run(|| connector.connect(&addresses[..], ReplaySafe("?")))
            .unwrap();
        let (connector, list) = (connector.clone(), addresses.clone());
        let connecting =
            runtime.spawn(async move { connector.connect_tokio(&list[..], ReplaySafe("?")).await });
        let with_tokio = runtime.block_on(connecting).unwrap().unwrap();
        [blocking.attempts, with_tokio.attempts]
    });
    for attempts in connected {
        let connected = attempts
            .iter()
            .find(|attempt| attempt.end == AttemptEnd::Connected);
        assert_eq!(connected.map(|attempt| attempt.address), Some(good));
        let tried: HashSet<_> = attempts.iter().map(|attempt| attempt.address).collect();
        assert_eq!(tried.len(), addresses.len(), "each address was tried");
    }
}

/// Leaves the process so many more descriptors for as long as `f` runs.
fn with_few_descriptors<T>(more: u64, f: impl FnOnce() -> T) -> T {
    let (soft, hard) = rlimit::Resource::NOFILE.get().unwrap();
    let highest = std::fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u64>().ok())
        .max();
    rlimit::Resource::NOFILE
        .set(highest.unwrap() + more, hard)
        .unwrap();
    let result = f();
    rlimit::Resource::NOFILE.set(soft, hard).unwrap();
    result
}

fn a_connect_that_is_dropped_leaves_nothing() {
    let lab = Lab::new(&Scenario::named("unreachable").unwrap()).unwrap();
    let (client, server) = (lab.client().unwrap(), lab.server().unwrap());
    let address = SocketAddr::new(server.ipv6().into(), 80);
    let runtime = runtime_in(client);
    for after in [0, 1, 100, 400] {
        let connecting = runtime.spawn(async move {
            let connector = connector();
            timeout(
                Duration::from_millis(after),
                connector.connect_tokio(address, ReplaySafe("?")),
            )
            .await
        });
        assert!(runtime.block_on(connecting).unwrap().is_err(), "nobody answers");
        wait_for_tasks(&runtime, 0);
        assert_eq!(sockets(client), 0, "dropped after {after} ms");
    }
}
