//! Paths on which fast SYNs fail: how long connecting takes, what the attempts say, and what is remembered.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use fastopen::{AttemptEnd, Connected, Connector, ListenOptions, Outcome, PathMemory, Policy, Reason, Syn};
use fastopen_lab::Scenario;
use fastopen_lab::testing::{LabTest, test};

use crate::support::{Path, at, connector, each_way_with_a_cookie, finish, lab, serve};

const RTT: Duration = Duration::from_millis(100);
/// What a busy machine may add.
const SLACK: Duration = Duration::from_millis(140);

pub(crate) fn tests() -> impl Iterator<Item = LabTest> {
    [
        test(
            "racing::a_dropped_fast_syn_costs_the_delay_and_is_remembered",
            || {
                each_way(
                    "data-dropped",
                    a_dropped_fast_syn_costs_the_delay_and_is_remembered,
                );
            },
        ),
        test(
            "racing::a_reset_fast_syn_costs_a_round_trip_and_is_remembered",
            || {
                each_way("reset", a_reset_fast_syn_costs_a_round_trip_and_is_remembered);
            },
        ),
        test("racing::after_the_decay_it_is_tried_again", || {
            each_way("data-dropped", after_the_decay_it_is_tried_again);
        }),
        test("racing::where_it_is_required_the_kernel_has_to_try_again", || {
            each_way("data-dropped", where_it_is_required_the_kernel_has_to_try_again);
        }),
        test(
            "racing::the_second_address_is_not_kept_waiting",
            the_second_address_is_not_kept_waiting,
        ),
        test("racing::a_closed_port_is_refused", || {
            each_way("clean", a_closed_port_is_refused);
        }),
    ]
    .into_iter()
}

fn each_way(scenario: &str, f: impl Fn(&Path) + Sync) {
    each_way_with_a_cookie(&Scenario::named(scenario).unwrap().with_rtt(RTT), f);
}

impl Path {
    fn connect_timed(&self, connector: &Connector) -> (Connected<std::net::TcpStream>, Duration) {
        let began = Instant::now();
        let connected = self
            .driver
            .connect(self.lab.client().unwrap(), connector, self.address, b"GET /")
            .unwrap();
        let took = began.elapsed();
        assert_eq!(finish(&connected.stream).unwrap(), b"GET /");
        (connected, took)
    }
}

fn a_dropped_fast_syn_costs_the_delay_and_is_remembered(path: &Path) {
    let connector = connector();
    let (first, took) = path.connect_timed(&connector);
    assert_eq!(first.outcome, Outcome::SynLost);
    // The kernel knows the round-trip time from the connection that got the cookie.
    assert!(took >= 2 * RTT, "{took:?}");
    assert!(took <= Connector::DEFAULT_DELAY + RTT + SLACK, "{took:?}");
    let [fast, plain] = first.attempts[..] else {
        panic!("{:?}", first.attempts)
    };
    assert_eq!(
        (fast.syn, fast.end),
        (Syn::Fast { bytes: 5 }, AttemptEnd::Unanswered)
    );
    assert_eq!((plain.syn, plain.end), (Syn::Plain, AttemptEnd::Connected));
    assert!(plain.started >= RTT, "the SYN-ACK was overdue: {plain:?}");

    let (second, took) = path.connect_timed(&connector);
    assert_eq!(second.outcome, Outcome::NotAttempted(Reason::PathMemory));
    assert!(took <= RTT + SLACK, "{took:?}");
    assert_eq!(second.attempts.len(), 1);
}

fn a_reset_fast_syn_costs_a_round_trip_and_is_remembered(path: &Path) {
    let connector = connector();
    let (first, _) = path.connect_timed(&connector);
    assert_eq!(first.outcome, Outcome::SynLost);
    let [fast, plain] = first.attempts[..] else {
        panic!("{:?}", first.attempts)
    };
    assert!(
        matches!(fast.end, AttemptEnd::Failed(error) if error.kind() == std::io::ErrorKind::ConnectionRefused)
    );
    assert_eq!((plain.syn, plain.end), (Syn::Plain, AttemptEnd::Connected));
    assert!(
        plain.started < Connector::DEFAULT_DELAY,
        "it starts when the RST comes: {plain:?}"
    );
    let (second, _) = path.connect_timed(&connector);
    assert_eq!(second.outcome, Outcome::NotAttempted(Reason::PathMemory));
}

/// Really waits for the minute.
fn after_the_decay_it_is_tried_again(path: &Path) {
    let memory = PathMemory::default();
    let connector = connector().with_path_memory(memory.clone());
    assert_eq!(path.connect_timed(&connector).0.outcome, Outcome::SynLost);
    let until = memory.plain_until(path.address.ip()).expect("it is remembered");
    let pause = until - Instant::now();
    assert!((58..=60).contains(&pause.as_secs()), "{pause:?}");
    path.lab.set_rules([]).unwrap();
    assert_eq!(
        path.connect_timed(&connector).0.outcome,
        Outcome::NotAttempted(Reason::PathMemory)
    );
    thread::sleep(until - Instant::now());
    assert_eq!(path.connect_timed(&connector).0.outcome, Outcome::Accepted);
    assert_eq!(memory.plain_until(path.address.ip()), None);
    let [entry] = memory.entries()[..] else {
        panic!("{memory:?}")
    };
    assert!(
        entry.took_data && entry.losses_in_a_row == 0,
        "a success ends it: {entry:?}"
    );
}

fn where_it_is_required_the_kernel_has_to_try_again(path: &Path) {
    let connector = connector().with_policy(Policy::Require);
    let (connected, took) = path.connect_timed(&connector);
    assert_eq!(
        (connected.outcome, connected.attempts.len()),
        (Outcome::SynLost, 1)
    );
    assert!(took >= Duration::from_secs(1), "{took:?}");
}

fn the_second_address_is_not_kept_waiting() {
    let lab = lab(&Scenario::new("two addresses").with_rtt(RTT));
    let server = lab.server().unwrap();
    let _served = serve(server, &ListenOptions::new());
    let nobody = "[2001:db8::99]:80".parse().unwrap();
    let addresses: [SocketAddr; 2] = [nobody, at(server.ipv4())];
    let began = Instant::now();
    let connected = lab
        .client()
        .unwrap()
        .run(|| connector().connect(&addresses[..], fastopen::ReplaySafe("GET /")));
    let connected = connected.unwrap();
    assert_eq!(connected.stream.peer_addr().unwrap(), addresses[1]);
    assert!(began.elapsed() <= Connector::DEFAULT_DELAY + RTT + SLACK);
    assert_eq!(connected.attempts[0].address, nobody);
}

fn a_closed_port_is_refused(path: &Path) {
    let closed = SocketAddr::new(path.address.ip(), 81);
    let error = path
        .driver
        .connect(path.lab.client().unwrap(), &connector(), closed, b"GET /")
        .unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
    assert!(error.to_string().contains(&closed.to_string()), "{error}");
    assert_eq!(
        error.attempts().len(),
        2,
        "the fast one, and a plain one to be sure"
    );
}
