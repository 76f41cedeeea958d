//! Several servers behind one address.

use fastopen_lab::testing::LabTest;
use fastopen_lab::{Balance, Farm, HostSpec, Lab, Scenario};

use crate::support::{BOTH, Privilege, assert_verdict, farm_addresses, lab, probe, repeated, serve};

pub(crate) fn tests() -> Vec<LabTest> {
    vec![
        repeated("a_farm_with_one_odd_key", a_farm_with_one_odd_key),
        repeated("a_farm_that_shares_its_key", a_farm_that_shares_its_key),
        repeated("a_farm_that_deals_by_hash", a_farm_that_deals_by_hash),
    ]
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
