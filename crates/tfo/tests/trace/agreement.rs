//! What the wire says, what the client says and what the server says of the same connection: one table for every rule of the lab.

use std::sync::mpsc::Receiver;
use std::time::Duration;

use fastopen::{ArrivalKind, ListenOptions, Outcome, Policy, Reason, ReplaySafe};
use fastopen_lab::testing::{LabTest, test};
use fastopen_lab::{Capture, Frame, Host, Lab, Point, Scenario};
use socket2::{Domain, Socket, Type};

use crate::support::{Served, at, connections, connector, finish, pcap, serve, verdicts};

const FAST: ArrivalKind = ArrivalKind::Fast { data: true };
const ASKED: ArrivalKind = ArrivalKind::CookieRequested;
const DATALESS: ArrivalKind = ArrivalKind::Fast { data: false };
const PLAIN: ArrivalKind = ArrivalKind::Plain;

/// That of Linux, on every architecture.
const MSG_FASTOPEN: i32 = 0x2000_0000;

/// One connection, made after the client got its cookie.
struct Row {
    scenario: &'static str,
    settings: Settings,
    /// What the client says; nothing where it got no connection.
    outcome: Option<Outcome>,
    /// The verdicts on the client's end of the path: one for each attempt.
    at_client: &'static [&'static str],
    /// The verdicts on the server's end of the path.
    at_server: &'static [&'static str],
    /// What the server says.
    arrivals: &'static [ArrivalKind],
}

#[derive(Clone, Copy, PartialEq)]
enum Settings {
    /// As they come: a plain attempt joins a fast one that goes unanswered.
    Default,
    /// The kernel alone tries again.
    Require,
    Off,
    /// There is no cookie yet.
    NoCookie,
    /// There is no cookie, and the server grants none.
    NoneGranted,
    NoData,
    /// Somebody else's program writes nothing with MSG_FASTOPEN.
    EmptyWrite,
}

const fn row(
    scenario: &'static str,
    settings: Settings,
    outcome: Option<Outcome>,
    at_client: &'static [&'static str],
    at_server: &'static [&'static str],
    arrivals: &'static [ArrivalKind],
) -> Row {
    Row {
        scenario,
        settings,
        outcome,
        at_client,
        at_server,
        arrivals,
    }
}

use Outcome::{Accepted, Ignored, NoCookie, NotAttempted, SynLost, Unknown};
use Settings::{Default, EmptyWrite, NoCookie as WithoutCookie, NoData, NoneGranted, Off, Require};

const DATALESS_OUTCOME: Option<Outcome> = Some(NotAttempted(Reason::Dataless));
const OFF_OUTCOME: Option<Outcome> = Some(NotAttempted(Reason::Policy));

