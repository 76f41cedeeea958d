//! Metrics over HTTP, as a parser of Prometheus' format reads them.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use fastopen_lab::Host;
use prometheus_parse::{Sample, Scrape, Value};
use rustix::process::Signal;

use crate::support::{TFO, Watch, connect_fast, connect_in_every_way, lab, listen};

/// The kernel's names and ours.
const COUNTERS: [(&str, &str); 12] = [
    ("TCPFastOpenActive", "fastopen_active_total"),
    ("TCPFastOpenActiveFail", "fastopen_active_fail_total"),
    ("TCPFastOpenPassive", "fastopen_passive_total"),
    ("TCPFastOpenPassiveFail", "fastopen_passive_fail_total"),
    ("TCPFastOpenPassiveAltKey", "fastopen_passive_alt_key_total"),
    ("TCPFastOpenListenOverflow", "fastopen_listen_overflow_total"),
    ("TCPFastOpenCookieReqd", "fastopen_cookie_requested_total"),
    ("TCPFastOpenBlackhole", "fastopen_blackhole_total"),
    ("ListenOverflows", "fastopen_tcp_accept_queue_overflow_total"),
    ("ListenDrops", "fastopen_tcp_listen_drop_total"),
    ("TCPSynRetrans", "fastopen_tcp_syn_retransmit_total"),
    ("SyncookiesSent", "fastopen_tcp_syn_cookie_sent_total"),
];

/// Waits until the metrics are served, and says where.
fn address(watch: &mut Watch) -> SocketAddr {
    let line = watch.lines().next().unwrap();
    let rest = line.strip_prefix("metrics at http://").unwrap();
    rest.strip_suffix("/metrics").unwrap().parse().unwrap()
}

fn serve(host: &Host) -> (Watch, SocketAddr) {
    let mut watch = Watch::start(host, &["--prometheus", &format!("{}:0", host.ipv4())]);
    let address = address(&mut watch);
    (watch, address)
}

/// The head and the body of an answer.
fn ask(address: SocketAddr, request: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "{request} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

fn scrape(address: SocketAddr) -> Scrape {
    let (head, body) = ask(address, "GET /metrics");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(
        head.contains("\r\ncontent-type: text/plain; version=0.0.4"),
        "{head}"
    );
    Scrape::parse(body.lines().map(|line| Ok(line.to_owned()))).unwrap()
}

/// The counters by the kernel's names, read without anything of ours.
fn netstat() -> HashMap<String, f64> {
    let text = std::fs::read_to_string("/proc/thread-self/net/netstat").unwrap();
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("TcpExt: "));
    let (names, values) = (lines.next().unwrap(), lines.next().unwrap());
    std::iter::zip(names.split(' '), values.split(' '))
        .filter(|(name, _)| COUNTERS.iter().any(|(kernels, _)| kernels == name))
        .map(|(name, value)| (name.to_owned(), value.parse().unwrap()))
        .collect()
}

pub(crate) fn counters_are_those_of_the_kernel() {
    let lab = lab();
    let (client, server) = (lab.client().unwrap(), lab.server().unwrap());
    let listener = listen(server, server.ipv4().into());
    let port = listener.local_addr().unwrap().port();
    for (host, counted) in [(server, "TCPFastOpenPassive"), (client, "TCPFastOpenActive")] {
        let (_watch, address) = serve(host);
        let _streams = [(); 4].map(|()| connect_fast(client, server.ipv4().into(), port));
        let before = host.run(netstat);
        let scrape = host.run(|| scrape(address));
        assert_eq!(before, host.run(netstat), "nothing else may happen meanwhile");
        assert!(before[counted] >= 3.0);
        for (kernels, ours) in COUNTERS {
            let samples: Vec<&Sample> = scrape
                .samples
                .iter()
                .filter(|sample| sample.metric == ours)
                .collect();
            let [
                Sample {
                    value: Value::Counter(value),
                    labels,
                    ..
                },
            ] = samples[..]
            else {
                panic!("{ours}: {samples:?}");
            };
            assert_eq!((*value, labels.len()), (before[kernels], 0), "{ours}");
            assert!(scrape.docs[ours].contains(kernels), "{}", scrape.docs[ours]);
        }
    }
}

