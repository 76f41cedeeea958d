//! Servers that speak first: what an empty SYN with the cookie saves, and what its outcome claims.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use fastopen::{
    Arrival, ArrivalKind, Connected, Connector, ListenOptions, Outcome, PathMemory, Policy, Reason,
    ReplaySafe, Syn,
};
use fastopen_lab::testing::{LabTest, test};
use fastopen_lab::{Host, Scenario};

use crate::support::{Driver, LONG, Path, at, connector, each_way, runtime};

/// Long, so that what a busy machine adds is little beside it.
const RTT: Duration = Duration::from_millis(240);
const GREETING: &[u8] = b"220 mail.example.com ESMTP\r\n";

pub(crate) fn tests() -> impl Iterator<Item = LabTest> {
    [
        test("server_first::the_greeting_comes_one_round_trip_sooner", || {
            each_path("clean", Duration::ZERO, the_greeting_comes_one_round_trip_sooner);
        }),
        test("server_first::it_comes_before_the_clients_ack", || {
            each_path("held-ack", Duration::ZERO, it_comes_before_the_clients_ack);
        }),
        test("server_first::a_slow_greeting_proves_nothing", || {
            each_path("clean", RTT * 3 / 4, a_slow_greeting_proves_nothing);
        }),
        test("server_first::a_path_that_drops_the_option_is_remembered", || {
            each_path(
                "option-dropped",
                Duration::ZERO,
                a_path_that_drops_the_option_is_remembered,
            );
        }),
        test("server_first::a_server_that_takes_no_cookie_is_no_proof", || {
            each_path(
                "option-stripped",
                Duration::ZERO,
                a_server_that_takes_no_cookie_is_no_proof,
            );
        }),
    ]
    .into_iter()
}

/// To a server that greets after so long.
fn each_path(scenario: &str, greets_after: Duration, f: impl Fn(&Path) + Sync) {
    let scenario = Scenario::named(scenario).unwrap().with_rtt(RTT);
    each_way(|driver, family| {
        let lab = crate::support::lab(&scenario);
        let server = lab.server().unwrap();
        let address = at(server.addresses()[family]);
        greet(server, address, greets_after);
        f(&Path { lab, driver, address });
    });
}

impl Path {
    fn client(&self) -> &Host {
        self.lab.client().unwrap()
    }

    /// Connects and reads the greeting; how long that took.
    fn greeted(&self, connector: &Connector) -> (Connected<TcpStream>, Duration) {
        let began = Instant::now();
        let connected = self.client().run(|| match self.driver {
            Driver::Blocking => connector.connect_server_first(self.address),
            Driver::Tokio => runtime().block_on(async {
                let connected = connector.connect_server_first_tokio(self.address).await?;
                Ok(connected.map(crate::support::blocking))
            }),
        });
        let connected = connected.unwrap();
        let mut greeting = [0; GREETING.len()];
        connected.stream.set_read_timeout(Some(LONG)).unwrap();
        (&connected.stream).read_exact(&mut greeting).unwrap();
        assert_eq!(greeting, GREETING);
        (connected, began.elapsed())
    }

    /// Gets the cookie over a path on which nothing stands in the way.
    fn get_cookie(&self) {
        let rules = self.lab.scenario().rules.clone();
        self.lab.set_rules([]).unwrap();
        let patient = connector().with_delay(LONG);
        let connected = self
            .client()
            .run(|| patient.connect(self.address, ReplaySafe("cookie, please")));
        assert_eq!(connected.unwrap().outcome, Outcome::NoCookie);
        self.lab.set_rules(rules).unwrap();
    }
}

fn greet(server: &Host, address: SocketAddr, after: Duration) {
    let listening = server.run(|| ListenOptions::new().listen(address)).unwrap();
    thread::spawn(move || {
        while let Ok((mut stream, _)) = listening.listener.accept() {
            thread::spawn(move || {
                if let Ok(arrival) = Arrival::of(&stream)
                    && let Some(syn) = arrival.syn
                    && syn.data_bytes == 0
                {
                    assert!(!matches!(arrival.kind, ArrivalKind::Fast { data: true }));
                }
                thread::sleep(after);
                let _ = stream.write_all(GREETING);
                let _ = stream.read(&mut [0; 1]);
            });
        }
    });
}

fn the_greeting_comes_one_round_trip_sooner(path: &Path) {
    let connector = connector();
    let (first, took) = path.greeted(&connector);
    assert_eq!(first.outcome, Outcome::NoCookie);
    assert!(took >= RTT * 2, "{took:?}");
    let (second, took) = path.greeted(&connector);
    assert_eq!(second.outcome, Outcome::Accepted, "{:?}", second.attempts);
    assert!(took < RTT * 3 / 2, "{took:?}");
    assert_eq!(second.attempts[0].syn, Syn::Fast { bytes: 0 });

    let (plain, took) = path.greeted(&connector.with_policy(Policy::Off));
    assert_eq!(plain.outcome, Outcome::NotAttempted(Reason::Policy));
    assert!(took >= RTT * 2, "{took:?}");
}

fn it_comes_before_the_clients_ack(path: &Path) {
    path.get_cookie();
    let (fast, took) = path.greeted(&connector());
    assert_eq!(fast.outcome, Outcome::Accepted, "{:?}", fast.attempts);
    assert!(
        took < RTT * 3 / 2,
        "the ACK is late, and the greeting is not: {took:?}"
    );
}

fn a_slow_greeting_proves_nothing(path: &Path) {
    path.get_cookie();
    let (fast, _) = path.greeted(&connector());
    assert_eq!(fast.outcome, Outcome::Unknown);
}

fn a_path_that_drops_the_option_is_remembered(path: &Path) {
    path.get_cookie();
    let connector = connector().with_path_memory(PathMemory::default());
    let (first, _) = path.greeted(&connector);
    assert_eq!(first.outcome, Outcome::SynLost);
    let (second, _) = path.greeted(&connector);
    assert_eq!(second.outcome, Outcome::NotAttempted(Reason::PathMemory));
}

fn a_server_that_takes_no_cookie_is_no_proof(path: &Path) {
    path.get_cookie();
    let (connected, took) = path.greeted(&connector());
    assert_eq!(connected.outcome, Outcome::Unknown);
    assert!(took >= RTT * 2, "{took:?}");
}