#[rustfmt::skip]
const TABLE: &[Row] = &[
    // scenario          settings       client              on the wire: client's end     server's end              server
    row("clean",          Default,       Some(Accepted),     &["accepted"],                &["accepted"],            &[FAST]),
    row("clean",          WithoutCookie, Some(NoCookie),     &["cookie-granted"],          &["cookie-granted"],      &[ASKED]),
    row("clean",          NoneGranted,   Some(NoCookie),     &["cookie-not-granted"],      &["cookie-not-granted"],  &[ASKED]),
    row("clean",          Off,           OFF_OUTCOME,        &["plain"],                   &["plain"],               &[PLAIN]),
    row("clean",          NoData,        DATALESS_OUTCOME,   &["plain"],                   &["plain"],               &[PLAIN]),
    row("clean",          EmptyWrite,    Some(Unknown),      &["dataless"],                &["dataless"],            &[DATALESS]),
    row("option-stripped", Default,      Some(Ignored),      &["ignored"],                 &["ignored"],             &[PLAIN]),
    row("cookie-refused", Default,       Some(Ignored),      &["ignored"],                 &["ignored"],             &[PLAIN]),
    row("cookie-swapped", Default,       Some(Ignored),      &["ignored"],                 &["ignored"],             &[PLAIN]),
    row("farm",           Default,       Some(Ignored),      &["ignored"],                 &["ignored"],             &[PLAIN]),
    row("rebind",         Default,       Some(Ignored),      &["ignored"],                 &["ignored"],             &[PLAIN]),
    // The proxy opens a connection of its own.
    row("syn-proxy",      Default,       Some(Ignored),      &["ignored"],                 &["plain"],               &[PLAIN]),
    // The fast attempt is given up before it is known to be unanswered.
    row("option-dropped", Default,       Some(SynLost),      &["inconclusive", "plain"],   &["plain"],               &[PLAIN]),
    row("data-dropped",   Default,       Some(SynLost),      &["inconclusive", "plain"],   &["plain"],               &[PLAIN]),
    // On the server's end only the kernel's second SYN is seen.
    row("option-dropped", Require,       Some(SynLost),      &["syn-lost"],                &["plain"],               &[PLAIN]),
    row("data-dropped",   Require,       Some(SynLost),      &["syn-lost"],                &["plain"],               &[PLAIN]),
    row("reset",          Default,       Some(SynLost),      &["refused", "plain"],        &["plain"],               &[PLAIN]),
    row("reset",          Require,       None,               &["refused"],                 &[],                      &[]),
    row("replay",         Default,       Some(Accepted),     &["accepted"],                &["accepted", "accepted"], &[FAST, FAST]),
    row("held-ack",       Default,       Some(Accepted),     &["accepted"],                &["accepted"],            &[FAST]),
    row("duplicate",      Default,       Some(Accepted),     &["accepted"],                &["accepted"],            &[FAST]),
    row("narrow-hop",     Default,       Some(Accepted),     &["accepted"],                &["accepted"],            &[FAST]),
    row("blackhole",      Default,       Some(Accepted),     &["accepted"],                &["accepted"],            &[FAST]),
    row("unreachable",    WithoutCookie, None,               &["inconclusive"; 2],         &[],                      &[]),
];

pub(crate) fn tests() -> impl Iterator<Item = LabTest> {
    let rows = TABLE.iter().map(|row| {
        let name = format!("agreement::{}{}", row.scenario, row.settings.suffix());
        test(name, move || {
            std::thread::scope(|scope| {
                for family in [0, 1] {
                    scope.spawn(move || row.check(family));
                }
            });
        })
    });
    let whole = [
        test("agreement::no_scenario_is_left_out", no_scenario_is_left_out),
        test("agreement::whatever_is_lost", whatever_is_lost),
    ];
    rows.chain(whole)
}

fn no_scenario_is_left_out() {
    for scenario in Scenario::all().filter(|scenario| scenario.name != "loss") {
        let covered = TABLE.iter().any(|row| row.scenario == scenario.name);
        assert!(covered, "say what becomes of a connection in {}", scenario.name);
    }
}

impl Settings {
    fn suffix(self) -> &'static str {
        match self {
            Default => "",
            Require => "::required",
            Off => "::off",
            WithoutCookie => "::without_cookie",
            NoneGranted => "::none_granted",
            NoData => "::no_data",
            EmptyWrite => "::empty_write",
        }
    }

    fn policy(self) -> Policy {
        match self {
            Require => Policy::Require,
            Off => Policy::Off,
            _ => Policy::Auto,
        }
    }

    fn has_cookie(self) -> bool {
        !matches!(self, WithoutCookie | NoneGranted)
    }
}

impl Row {
    fn check(&self, family: usize) {
        let path = Path::new(&scenario(self.scenario), self.settings, family);
        if self.settings.has_cookie() {
            path.connect(Policy::Auto, b"cookie, please").expect("a cookie");
            path.next_arrival();
        }
        let capture = path.lab.capture();
        let data: &[u8] = if self.settings == NoData { b"" } else { b"hello" };
        let outcome = match self.settings {
            EmptyWrite => Some(path.write_nothing()),
            settings => path.connect(settings.policy(), data),
        };
        assert_eq!(outcome, self.outcome, "the client");
        let mut arrivals: Vec<_> = self.arrivals.iter().map(|_| path.next_arrival().kind).collect();
        arrivals.extend(path.served.try_iter().map(|served| served.kind));
        assert_eq!(arrivals, self.arrivals, "the server");
        assert_eq!(
            verdicts(&path.seen(&capture, End::Client)),
            self.at_client,
            "the client's end"
        );
        assert_eq!(
            verdicts(&path.seen(&capture, End::Server)),
            self.at_server,
            "the server's end"
        );
    }
}

