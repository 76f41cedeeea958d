//! What the path memory makes of lost packets, hostile paths, paths that change, and paths of any length.

use std::net::IpAddr;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use fastopen::{AttemptEnd, Connected, Connector, ListenOptions, Outcome, PathMemory, Reason, Syn};
use fastopen_lab::testing::{LabTest, on_failure, test};
use fastopen_lab::{Pick, Rule, Scenario, SegmentKind};

use crate::support::{
    LONG, Path, at, connector, each_way_with_a_cookie, finish, get_cookie, lab, large_syns_are_sent_again,
    serve,
};

const MS: Duration = Duration::from_millis(1);

pub(crate) fn tests() -> impl Iterator<Item = LabTest> {
    [
        test(
            "memory::lost_packets_do_not_end_fast_open",
            lost_packets_do_not_end_fast_open,
        ),
        test("memory::a_short_hostile_path_costs_little", || {
            each_way_with_a_cookie(&scenario(20 * MS), a_short_hostile_path_costs_little);
        }),
        test("memory::a_long_path_is_not_joined", || {
            each_way_with_a_cookie(&scenario(600 * MS), a_long_path_is_not_joined);
        }),
        test("memory::a_path_that_turns_hostile_costs_three_delays", || {
            each_way_with_a_cookie(&scenario(6 * MS), a_path_that_turns_hostile_costs_three_delays);
        }),
        test(
            "memory::a_syn_larger_than_a_hop_takes_teaches_nothing_bad",
            || {
                each_way_with_a_cookie(
                    &scenario(20 * MS),
                    a_syn_larger_than_a_hop_takes_teaches_nothing_bad,
                );
            },
        ),
        test("memory::where_the_hop_is_silent_it_is_a_hostile_path", || {
            each_way_with_a_cookie(&scenario(20 * MS), where_the_hop_is_silent_it_is_a_hostile_path);
        }),
        test("memory::an_overloaded_server_teaches_nothing", || {
            each_way_with_a_cookie(&scenario(20 * MS), an_overloaded_server_teaches_nothing);
        }),
        test("memory::a_connection_that_died_can_be_told", || {
            each_way_with_a_cookie(&scenario(20 * MS), a_connection_that_died_can_be_told);
        }),
    ]
    .into_iter()
}

fn scenario(rtt: Duration) -> Scenario {
    Scenario::new("memory").with_rtt(rtt)
}

impl Path {
    fn try_connect(&self, connector: &Connector, first_bytes: &[u8]) -> Connected<std::net::TcpStream> {
        let client = self.lab.client().unwrap();
        self.driver
            .connect(client, connector, self.address, first_bytes)
            .unwrap()
    }

    /// Connects, and sees to it that the bytes arrive and the connection ends well.
    fn connect(&self, connector: &Connector, first_bytes: &[u8]) -> Connected<std::net::TcpStream> {
        let connected = self.try_connect(connector, first_bytes);
        assert!(finish(&connected.stream).unwrap() == first_bytes);
        connected
    }

    fn outcome(&self, connector: &Connector) -> Outcome {
        self.connect(connector, b"GET /").outcome
    }

    fn set_scenario(&self, name: &str) {
        self.lab.set_rules(Scenario::named(name).unwrap().rules).unwrap();
    }

    fn ip(&self) -> IpAddr {
        self.address.ip()
    }
}

/// A memory, and a connector that uses it.
fn remembering() -> (PathMemory, Connector) {
    let memory = PathMemory::default();
    (memory.clone(), connector().with_path_memory(memory))
}

const BY_MEMORY: Outcome = Outcome::NotAttempted(Reason::PathMemory);

/// When the plain attempt began, where it won.
fn joined_after(connected: &Connected<std::net::TcpStream>) -> Duration {
    let [fast, plain] = connected.attempts[..] else {
        panic!("{:?}", connected.attempts)
    };
    assert!(matches!(fast.syn, Syn::Fast { bytes: 1.. }), "{fast:?}");
    assert_eq!((plain.syn, plain.end), (Syn::Plain, AttemptEnd::Connected));
    plain.started
}

/// The best of five, each with a memory of its own: the round-trip time is the kernel's. A busy machine makes some late, not all.
fn a_short_hostile_path_costs_little(path: &Path) {
    path.set_scenario("data-dropped");
    let lost: Vec<Duration> = (0..5)
        .map(|_| {
            let (memory, connector) = remembering();
            let began = Instant::now();
            let connected = path.try_connect(&connector, b"GET /");
            let took = began.elapsed();
            assert_eq!(connected.outcome, Outcome::SynLost);
            assert!(
                joined_after(&connected) >= 20 * MS,
                "not before the SYN-ACK is overdue"
            );
            finish(&connected.stream).unwrap();
            assert!(memory.plain_until(path.ip()).is_some());
            assert_eq!(path.outcome(&connector), BY_MEMORY, "it costs once");
            took
        })
        .collect();
    assert!(lost.iter().any(|took| *took < 100 * MS), "{lost:?}");
}

