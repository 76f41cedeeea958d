//! Every path of the lab, with and without the packets: the verdict, and why.

use std::io::Read;
use std::net::SocketAddr;
use std::time::Duration;

use fastopen_lab::testing::LabTest;
use fastopen_lab::{Balance, Farm, HostSpec, Lab, OptionState, Pick, Rule, Scenario, SegmentKind};

use super::support::{
    BOTH, PORT, Privilege, addresses, answer, causes, first, lab, named, probe, repeated, serve,
    serve_plainly, serve_with,
};

pub(crate) fn tests() -> Vec<LabTest> {
    let mut tests: Vec<_> = Scenario::all()
        .flat_map(|scenario| BOTH.map(|privilege| (scenario.name.clone(), privilege)))
        .map(|(name, privilege)| {
            repeated(format!("scenario_{name}_{privilege:?}"), move || {
                scenario(&name, privilege);
            })
        })
        .collect();
    tests.extend([
        repeated("a_server_without_fast_open", a_server_without_fast_open),
        repeated(
            "an_option_stripped_from_everything",
            an_option_stripped_from_everything,
        ),
        repeated(
            "requests_for_cookies_that_are_dropped",
            requests_for_cookies_that_are_dropped,
        ),
        repeated(
            "requests_for_cookies_that_are_reset",
            requests_for_cookies_that_are_reset,
        ),
        repeated("a_server_with_syn_cookies", a_server_with_syn_cookies),
        repeated("a_farm_with_one_odd_key", a_farm_with_one_odd_key),
        repeated("a_farm_that_shares_its_key", a_farm_that_shares_its_key),
        repeated("a_farm_that_deals_by_hash", a_farm_that_deals_by_hash),
        repeated("a_client_that_is_switched_off", a_client_that_is_switched_off),
        repeated(
            "a_client_that_sends_without_cookie",
            a_client_that_sends_without_cookie,
        ),
        repeated("a_server_that_never_answers", a_server_that_never_answers),
        repeated("a_server_on_this_machine", a_server_on_this_machine),
        repeated("a_server_whose_bit_is_off", a_server_whose_bit_is_off),
        repeated("a_server_that_needs_no_cookie", a_server_that_needs_no_cookie),
        repeated(
            "an_application_that_is_silent_on_fast_connections",
            an_application_that_is_silent_on_fast_connections,
        ),
        repeated(
            "an_application_that_resets_fast_connections",
            an_application_that_resets_fast_connections,
        ),
        repeated(
            "an_application_that_closes_without_reading",
            an_application_that_closes_without_reading,
        ),
        repeated(
            "a_silent_server_without_fast_open",
            a_silent_server_without_fast_open,
        ),
        repeated(
            "only_the_experimental_option_passes",
            only_the_experimental_option_passes,
        ),
        repeated(
            "large_packets_are_dropped_in_silence",
            large_packets_are_dropped_in_silence,
        ),
        repeated("large_syns_are_dropped", large_syns_are_dropped),
    ]);
    tests
}

