//! README's server, as people copy it, against clients that mean harm.

use std::collections::HashSet;
use std::io::Read;
use std::net::SocketAddr;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use fastopen::{Cookie, FastOpen, Outcome, ReplaySafe};
use fastopen_lab::testing::{LabTest, test};
use fastopen_lab::{Host, HostSpec, Lab, Moment, RawPeer, Rule, Scenario, SegmentBuilder, SegmentKind};

use crate::support::{LONG, connector, finish, lab};

const RTT: Duration = Duration::from_millis(20);
/// How long the path holds back all that honest clients send after their SYN: an answer that comes sooner took one round trip.
const HELD: Duration = Duration::from_secs(3);
const PORT: u16 = 8080;
const REPLAYED: usize = 100;
const RESET: usize = 1000;
const ORDER: &[u8] = b"order";
const ONLY_ONCE: &[u8] = b"and now what may happen only once\n";
/// Set in a process that is to be the server; its value is the limit on descriptors.
const SERVE: &str = "FASTOPEN_TEST_README_SERVER";

mod server {
    include!("../../examples/server/server.rs");

    /// After this long it gives up a client that has not proved its address.
    pub(super) const GIVES_UP: Duration = PATIENCE;

    pub(super) fn run() -> io::Result<()> {
        main()
    }
}

pub(crate) fn tests() -> impl Iterator<Item = LabTest> {
    [
        test(
            "readme::its_server_answers_others_while_it_is_attacked",
            its_server_answers_others_while_it_is_attacked,
        ),
        test(
            "readme::its_server_survives_a_lack_of_descriptors",
            its_server_survives_a_lack_of_descriptors,
        ),
    ]
    .into_iter()
}

/// Runs README's server and never returns, in a process that was started for that.
pub(crate) fn serve_if_asked() {
    let Ok(limit) = env::var(SERVE) else { return };
    let limit = limit.parse().unwrap();
    rlimit::setrlimit(rlimit::Resource::NOFILE, limit, limit).unwrap();
    let ended = server::run();
    panic!("the server has ended: {ended:?}");
}

struct Server(Child);

impl Server {
    /// Starts it in that host, and returns when it listens.
    fn start(host: &Host, descriptors: usize) -> Self {
        let mut command = host.command(env::current_exe().unwrap()).unwrap();
        command.env(SERVE, descriptors.to_string()).stderr(Stdio::null());
        let server = Self(command.spawn().unwrap());
        let began = Instant::now();
        let address = (host.ipv4(), PORT);
        while host.run(|| std::net::TcpStream::connect(address)).is_err() {
            assert!(began.elapsed() < LONG, "it does not listen");
            thread::sleep(Duration::from_millis(20));
        }
        server
    }

    fn assert_runs(&mut self) {
        assert_eq!(self.0.try_wait().unwrap(), None, "the server has ended");
    }

    /// How much of a processor's time it has used, from proc_pid_stat(5).
    fn processor_time(&self) -> Duration {
        const TICKS_PER_SECOND: u64 = 100;
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0.id())).unwrap();
        let (_, after_name) = stat.rsplit_once(") ").unwrap();
        let ticks = after_name.split(' ').skip(11).take(2);
        let ticks: u64 = ticks.map(|field| field.parse::<u64>().unwrap()).sum();
        Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn attacked() -> (Lab, RawPeer) {
    let lab = lab(&Scenario::new("attacked")
        .with_rtt(RTT)
        .with_host(HostSpec::raw("attacker")));
    let attacker = lab.host("attacker").unwrap().raw_peer().unwrap();
    (lab, attacker)
}

fn cookie(attacker: &mut RawPeer, target: SocketAddr) -> Cookie {
    let request = attacker.syn(target).with_fast_open(&[]);
    match attacker.connect(&request, LONG).unwrap().fast_open() {
        FastOpen::Cookie(_, cookie) => cookie,
        other => panic!("no cookie: {other:?}"),
    }
}

fn its_server_answers_others_while_it_is_attacked() {
    let attack_it = |family: usize| {
        let (lab, mut attacker) = attacked();
        let target = SocketAddr::new(lab.server().unwrap().addresses()[family], PORT);
        let mut server = Server::start(lab.server().unwrap(), 10_000);
        ask(&lab, target, Outcome::NoCookie);
        let cookie = cookie(&mut attacker, target);
        let after_the_syn = [SegmentKind::HandshakeAck, SegmentKind::Established];
        lab.set_rules(after_the_syn.map(|kind| Rule::hold(Moment::After(HELD)).from("client").on(kind)))
            .unwrap();
        thread::scope(|scope| {
            let attack = scope.spawn(|| attack(&mut attacker, target, &cookie));
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..2 {
                        let took = ask(&lab, target, Outcome::Accepted);
                        assert!(took < HELD, "answered after {took:?}");
                    }
                });
            }
            let Attack { resets, to_replayed } = attack.join().unwrap();
            assert_eq!(resets, RESET);
            let contains = |bytes: &[u8]| to_replayed.windows(bytes.len()).any(|window| window == bytes);
            assert!(contains(ORDER), "replay-safe work was done");
            assert!(!contains(ONLY_ONCE), "a replayed SYN was taken for a client");
        });
        server.assert_runs();
    };
    thread::scope(|scope| {
        for family in [0, 1] {
            scope.spawn(move || attack_it(family));
        }
    });
}