fn a_long_path_is_not_joined(path: &Path) {
    let (memory, connector) = remembering();
    for known_by in ["the kernel", "the memory"] {
        let connected = path.connect(&connector, b"GET /");
        assert_eq!(connected.outcome, Outcome::Accepted);
        assert_eq!(
            connected.attempts.len(),
            1,
            "known by {known_by}: {:?}",
            connected.attempts
        );
    }
    let rtt = memory.entries()[0].rtt.unwrap();
    assert!((600 * MS..900 * MS).contains(&rtt), "{rtt:?}");
    // What the caller says holds.
    let connected = path.connect(&connector.with_delay(100 * MS), b"GET /");
    assert_eq!(
        (connected.outcome, connected.attempts.len()),
        (Outcome::Accepted, 2)
    );
}

fn a_path_that_turns_hostile_costs_three_delays(path: &Path) {
    let (memory, connector) = remembering();
    for _ in 0..1000 {
        let connected = path.try_connect(&connector, b"GET /");
        // Now and then a busy machine answers so late that a plain attempt joins, and wins.
        assert!(matches!(connected.outcome, Outcome::Accepted | Outcome::SynLost));
    }
    path.set_scenario("data-dropped");
    let outcomes: Vec<_> = (0..10).map(|_| path.outcome(&connector)).collect();
    let (lost, plain) = outcomes.split_at(outcomes.iter().filter(|o| **o == Outcome::SynLost).count());
    assert!((1..=4).contains(&lost.len()), "{outcomes:?}");
    assert!(plain.iter().all(|outcome| *outcome == BY_MEMORY), "{outcomes:?}");
    let until = memory.plain_until(path.ip()).unwrap();
    assert!(until - Instant::now() <= Duration::from_secs(60));
}

fn a_syn_larger_than_a_hop_takes_teaches_nothing_bad(path: &Path) {
    const LARGE: [u8; 1380] = [7; 1380];
    path.set_scenario("narrow-hop");
    let (memory, connector) = remembering();
    let connected = path.connect(&connector, &LARGE);
    let (outcome, attempts) = (connected.outcome, connected.attempts.len());
    if !large_syns_are_sent_again() {
        assert_eq!((outcome, attempts), (Outcome::SynLost, 2));
        return;
    }
    assert_eq!((outcome, attempts), (Outcome::Ignored, 1));
    assert_eq!(memory.plain_until(path.ip()), None);
    assert_eq!(memory.entries()[0].losses_in_a_row, 0);
    let connected = path.connect(&connector, &LARGE);
    assert_eq!(connected.outcome, Outcome::Accepted);
    let Syn::Fast { bytes } = connected.attempts[0].syn else {
        panic!("{:?}", connected.attempts)
    };
    assert!((1200..1300).contains(&bytes), "{bytes} bytes fit");
}

fn where_the_hop_is_silent_it_is_a_hostile_path(path: &Path) {
    path.lab
        .set_rules([Rule::drop().on(SegmentKind::Syn).longer_than(1300)])
        .unwrap();
    let (memory, connector) = remembering();
    let connected = path.connect(&connector, &[7; 1380]);
    assert_eq!(connected.outcome, Outcome::SynLost);
    assert!(memory.plain_until(path.ip()).is_some());
    assert_eq!(path.outcome(&connector), BY_MEMORY);
}

/// One that has room for no more connections answers no SYN, whatever it is like; then it has.
fn an_overloaded_server_teaches_nothing(path: &Path) {
    let (memory, connector) = remembering();
    let client = path.lab.client().unwrap();
    for _ in 0..2 {
        path.lab
            .set_rules([Rule::drop()
                .from("client")
                .on(SegmentKind::Syn)
                .pick(Pick::First(2))])
            .unwrap();
        let connected = path
            .driver
            .connect(client, &connector, path.address, b"GET /")
            .unwrap();
        // The next SYN is the kernel's own, sent again from the fast attempt.
        assert_eq!(
            (connected.outcome, connected.attempts.len()),
            (Outcome::SynLost, 2)
        );
        assert_eq!(memory.plain_until(path.ip()), None, "plain ones fared no better");
        assert_eq!(memory.entries()[0].losses_in_a_row, 0);
    }
    assert_eq!(path.outcome(&connector), Outcome::Accepted);
}

