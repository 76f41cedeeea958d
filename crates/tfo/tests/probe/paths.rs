//! Every path of the lab, with and without the packets: the verdict, and why.

use fastopen_lab::testing::LabTest;
use fastopen_lab::{OptionState, Pick, Rule, Scenario, SegmentKind};

use crate::support::{
    BOTH, Privilege, addresses, assert_verdict, causes, farm_addresses, first, lab, named, no_cookie,
    on_both_families, probe, repeated, serve,
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
        repeated(
            "an_option_stripped_from_everything",
            an_option_stripped_from_everything,
        ),
        repeated("data_stripped_from_the_syn", data_stripped_from_the_syn),
        repeated(
            "only_the_experimental_option_passes",
            only_the_experimental_option_passes,
        ),
        repeated(
            "large_packets_are_dropped_in_silence",
            large_packets_are_dropped_in_silence,
        ),
        repeated("large_syns_are_dropped", large_syns_are_dropped),
        repeated(
            "requests_for_cookies_that_are_dropped",
            requests_for_cookies_that_are_dropped,
        ),
        repeated(
            "requests_for_cookies_that_are_reset",
            requests_for_cookies_that_are_reset,
        ),
    ]);
    tests
}

/// Why data may not be taken where the packets show that no cookie comes back.
const NOT_ALTERED: &[&str] = &[
    "option-stripped",
    "data-stripped",
    "answered-in-its-place",
    "syn-cookies",
    "queue-full",
];
/// The same without the packets.
const ANY: &[&str] = &[
    "option-stripped",
    "data-stripped",
    "answered-in-its-place",
    "syn-cookies",
    "queue-full",
    "cookie-altered",
];

/// The verdict for a scenario, the causes with packets, and without.
fn expected(name: &str) -> (&'static str, &'static [&'static str], &'static [&'static str]) {
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
        // Connections to both addresses at once would reach the servers in a random order.
        "farm" => targets
            .iter()
            .for_each(|target| assert_verdict(&lab, privilege, &[*target], verdict, expected)),
        _ => assert_verdict(&lab, privilege, &targets, verdict, expected),
    }
}

fn an_option_stripped_from_everything() {
    let lab = lab(&Scenario::new("stripped").with_rule(Rule::strip_option()));
    serve(lab.server().unwrap());
    no_cookie(&lab);
}

fn data_stripped_from_the_syn() {
    let rule = Rule::strip_data().on(SegmentKind::Syn);
    for (privilege, causes) in BOTH.into_iter().zip([NOT_ALTERED, ANY]) {
        let lab = lab(&Scenario::new("no-data").with_rule(rule.clone()));
        serve(lab.server().unwrap());
        assert_verdict(&lab, privilege, &addresses(&lab), "data-ignored", causes);
    }
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
