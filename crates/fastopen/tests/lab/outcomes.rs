//! Every scenario of the lab, over IPv4 and IPv6, blocking and with tokio, with first bytes of every size: the right outcome, and exactly
//! the bytes that were given.

use std::net::IpAddr;
use std::time::Duration;

use crate::support::{
    Driver, at, bytes, connector, each_way, finish, get_cookie, lab, large_syns_are_sent_again, serve,
    served_from,
};
use fastopen::{ConnectError, ListenOptions, Outcome, Reason};
use fastopen_lab::testing::{LabTest, on_failure, test};
use fastopen_lab::{Lab, Scenario};

const SIZES: [usize; 5] = [0, 1, 1_400, 5_000, 300_000];

/// What is to come of a connection that has a cookie when it begins.
#[derive(Clone, Copy, Debug)]
enum Expected {
    Connects(Outcome),
    /// It connects, and how depends on what is lost.
    ConnectsSomehow,
    /// Only what the SYN carries arrives, and no answer.
    BreaksOff,
    NeverConnects,
}

fn expected(scenario: &str, size: usize) -> Expected {
    use Expected::*;
    match scenario {
        "clean" | "duplicate" | "replay" | "held-ack" => Connects(Outcome::Accepted),
        "option-stripped" | "cookie-refused" | "cookie-swapped" | "syn-proxy" | "rebind" | "farm" => {
            Connects(Outcome::Ignored)
        }
        "option-dropped" | "data-dropped" | "reset" => Connects(Outcome::SynLost),
        // A SYN that is too large for the hop is sent again without its data.
        "narrow-hop" if size > 1000 && large_syns_are_sent_again() => Connects(Outcome::Ignored),
        "narrow-hop" if size > 1000 => Connects(Outcome::SynLost),
        "narrow-hop" => Connects(Outcome::Accepted),
        "loss" => ConnectsSomehow,
        "blackhole" => BreaksOff,
        "unreachable" => NeverConnects,
        other => panic!("say what is to come of the scenario {other}"),
    }
}

pub(crate) fn tests() -> impl Iterator<Item = LabTest> {
    Scenario::all().map(|scenario| {
        test(format!("outcomes::{}", scenario.name), move || {
            each_way(|driver, family| {
                let scenario = scenario.clone().with_rtt(Duration::from_millis(10));
                for size in SIZES {
                    let _case = on_failure(format!(
                        "{} {driver:?} IPv{} {size} bytes",
                        scenario.name,
                        [4, 6][family]
                    ));
                    check(&scenario, driver, family, size);
                }
            });
        })
    })
}

fn check(scenario: &Scenario, driver: Driver, family: usize, size: usize) {
    let lab = lab(scenario);
    let client = lab.client().unwrap();
    let address = at(target(&lab, family));
    let served = serve(lab.server().unwrap(), &ListenOptions::new());
    let second = lab
        .host("second")
        .ok()
        .map(|second| serve(second, &ListenOptions::new()));
    let expected = expected(&scenario.name, size);
    let given = bytes(size);
    let connector = connector();

    if let Expected::NeverConnects = expected {
        let error = driver.connect(
            client,
            &connector.with_timeout(Duration::from_millis(700)),
            address,
            &given,
        );
        let error = error.expect_err("nobody answers");
        assert!(
            matches!(&error, ConnectError::TimedOut { attempts, .. } if !attempts.is_empty()),
            "{error}"
        );
        return;
    }
    get_cookie_in_spite(&lab, address, expected);
    let connector = match expected {
        Expected::BreaksOff => connector.with_timeout(Duration::from_millis(700)),
        _ => connector,
    };
    let connected = driver.connect(client, &connector, address, &given);
    if let Expected::BreaksOff = expected {
        // What did not fit into the SYN can't be acknowledged, but it is in the kernel's hands unless the send buffer is full.
        let connected = match connected {
            Ok(connected) => connected,
            Err(ConnectError::TimedOut { outcome, .. }) if size == 300_000 => {
                assert_eq!(outcome, Some(Outcome::Accepted));
                return;
            }
            Err(error) => panic!("{error}"),
        };
        let expected = if size == 0 {
            Outcome::NotAttempted(Reason::Dataless)
        } else {
            Outcome::Accepted
        };
        assert_eq!(connected.outcome, expected);
        return;
    }
    let connected = connected.unwrap();
    let port = connected.stream.local_addr().unwrap().port();
    let answer = finish(&connected.stream).unwrap();
    assert!(answer == given, "{} bytes came back of {size}", answer.len());
    let served = match second {
        Some(second) => {
            let (one, other) = (served.try_iter(), second.try_iter());
            one.chain(other)
                .find(|served| served.peer.port() == port)
                .expect("one of the farm saw the connection")
        }
        None => served_from(&served, port),
    };
    assert!(
        served.received == given,
        "{} bytes arrived of {size}",
        served.received.len()
    );
    match expected {
        _ if size == 0 => assert_eq!(connected.outcome, Outcome::NotAttempted(Reason::Dataless)),
        Expected::Connects(outcome) => assert_eq!(connected.outcome, outcome, "{:?}", connected.attempts),
        _ => {}
    }
    let fast = matches!(served.arrival.kind, fastopen::ArrivalKind::Fast { data: true });
    assert_eq!(
        fast,
        connected.outcome == Outcome::Accepted,
        "the server says {}",
        served.arrival
    );
}

fn target(lab: &Lab, family: usize) -> IpAddr {
    let addresses = lab.farm("web").map_or_else(
        |_| lab.server().unwrap().addresses(),
        fastopen_lab::FarmAddress::addresses,
    );
    addresses[family]
}

/// Where packets get lost, or nothing comes back from fast connections, so may those of this one: it is tried until there is a cookie.
fn get_cookie_in_spite(lab: &Lab, address: std::net::SocketAddr, expected: Expected) {
    match expected {
        Expected::ConnectsSomehow => {
            let _ = lab
                .client()
                .unwrap()
                .run(|| connector().connect(address, fastopen::ReplaySafe("cookie, please")));
        }
        _ => get_cookie(lab.client().unwrap(), address),
    }
}