/// The connections of each label.
fn connections(scrape: &Scrape, metric: &str, labels: &[(&str, &str)]) -> f64 {
    let samples = scrape.samples.iter().filter(|sample| {
        sample.metric == metric
            && labels
                .iter()
                .all(|(label, value)| sample.labels.get(label) == Some(value))
    });
    samples
        .map(|sample| match sample.value {
            Value::Gauge(value) => value,
            ref other => panic!("{metric}: {other:?}"),
        })
        .sum()
}

pub(crate) fn connections_are_told_by_listener_only() {
    const INCOMING: &str = "fastopen_incoming_connections";
    const OUTGOING: &str = "fastopen_outgoing_connections";
    let lab = lab();
    let (client, server) = (lab.client().unwrap(), lab.server().unwrap());
    let listener = listen(server, server.ipv4().into());
    let local = listener.local_addr().unwrap();
    let _streams = connect_in_every_way(&lab, local.ip(), local.port());
    let (_watch, address) = serve(server);
    let at_server = server.run(|| scrape(address));
    let local = local.to_string();
    for (arrival, confirmed, count) in [
        ("fast", "true", 1.0),
        ("fast", "false", 1.0),
        ("plain", "true", 1.0),
        ("plain", "false", 1.0),
    ] {
        let labels = [
            ("listener", local.as_str()),
            ("arrival", arrival),
            ("confirmed", confirmed),
        ];
        assert_eq!(connections(&at_server, INCOMING, &labels), count, "{labels:?}");
    }
    let (_watch, address) = serve(client);
    let at_client = client.run(|| scrape(address));
    for (outcome, count) in [("accepted", 2.0), ("no-cookie", 1.0), ("ignored", 0.0)] {
        assert_eq!(
            connections(&at_client, OUTGOING, &[("outcome", outcome)]),
            count,
            "{outcome}"
        );
    }
    for scrape in [at_server, at_client] {
        // The last two name keys by their fingerprints.
        let known = ["listener", "arrival", "confirmed", "outcome", "primary", "backup"];
        let mut labels = scrape.samples.iter().flat_map(|sample| sample.labels.keys());
        assert!(labels.all(|label| known.contains(&label.as_str())));
        assert!(
            scrape
                .samples
                .iter()
                .all(|sample| scrape.docs.contains_key(&sample.metric))
        );
    }
}

pub(crate) fn a_namespace_is_served_to_another() {
    let lab = lab();
    let server = lab.server().unwrap();
    let listener = listen(server, server.ipv4().into());
    let mut inhabitant = server.command("sleep").unwrap().arg("60").spawn().unwrap();
    let namespace = inhabitant.id().to_string();
    let mut command = Command::new(TFO);
    command.args(["watch", "--prometheus", "127.0.0.1:0", "--netns", &namespace]);
    let mut watch = Watch::run(&mut command);
    let scrape = scrape(address(&mut watch));
    let local = listener.local_addr().unwrap().to_string();
    let queue = connections(&scrape, "fastopen_listener_queue_length", &[("listener", &local)]);
    assert_eq!(queue, f64::from(fastopen::ListenOptions::DEFAULT_QUEUE));
    watch.signal(Signal::TERM);
    assert_eq!(watch.0.wait().unwrap().code(), Some(0));
    inhabitant.kill().unwrap();
    inhabitant.wait().unwrap();
}