/// Asks as an honest client does. Returns how long it took until the answer began.
fn ask(lab: &Lab, target: SocketAddr, expected: Outcome) -> Duration {
    let began = Instant::now();
    let connected = lab
        .client()
        .unwrap()
        .run(|| connector().with_delay(LONG).connect(target, ReplaySafe("hello")))
        .unwrap();
    assert_eq!(connected.outcome, expected);
    let mut stream = connected.stream;
    stream.set_read_timeout(Some(LONG)).unwrap();
    let mut answer = [0; 5];
    stream.read_exact(&mut answer).unwrap();
    let took = began.elapsed();
    assert_eq!(&answer, b"hello");
    assert_eq!(finish(&stream).unwrap(), ONLY_ONCE);
    took
}

#[derive(Default)]
struct Attack {
    /// Connections that were reset.
    resets: usize,
    /// The data that the server sent in answer to replayed SYNs.
    to_replayed: Vec<u8>,
}

/// SYNs as somebody sends them who has seen them pass, and knows nothing of the answers; then connections that are reset in each state. It
/// goes on until the server has given up the replayed ones.
fn attack(attacker: &mut RawPeer, target: SocketAddr, cookie: &Cookie) -> Attack {
    const AT_ONCE: usize = 250;
    let fast = |attacker: &RawPeer| {
        attacker
            .syn(target)
            .with_fast_open(cookie.as_bytes())
            .with_data(ORDER)
    };
    let began = Instant::now();
    let mut replayed = HashSet::new();
    for _ in 0..REPLAYED {
        let syn = fast(attacker);
        attacker.send(&syn).unwrap();
        replayed.insert(syn.source().port());
    }
    let mut seen = Attack::default();
    let (mut sent, mut answered) = (0, HashSet::new());
    while seen.resets < RESET || began.elapsed() < server::GIVES_UP + 2 * RTT {
        assert!(
            began.elapsed() < 2 * LONG,
            "{} of {RESET} were reset",
            seen.resets
        );
        if sent < RESET && sent == seen.resets {
            sent += AT_ONCE;
            for i in 0..AT_ONCE {
                let syn = match i % 2 {
                    0 => fast(attacker),
                    _ => attacker.syn(target),
                };
                attacker.send(&syn).unwrap();
            }
        }
        let Some(received) = attacker.receive(RTT).unwrap() else {
            continue;
        };
        let segment = received.segment();
        let port = segment.destination.port();
        if replayed.contains(&port) {
            seen.to_replayed.extend(segment.payload);
        } else if segment.flags.syn && answered.insert(port) {
            seen.resets += 1;
            let ack = SegmentBuilder::new(segment.destination, segment.source)
                .with_sequence(segment.acknowledgment)
                .with_ack(segment.sequence.wrapping_add(1));
            let before_it = match seen.resets % 3 {
                0 => None,
                1 => Some(ack.clone()),
                _ => Some(ack.clone().with_data("more")),
            };
            for segment in before_it.into_iter().chain([ack.with_rst()]) {
                attacker.send(&segment).unwrap();
            }
        }
    }
    seen
}

/// The replayed connections hold all the descriptors until the server gives them up: meanwhile it does not spin, and then it serves.
fn its_server_survives_a_lack_of_descriptors() {
    let (lab, mut attacker) = attacked();
    let target = SocketAddr::new(lab.server().unwrap().ipv4().into(), PORT);
    let mut server = Server::start(lab.server().unwrap(), 50);
    ask(&lab, target, Outcome::NoCookie);
    let cookie = cookie(&mut attacker, target);
    let before = server.processor_time();
    let began = Instant::now();
    for _ in 0..REPLAYED {
        let syn = attacker
            .syn(target)
            .with_fast_open(cookie.as_bytes())
            .with_data(ORDER);
        attacker.send(&syn).unwrap();
    }
    ask(&lab, target, Outcome::Accepted);
    let (took, used) = (began.elapsed(), server.processor_time() - before);
    assert!(used < took / 2, "{used:?} of {took:?}");
    server.assert_runs();
}