fn a_connection_that_died_can_be_told(path: &Path) {
    path.set_scenario("blackhole");
    let (memory, connector) = remembering();
    let connected = path.try_connect(&connector, b"GET /");
    connected.stream.set_read_timeout(Some(200 * MS)).unwrap();
    assert!(std::io::Read::read(&mut &connected.stream, &mut [0]).is_err());
    assert_eq!(
        connected.outcome,
        Outcome::Accepted,
        "the handshake has shown nothing bad"
    );
    memory.report_dead(path.ip());
    assert_eq!(path.outcome(&connector), BY_MEMORY);
    assert_eq!(memory.entries()[0].plain_until, memory.plain_until(path.ip()));
    // And on a path that is known to take data it is no different.
    memory.forget(path.ip());
    path.lab.set_rules([]).unwrap();
    assert_eq!(path.outcome(&connector), Outcome::Accepted);
    memory.report_dead(path.ip());
    assert_eq!(path.outcome(&connector), BY_MEMORY);
}

/// How long the client goes on: `FASTOPEN_LOSS_SECONDS=90` for the full measurement.
fn loss_seconds() -> u32 {
    std::env::var("FASTOPEN_LOSS_SECONDS").map_or(15, |text| text.parse().unwrap())
}

/// Twenty connections a second, each in a task of its own, while SYNs are lost at random: with the memory and without.
fn lost_packets_do_not_end_fast_open() {
    let runs = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for share in [0.01, 0.03] {
            for memory in [PathMemory::default(), PathMemory::new(0)] {
                let runs = &runs;
                scope.spawn(move || {
                    let run = under_loss(share, memory);
                    runs.lock().unwrap().push(run);
                });
            }
        }
    });
    let mut runs = runs.into_inner().unwrap();
    runs.sort_by(|a, b| {
        (a.share, a.remembers)
            .partial_cmp(&(b.share, b.remembers))
            .unwrap()
    });
    let _all = on_failure(format!("{runs:#?}"));
    for pair in runs.chunks(2) {
        let [without, with] = pair else { panic!("{runs:?}") };
        for run in [without, with] {
            assert!(run.accepted * 100 >= run.connections * 95, "{run:?}");
        }
        assert!(
            with.plain == 0 && with.mean <= without.mean,
            "{with:?} {without:?}"
        );
    }
}

#[derive(Debug)]
#[allow(dead_code, reason = "Debug shows it")]
struct UnderLoss {
    share: f64,
    remembers: bool,
    connections: usize,
    accepted: usize,
    lost: usize,
    plain: usize,
    mean: Duration,
}

fn under_loss(share: f64, memory: PathMemory) -> UnderLoss {
    const PACE: Duration = Duration::from_millis(50);
    let lab = lab(&Scenario::new("loss of SYNs").with_rtt(20 * MS).with_seed(5));
    let server = lab.server().unwrap();
    let address = at(server.ipv4());
    let _served = serve(server, &ListenOptions::new());
    let client = lab.client().unwrap();
    get_cookie(client, address);
    let connector = Connector::new()
        .with_path_memory(memory.clone())
        .with_timeout(LONG);
    let lose = Rule::drop().from("client").on(SegmentKind::Syn);
    // Whether the path takes data is not in question.
    assert_eq!(
        client
            .run(|| connector.connect(address, fastopen::ReplaySafe("?")))
            .unwrap()
            .outcome,
        Outcome::Accepted
    );
    lab.set_rules([lose.pick(Pick::Probability(share))]).unwrap();
    let host = client.clone();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .on_thread_start(move || host.enter_thread().unwrap())
        .enable_all()
        .build()
        .unwrap();
    let connect = move |connector: Connector| async move {
        let began = Instant::now();
        let connected = connector
            .connect_tokio(address, fastopen::ReplaySafe("GET /"))
            .await
            .unwrap();
        (connected.outcome, began.elapsed())
    };
    let connections = loss_seconds() * 20;
    let all = runtime.spawn(async move {
        let mut tick = tokio::time::interval(PACE);
        let mut under_way = Vec::new();
        for _ in 0..connections {
            tick.tick().await;
            under_way.push(tokio::spawn(connect(connector.clone())));
        }
        let mut ended = Vec::new();
        for connection in under_way {
            ended.push(connection.await.unwrap());
        }
        ended
    });
    let all = runtime.block_on(all).unwrap();
    let count = |wanted| all.iter().filter(|(outcome, _)| *outcome == wanted).count();
    UnderLoss {
        share,
        remembers: !memory.is_empty(),
        connections: all.len(),
        accepted: count(Outcome::Accepted),
        lost: count(Outcome::SynLost),
        plain: count(BY_MEMORY),
        mean: all.iter().map(|(_, took)| *took).sum::<Duration>() / connections,
    }
}