pub(crate) fn what_is_not_there_is_said() {
    let lab = lab();
    let server = lab.server().unwrap();
    let (_watch, address) = serve(server);
    for (request, status) in [
        ("GET /", "404 Not Found"),
        ("POST /metrics", "405 Method Not Allowed"),
        ("HEAD /metrics", "200 OK"),
        ("GET /metrics?debug", "200 OK"),
        ("GET http://elsewhere.example/metrics", "200 OK"),
        (&format!("GET /metrics?{}", "x".repeat(40_000)), "431 "),
    ] {
        let (head, body) = server.run(|| ask(address, request));
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status}")),
            "{request}: {head}"
        );
        let empty = request.starts_with("HEAD") || status.starts_with("431");
        assert_eq!(body.is_empty(), empty, "{request}: {body}");
    }
    for (head, status) in [
        ("GET /metrics HTTP/1.1\r\nConnection: close\r\n\r\n", "400 "),
        (
            "GET /metrics HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n",
            "400 ",
        ),
        (
            "GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            "400 ",
        ),
        ("GET /metrics HTTP/1.0\r\n\r\n", "200 "),
    ] {
        let mut stream = server.run(|| TcpStream::connect(address)).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (_, told) = answer.split_once(' ').unwrap();
        assert!(told.starts_with(status), "{head}: {answer}");
    }
}

/// Its answer comes while it still sends.
pub(crate) fn a_request_that_is_too_long_is_answered() {
    let lab = lab();
    let server = lab.server().unwrap();
    let (_watch, address) = serve(server);
    let mut stream = server.run(|| TcpStream::connect(address)).unwrap();
    stream.write_all(b"GET /metrics?").unwrap();
    for _ in 0..5 {
        stream.write_all(&[b'x'; 20_000]).unwrap();
        sleep(Duration::from_millis(50));
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

pub(crate) fn whoever_asks_for_nothing_keeps_nobody_out() {
    let lab = lab();
    let server = lab.server().unwrap();
    let (_watch, address) = serve(server);
    let silent = |begin: &[u8]| {
        let mut stream = server.run(|| TcpStream::connect(address)).unwrap();
        stream.write_all(begin).unwrap();
        stream
    };
    let mut held = Vec::new();
    // More than there are places, and such as speak another language or stop in the middle.
    for _ in 0..300 {
        held.push(silent(b""));
    }
    held.push(silent(b"\x16\x03\x01\0\0"));
    held.push(silent(b"GET /metrics HTTP/1.1\r\nHost:"));
    let began = Instant::now();
    assert!(!server.run(|| scrape(address)).samples.is_empty());
    // Its own time-outs are longer than this, and so is Prometheus'.
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
}

pub(crate) fn without_descriptors_it_goes_on() {
    let lab = lab();
    let server = lab.server().unwrap();
    let tfo = format!("ulimit -n 40; exec {TFO} watch --prometheus {}:0", server.ipv4());
    let mut command = server.command("sh").unwrap();
    let mut watch = Watch::run(command.args(["-c", &tfo]));
    let address = address(&mut watch);
    let _silent = [(); 100].map(|()| server.run(|| TcpStream::connect(address)).unwrap());
    let began = Instant::now();
    assert!(!server.run(|| scrape(address)).samples.is_empty());
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
}

pub(crate) fn a_connection_is_kept_for_the_next_scrape() {
    let lab = lab();
    let server = lab.server().unwrap();
    let (_watch, address) = serve(server);
    let mut stream = server.run(|| TcpStream::connect(address)).unwrap();
    for _ in 0..2 {
        write!(stream, "HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.extend(byte);
        }
        let head = String::from_utf8(head).unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert!(head.contains("\r\ncontent-length: "), "{head}");
    }
}

pub(crate) fn an_address_that_is_taken_is_told() {
    let lab = lab();
    let server = lab.server().unwrap();
    let taken: TcpListener = listen(server, server.ipv4().into());
    let address = taken.local_addr().unwrap().to_string();
    let mut command = server.command(TFO).unwrap();
    let output = command
        .args(["watch", "--prometheus", &address])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.starts_with(&format!("error: listening on {address}\n")),
        "{said}"
    );
    assert!(said.contains("hint: choose another address"), "{said}");
}
