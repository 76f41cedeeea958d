//! Connections per second on a warm cookie: bare system calls, this library, and tokio-tfo, side by side.
//!
//! Each connection sends a request in its SYN, reads the answer to its end, and is closed. Client and server share a namespace and its
//! loopback, so that nothing but the calls counts. After criterion's own figures a table compares the contenders in turns, because
//! a machine's speed drifts.
//!
//! `cargo bench -p fastopen --features tokio --bench connect`; with `-- --count NAME` it makes a thousand connections of one contender, for
//! `strace -f -c` to count.

mod bare;

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use criterion::Criterion;
use fastopen::{Connector, Outcome, ReplaySafe};
use fastopen_lab::{HostSpec, Lab, Scenario};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Runtime;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
const ANSWER: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";

fn main() -> ExitCode {
    let only = std::env::args()
        .skip_while(|argument| argument != "--count")
        .nth(1);
    // It asks cargo where to put its reports, and cargo may want the network: before there is none.
    let criterion = only.is_none().then(|| Criterion::default().configure_from_args());
    if let Err(error) = fastopen_lab::enter() {
        eprintln!("no benchmark: {error}");
        return ExitCode::FAILURE;
    }
    let client = HostSpec::new("client").with_sysctl("net.ipv4.tcp_fastopen", "3");
    let lab = Lab::new(&Scenario::new("loopback").with_host(client)).expect("a lab");
    let client = lab.client().expect("there is one");
    client.enter_thread().expect("it is this process's");
    let contenders = Contenders::new(serve());
    match (only, criterion) {
        (Some(name), _) => contenders.run_only(&name, 1000),
        (None, Some(criterion)) => {
            contenders.run_criterion(criterion);
            if !std::env::args().any(|argument| argument == "--test") {
                contenders.run_in_turns();
            }
        }
        (None, None) => {}
    }
    ExitCode::SUCCESS
}

fn serve() -> SocketAddr {
    let listener = fastopen::listen("127.0.0.1:0").expect("a listener");
    let address = listener.local_addr().expect("it is bound");
    std::thread::spawn(move || {
        let mut request = [0; 1000];
        while let Ok((mut stream, _)) = listener.accept() {
            assert_eq!(stream.read(&mut request).expect("a request"), REQUEST.len());
            stream.write_all(ANSWER).expect("the client takes it");
        }
    });
    address
}

struct Contenders {
    address: SocketAddr,
    connector: Connector,
    runtime: Runtime,
}

type Contender = (&'static str, fn(&Contenders));

const CONTENDERS: &[Contender] = &[
    ("bare-calls", Contenders::bare_calls),
    ("fastopen", Contenders::fastopen),
    ("fastopen-tokio", Contenders::fastopen_tokio),
    ("tokio-tfo", Contenders::tokio_tfo),
];

impl Contenders {
    fn new(address: SocketAddr) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let contenders = Self {
            address,
            connector: Connector::new(),
            runtime,
        };
        let mut first = fastopen::connect(address, ReplaySafe(REQUEST))
            .expect("the server is there")
            .stream;
        first.read_to_end(&mut Vec::new()).expect("an answer");
        contenders
    }

    fn run_only(&self, name: &str, connections: u32) {
        let Some((_, contender)) = CONTENDERS.iter().find(|(other, _)| *other == name) else {
            let names: Vec<_> = CONTENDERS.iter().map(|(name, _)| name).collect();
            panic!("there is no contender of that name; there are {names:?}");
        };
        (0..connections).for_each(|_| contender(self));
    }

    fn run_criterion(&self, mut criterion: Criterion) {
        let mut group = criterion.benchmark_group("connect");
        for (name, contender) in CONTENDERS {
            group.bench_function(*name, |bencher| bencher.iter(|| contender(self)));
        }
        group.finish();
        criterion.final_summary();
    }

    fn run_in_turns(&self) {
        const TURNS: usize = 60;
        const CONNECTIONS: u32 = 200;
        let mut took = vec![[Duration::ZERO; CONTENDERS.len()]; TURNS];
        for (turn, took) in took.iter_mut().enumerate() {
            for i in 0..CONTENDERS.len() {
                let i = (turn + i) % CONTENDERS.len();
                let began = Instant::now();
                (0..CONNECTIONS).for_each(|_| CONTENDERS[i].1(self));
                took[i] = began.elapsed() / CONNECTIONS;
            }
        }
        println!("\nin turns, medians of {TURNS} x {CONNECTIONS} connections:");
        println!(
            "{:<16} {:>10} {:>14} {:>16}",
            "", "us each", "per second", "time / bare"
        );
        for (i, (name, _)) in CONTENDERS.iter().enumerate() {
            let each = median(took.iter().map(|took| took[i].as_secs_f64()));
            let ratio = median(
                took.iter()
                    .map(|took| took[i].as_secs_f64() / took[0].as_secs_f64()),
            );
            println!(
                "{name:<16} {:>10.1} {:>14.0} {ratio:>16.3}",
                each * 1e6,
                1.0 / each
            );
        }
        let ahead = median(
            took.iter()
                .map(|took| took[3].as_secs_f64() / took[2].as_secs_f64()),
        );
        println!("tokio-tfo takes {ahead:.3} times as long as fastopen-tokio");
    }

    fn bare_calls(&self) {
        bare::exchange(self.address, REQUEST, ANSWER.len());
    }

    fn fastopen(&self) {
        let connected = self
            .connector
            .connect(self.address, ReplaySafe(REQUEST))
            .expect("the server is there");
        assert_eq!(connected.outcome, Outcome::Accepted);
        let (mut stream, mut answer) = (connected.stream, [0; 100]);
        assert_eq!(stream.read(&mut answer).expect("an answer"), ANSWER.len());
        assert_eq!(stream.read(&mut answer).expect("an end"), 0);
    }

    fn fastopen_tokio(&self) {
        self.runtime.block_on(async {
            let connected = self
                .connector
                .connect_tokio(self.address, ReplaySafe(REQUEST))
                .await;
            let connected = connected.expect("the server is there");
            assert_eq!(connected.outcome, Outcome::Accepted);
            let (mut stream, mut answer) = (connected.stream, [0; 100]);
            assert_eq!(stream.read(&mut answer).await.expect("an answer"), ANSWER.len());
            assert_eq!(stream.read(&mut answer).await.expect("an end"), 0);
        });
    }

    /// It can't tell what became of the data, so this asks the kernel as the others do.
    fn tokio_tfo(&self) {
        self.runtime.block_on(async {
            let mut stream = tokio_tfo::TfoStream::connect(self.address)
                .await
                .expect("the server is there");
            stream.write_all(REQUEST).await.expect("it takes the request");
            let mut answer = [0; 100];
            assert_eq!(stream.read(&mut answer).await.expect("an answer"), ANSWER.len());
            assert_eq!(
                Outcome::of(&stream).expect("it is a TCP socket"),
                Outcome::Accepted
            );
            assert_eq!(stream.read(&mut answer).await.expect("an end"), 0);
        });
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