/// Where the seed decides what is lost, all three still agree.
fn whatever_is_lost() {
    for seed in 0..8 {
        let lossy = scenario("loss").with_seed(seed);
        let path = Path::new(&lossy, Default, 0);
        for _ in 0..6 {
            let capture = path.lab.capture();
            let Some(outcome) = path.connect(Policy::Require, b"hello") else {
                continue;
            };
            let seen = path.seen(&capture, End::Client);
            let verdicts = verdicts(&seen);
            let verdict = *verdicts.last().expect("a connection");
            let expected: &[&str] = match outcome {
                Accepted => &["accepted"],
                Ignored => &["ignored"],
                // A request that is sent again has no option any more.
                NoCookie => &["cookie-granted", "cookie-not-granted"],
                SynLost => &["syn-lost"],
                other => panic!("{other}"),
            };
            assert!(expected.contains(&verdict), "seed {seed}: {outcome}, {seen:#?}");
        }
    }
}

fn scenario(name: &str) -> Scenario {
    let scenario = Scenario::named(name).unwrap_or_else(|| panic!("there is no scenario {name}"));
    scenario.with_rtt(Duration::from_millis(10))
}

#[derive(Clone, Copy)]
enum End {
    Client,
    Server,
}

struct Path {
    lab: Lab,
    family: usize,
    served: Receiver<Served>,
}

impl Path {
    fn new(scenario: &Scenario, settings: Settings, family: usize) -> Self {
        let lab = Lab::new(scenario).unwrap();
        let queue = if settings == NoneGranted { 0 } else { 64 };
        let options = ListenOptions::new().with_queue(queue);
        let servers = lab.hosts().iter().filter(|host| host.name() != "client");
        let served = serve(servers, &options);
        Self { lab, family, served }
    }

    fn client(&self) -> &Host {
        self.lab.client().unwrap()
    }

    fn connect(&self, policy: Policy, data: &[u8]) -> Option<Outcome> {
        let addresses = match self.lab.farm("web") {
            Ok(farm) => farm.addresses(),
            Err(_) => self.lab.server().unwrap().addresses(),
        };
        let silent = !self.lab.scenario().lets_connections_complete();
        let mut connector = connector().with_policy(policy);
        if silent {
            connector = connector.with_timeout(Duration::from_millis(700));
        }
        let address = at(addresses[self.family]);
        let connected = self
            .client()
            .run(|| connector.connect(address, ReplaySafe(data)))
            .ok()?;
        let outcome = connected.outcome;
        if !(silent && outcome == Accepted) {
            finish(connected.stream);
        }
        Some(outcome)
    }

    fn write_nothing(&self) -> Outcome {
        let address = at(self.lab.server().unwrap().addresses()[self.family]);
        self.client().run(|| {
            let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
            socket
                .send_to_with_flags(&[], &address.into(), MSG_FASTOPEN)
                .unwrap();
            Outcome::of(&socket).unwrap()
        })
    }

    fn next_arrival(&self) -> Served {
        self.served
            .recv_timeout(crate::support::LONG)
            .expect("the server saw the connection")
    }

    /// What `tfo trace` makes of the packets on one end of the path.
    fn seen(&self, capture: &Capture, end: End) -> Vec<serde_json::Value> {
        assert_eq!(capture.dropped(), 0);
        let frames = capture.frames();
        connections(&pcap(frames.iter().filter(|frame| passes(frame, end))))
    }
}

/// Whether a packet is seen on that end of the path.
fn passes(frame: &Frame, end: End) -> bool {
    let host = match frame.point {
        Point::Sent => &frame.from,
        Point::Delivered => &frame.to,
    };
    let is_client = host.as_deref() == Some("client");
    match end {
        End::Client => is_client,
        End::Server => host.is_some() && !is_client,
    }
}
