//! Every rule and every scenario that comes with the lab, over real kernels, in IPv4 and IPv6.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

mod connections;
mod exchange;
#[path = "../support/mod.rs"]
mod support;
mod syns;

use std::collections::BTreeSet;
use std::process::ExitCode;

use fastopen_lab::Scenario;
use fastopen_lab::testing::{self, test};

use exchange::Family;

type Body = fn(Family);

/// The scenarios that come with the lab, and the test of each.
const TESTS: &[(&[&str], Body)] = &[
    (&["clean"], syns::clean),
    (&["option-stripped"], syns::option_stripped),
    (&["option-dropped"], |address| {
        syns::syn_is_sent_again("option-dropped", address);
    }),
    (&["data-dropped"], |address| {
        syns::syn_is_sent_again("data-dropped", address);
    }),
    (&["reset"], syns::reset),
    (&["cookie-refused"], syns::cookie_refused),
    (&["cookie-swapped"], syns::cookie_swapped),
    (&["syn-proxy"], connections::syn_proxy),
    (&["replay"], connections::replay),
    (&["held-ack"], connections::held_ack),
    (&["narrow-hop"], syns::narrow_hop),
    (&["rebind"], syns::rebind),
    (&["blackhole"], connections::blackhole),
    (&["loss", "duplicate"], connections::loss_and_duplicate),
    (&["unreachable"], syns::unreachable),
    (&["farm"], connections::farm),
];

fn main() -> ExitCode {
    let each_family = |(scenarios, body): &(&[&str], Body)| {
        let (name, body) = (scenarios.join("_and_").replace('-', "_"), *body);
        [
            test(format!("ipv4_{name}"), move || body(|host| host.ipv4().into())),
            test(format!("ipv6_{name}"), move || body(|host| host.ipv6().into())),
        ]
    };
    let whole = test("every_scenario_has_a_test", every_scenario_has_a_test);
    testing::main(TESTS.iter().flat_map(each_family).chain([whole]))
}

fn every_scenario_has_a_test() {
    let tested: BTreeSet<String> = TESTS
        .iter()
        .flat_map(|(scenarios, _)| *scenarios)
        .map(|&name| name.to_owned())
        .collect();
    let known: BTreeSet<String> = Scenario::all().map(|scenario| scenario.name).collect();
    assert_eq!(tested, known);
}