/// The verdict for a scenario, the causes with packets, and without.
fn expected(name: &str) -> (&'static str, &'static [&'static str], &'static [&'static str]) {
    const NOT_ALTERED: &[&str] = &[
        "option-stripped",
        "answered-in-its-place",
        "syn-cookies",
        "queue-full",
    ];
    const ANY: &[&str] = &[
        "option-stripped",
        "answered-in-its-place",
        "syn-cookies",
        "queue-full",
        "cookie-altered",
    ];
    match name {
        "clean" | "narrow-hop" | "replay" | "held-ack" | "rebind" | "loss" | "duplicate" => {
            ("works", &[], &[])
        }
        "option-stripped" => ("data-ignored", NOT_ALTERED, ANY),
        "syn-proxy" => ("data-ignored", &["answered-in-its-place"], ANY),
        "cookie-refused" | "cookie-swapped" => ("data-ignored", &["cookie-altered"], ANY),
        "option-dropped" | "data-dropped" => ("syn-lost", &["fast-syn-dropped"], &["fast-syn-dropped"]),
        "reset" => ("reset", &["fast-syn-refused"], &["fast-syn-refused"]),
        "blackhole" => ("blackholed", &["dropped-afterwards"], &["dropped-afterwards"]),
        "unreachable" => ("unreachable", &["unanswered"], &["unanswered"]),
        "farm" => (
            "cookie-refused",
            &["keys-differ", "address-changes"],
            &["keys-differ", "address-changes"],
        ),
        other => panic!("what is to be said of {other}?"),
    }
}

fn status_of(verdict: &str) -> i32 {
    match verdict {
        "works" => 0,
        "inconclusive" => 3,
        "this-machine" => 2,
        _ => 1,
    }
}

fn scenario(name: &str, privilege: Privilege) {
    let lab = named(name);
    let targets = match name {
        "farm" => {
            lab.hosts()[1..].iter().for_each(serve);
            farm_addresses(&lab)
        }
        _ => {
            serve(lab.server().unwrap());
            addresses(&lab)
        }
    };
    let (verdict, with_packets, without) = expected(name);
    let expected = match privilege {
        Privilege::Packets => with_packets,
        Privilege::None => without,
    };
    match name {
        // Connections to both addresses at a time would be dealt out by chance.
        "farm" => targets
            .iter()
            .for_each(|target| assert_verdict(&lab, privilege, &[*target], verdict, expected)),
        _ => assert_verdict(&lab, privilege, &targets, verdict, expected),
    }
}

fn farm_addresses(lab: &Lab) -> Vec<SocketAddr> {
    let addresses = lab.farm("web").unwrap().addresses();
    addresses.map(|address| SocketAddr::new(address, PORT)).to_vec()
}

fn assert_verdict(lab: &Lab, privilege: Privilege, targets: &[SocketAddr], verdict: &str, expected: &[&str]) {
    let (reports, status) = probe(lab, privilege, &["--timeout", "1500ms"], targets);
    assert_eq!(status, status_of(verdict), "{reports:#?}");
    for report in &reports {
        let address = first(report);
        assert_eq!(
            (&address["verdict"], &report["verdict"]),
            (&verdict.into(), &verdict.into()),
            "{report:#}"
        );
        assert_eq!(causes(report), expected, "{report:#}");
        let sources = address["sources"].as_array().unwrap();
        let saw_packets = sources.contains(&"packets".into());
        // Where nobody answers there is nothing to look at.
        let sees_packets = privilege == Privilege::Packets && verdict != "unreachable";
        assert_eq!(saw_packets, sees_packets, "{report:#}");
        if verdict == "works" {
            assert_eq!(address["fits"], true, "{report:#}");
        }
    }
}

fn on_both_families(lab: &Lab, verdict: &str, causes: &[&str]) {
    for privilege in BOTH {
        assert_verdict(lab, privilege, &addresses(lab), verdict, causes);
    }
}

/// Why there may be no cookie, as far as this end of the path can tell.
const NO_COOKIE: &[&str] = &[
    "server-bit-off",
    "listener-off",
    "proxy-ends-it",
    "option-stripped",
    "answered-in-its-place",
    "syn-cookies",
    "queue-full",
];

fn no_cookie(lab: &Lab) {
    assert_verdict(lab, Privilege::Packets, &addresses(lab), "no-cookie", NO_COOKIE);
    assert_verdict(lab, Privilege::None, &addresses(lab), "no-cookie", NO_COOKIE);
}

fn a_server_without_fast_open() {
    let lab = named("clean");
    serve_plainly(lab.server().unwrap());
    no_cookie(&lab);
}

/// As Linux comes: the listener asks, and the sysctl's server bit is off.
fn a_server_whose_bit_is_off() {
    let server = HostSpec::new("server").with_sysctl("net.ipv4.tcp_fastopen", "1");
    let lab = lab(&Scenario::new("default").with_host(server));
    serve(lab.server().unwrap());
    no_cookie(&lab);
}

fn an_option_stripped_from_everything() {
    let lab = lab(&Scenario::new("stripped").with_rule(Rule::strip_option()));
    serve(lab.server().unwrap());
    no_cookie(&lab);
}

fn a_server_that_needs_no_cookie() {
    let server = HostSpec::new("server").with_sysctl("net.ipv4.tcp_fastopen", "515");
    let lab = lab(&Scenario::new("no-cookie").with_host(server));
    serve(lab.server().unwrap());
    on_both_families(&lab, "no-cookie", &["needs-no-cookie"]);
}

/// The server takes the data, and its application says nothing on fast connections: no firewall is at fault.
fn an_application_that_is_silent_on_fast_connections() {
    let lab = named("clean");
    serve_with(lab.server().unwrap(), |mut stream, fast| match fast {
        true => drop(stream.read_to_end(&mut Vec::new())),
        false => drop(answer(stream)),
    });
    on_both_families(&lab, "silent", &["application-silent", "answer-dropped"]);
}

fn an_application_that_resets_fast_connections() {
    let lab = named("clean");
    serve_with(lab.server().unwrap(), |stream, fast| match fast {
        // Closing with unread data resets.
        true => drop(stream),
        false => drop(answer(stream)),
    });
    on_both_families(&lab, "reset", &["server-resets", "reset-on-the-way"]);
}

fn an_application_that_closes_without_reading() {
    let lab = named("clean");
    serve_with(lab.server().unwrap(), |stream, _| drop(stream));
    let (reports, _) = probe(&lab, Privilege::None, &[], &addresses(&lab));
    for report in &reports {
        assert_eq!(
            (&report["verdict"], causes(report)),
            (&"works".into(), vec![]),
            "{report:#}"
        );
        let notes = first(report)["notes"].to_string();
        assert!(
            notes.contains("ends every connection without an answer"),
            "{notes}"
        );
    }
}

fn a_silent_server_without_fast_open() {
    let lab = lab(&Scenario::new("mute").with_rtt(Duration::from_millis(5)));
    let listener = lab
        .server()
        .unwrap()
        .run(|| std::net::TcpListener::bind(("::", PORT)))
        .unwrap();
    no_cookie(&lab);
    drop(listener);
}

fn only_the_experimental_option_passes() {
    let rule = Rule::strip_option()
        .on(SegmentKind::Syn)
        .with_option(OptionState::Request)
        .pick(Pick::First(1));
    let lab = lab(&Scenario::new("first").with_rule(rule));
    serve(lab.server().unwrap());
    let target = [addresses(&lab)[0]];
    let (reports, status) = probe(&lab, Privilege::Packets, &[], &target);
    assert_eq!(
        (status, &reports[0]["verdict"]),
        (0, &"works".into()),
        "{reports:#?}"
    );
    let notes = first(&reports[0])["notes"].to_string();
    assert!(notes.contains("option 254 did"), "{notes}");
}

fn large_packets_are_dropped_in_silence() {
    let lab = lab(&Scenario::new("filtered").with_rule(Rule::drop().from("client").longer_than(1000)));
    serve(lab.server().unwrap());
    let data = "x".repeat(1300);
    let (reports, status) = probe(
        &lab,
        Privilege::None,
        &["--data", &data, "--timeout", "1500ms"],
        &[addresses(&lab)[0]],
    );
    let named = causes(&reports[0]);
    assert_eq!(named, ["large-packets-dropped"], "{reports:#?}");
    assert!([1, 3].contains(&status), "{status}");
}

/// The path carries packets of that length, and no SYN of it: no MTU is at fault.
fn large_syns_are_dropped() {
    let rule = Rule::drop().from("client").on(SegmentKind::Syn).longer_than(1000);
    let lab = lab(&Scenario::new("large-syns").with_rule(rule));
    serve(lab.server().unwrap());
    let data = "x".repeat(1300);
    let arguments = ["--data", &data, "--timeout", "1500ms"];
    for privilege in BOTH {
        let (reports, status) = probe(&lab, privilege, &arguments, &addresses(&lab));
        for report in &reports {
            let said = (&report["verdict"], causes(report), status);
            assert_eq!(
                said,
                (&"syn-lost".into(), vec!["large-syn-dropped"], 1),
                "{report:#}"
            );
        }
    }
}

fn requests_for_cookies_that_are_dropped() {
    let rule = Rule::drop()
        .on(SegmentKind::Syn)
        .with_option(OptionState::Present);
    let lab = lab(&Scenario::new("dropped").with_rule(rule));
    serve(lab.server().unwrap());
    on_both_families(&lab, "syn-lost", &["request-dropped"]);
}

fn requests_for_cookies_that_are_reset() {
    let rule = Rule::reset()
        .on(SegmentKind::Syn)
        .with_option(OptionState::Present);
    let lab = lab(&Scenario::new("reset").with_rule(rule));
    serve(lab.server().unwrap());
    on_both_families(&lab, "reset", &["request-refused"]);
}

fn a_server_with_syn_cookies() {
    let server = HostSpec::new("server").with_sysctl("net.ipv4.tcp_syncookies", "2");
    let lab = lab(&Scenario::new("syn-cookies").with_host(server));
    serve(lab.server().unwrap());
    no_cookie(&lab);
}

fn farm_of_three(odd: bool, balance: Balance) -> Lab {
    const KEY: &str = "net.ipv4.tcp_fastopen_key";
    const OURS: &str = "a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4";
    let third = match odd {
        true => "00000001-00000002-00000003-00000004",
        false => OURS,
    };
    let scenario = Scenario::new("farm-of-three")
        .with_host(HostSpec::new("server").with_sysctl(KEY, OURS))
        .with_host(HostSpec::new("second").with_sysctl(KEY, OURS))
        .with_host(HostSpec::new("third").with_sysctl(KEY, third))
        .with_farm(Farm::new("web", ["server", "second", "third"]).with_balance(balance));
    let lab = lab(&scenario);
    lab.hosts()[1..].iter().for_each(serve);
    lab
}

fn a_farm_with_one_odd_key() {
    for privilege in BOTH {
        let lab = farm_of_three(true, Balance::RoundRobin);
        for target in farm_addresses(&lab) {
            let causes = ["keys-differ", "address-changes"];
            assert_verdict(&lab, privilege, &[target], "cookie-refused", &causes);
        }
    }
}

fn a_farm_that_shares_its_key() {
    let lab = farm_of_three(false, Balance::RoundRobin);
    assert_verdict(&lab, Privilege::None, &farm_addresses(&lab), "works", &[]);
}

fn a_farm_that_deals_by_hash() {
    let lab = farm_of_three(true, Balance::Hash);
    let target = [farm_addresses(&lab)[0]];
    // With so many, all fast connections meet servers of one key once in three thousand times.
    let (reports, status) = probe(&lab, Privilege::None, &["-n", "20"], &target);
    assert_eq!(
        (status, &reports[0]["verdict"]),
        (1, &"cookie-refused".into()),
        "{reports:#?}"
    );
}

fn a_client_that_is_switched_off() {
    let client = HostSpec::new("client").with_sysctl("net.ipv4.tcp_fastopen", "2");
    let lab = lab(&Scenario::new("off").with_host(client));
    serve(lab.server().unwrap());
    let (reports, status) = probe(&lab, Privilege::None, &[], &addresses(&lab));
    assert_eq!(status, 2);
    for report in &reports {
        assert_eq!(report["verdict"], "this-machine", "{report:#}");
        assert_eq!(causes(report), ["client-bit-off"]);
        assert!(
            first(report)["connections"].as_array().unwrap().is_empty(),
            "no packet is sent"
        );
    }
}

fn a_client_that_sends_without_cookie() {
    let client = HostSpec::new("client").with_sysctl("net.ipv4.tcp_fastopen", "5");
    let lab = lab(&Scenario::new("rash").with_host(client));
    serve(lab.server().unwrap());
    on_both_families(&lab, "this-machine", &["sends-without-cookie"]);
}

fn a_server_that_never_answers() {
    let lab = lab(&Scenario::new("mute").with_rtt(Duration::from_millis(5)));
    let listener = lab
        .server()
        .unwrap()
        .run(|| fastopen::listen(("::", PORT)))
        .unwrap();
    on_both_families(&lab, "inconclusive", &["no-answer-either"]);
    drop(listener);
}

fn a_server_on_this_machine() {
    let lab = named("clean");
    let client = lab.client().unwrap();
    serve_plainly(client);
    let own = SocketAddr::new(client.ipv4().into(), PORT);
    let (reports, status) = probe(&lab, Privilege::None, &[], &[own]);
    assert_eq!(
        (status, causes(&reports[0])),
        (1, vec!["server-bit-off"]),
        "{reports:#?}"
    );
    client.set_sysctl("net.ipv4.tcp_fastopen", "3").unwrap();
    let (reports, _) = probe(&lab, Privilege::None, &[], &[own]);
    assert_eq!(causes(&reports[0]), ["listener-off"], "{reports:#?}");
    let notes = first(&reports[0])["notes"].to_string();
    assert!(
        notes.contains("the listener is ") && notes.contains("does not ask for Fast Open"),
        "{notes}"
    );
}
