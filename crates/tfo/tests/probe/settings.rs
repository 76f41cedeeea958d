//! What the sysctls and the listener of either end do.

use std::net::SocketAddr;

use fastopen_lab::testing::{LabTest, program};
use fastopen_lab::{HostSpec, Scenario};

use crate::support::{
    BOTH, PORT, Privilege, addresses, causes, first, lab, named, no_cookie, on_both_families, probe,
    repeated, serve, serve_plainly,
};

pub(crate) fn tests() -> Vec<LabTest> {
    vec![
        repeated("a_server_without_fast_open", a_server_without_fast_open),
        repeated("a_server_whose_bit_is_off", a_server_whose_bit_is_off),
        repeated("a_server_that_needs_no_cookie", a_server_that_needs_no_cookie),
        repeated("a_server_with_syn_cookies", a_server_with_syn_cookies),
        repeated("a_client_that_is_switched_off", a_client_that_is_switched_off),
        repeated(
            "a_client_that_sends_without_cookie",
            a_client_that_sends_without_cookie,
        ),
        repeated("a_server_on_this_machine", a_server_on_this_machine),
        repeated("what_this_machine_s_error_means", what_this_machine_s_error_means),
    ]
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

fn a_server_that_needs_no_cookie() {
    let server = HostSpec::new("server").with_sysctl("net.ipv4.tcp_fastopen", "515");
    let lab = lab(&Scenario::new("no-cookie").with_host(server));
    serve(lab.server().unwrap());
    on_both_families(&lab, "no-cookie", &["needs-no-cookie"]);
}

fn a_server_with_syn_cookies() {
    let server = HostSpec::new("server").with_sysctl("net.ipv4.tcp_syncookies", "2");
    let lab = lab(&Scenario::new("syn-cookies").with_host(server));
    serve(lab.server().unwrap());
    no_cookie(&lab);
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

/// Each is told apart by its error number, and `tfo send` says the same.
fn what_this_machine_s_error_means() {
    let lab = named("clean");
    let client = lab.client().unwrap();
    for route in [
        "route add blackhole 198.51.100.0/25",
        "route add prohibit 198.51.100.128/25",
        "-6 route add blackhole 2001:db8:5::/64",
        "-6 route add prohibit 2001:db8:6::/64",
    ] {
        let status = program(client, "ip").args(route.split(' ')).status();
        assert!(status.unwrap().success(), "ip {route}");
    }
    for (target, cause, end, advice) in [
        (
            "[fe80::1]:80",
            "zone-missing",
            "not-possible",
            "name the interface",
        ),
        (
            "198.51.100.1:80",
            "blackhole-route",
            "not-possible",
            "ip route get",
        ),
        (
            "[2001:db8:5::1]:80",
            "blackhole-route",
            "not-possible",
            "ip route get",
        ),
        (
            "198.51.100.129:80",
            "refused-here",
            "not-permitted",
            "prohibit route",
        ),
        (
            "[2001:db8:6::1]:80",
            "refused-here",
            "not-permitted",
            "prohibit route",
        ),
        // From here on without IPv6.
        ("[::1]:80", "no-local-address", "not-possible", "ip address"),
        (
            "[2001:db8::1]:80",
            "no-local-address",
            "not-possible",
            "ip address",
        ),
    ] {
        if cause == "no-local-address" {
            client.set_sysctl("net.ipv6.conf.all.disable_ipv6", "1").unwrap();
        }
        for privilege in BOTH {
            let (reports, status) = probe(&lab, privilege, &[], &[target.parse().unwrap()]);
            let address = first(&reports[0]);
            let told = (status, address["verdict"].as_str(), causes(&reports[0]));
            assert_eq!(told, (2, Some("this-machine"), vec![cause]), "{reports:#?}");
            assert_eq!(address["connections"][0]["end"], end, "{reports:#?}");
            assert!(address["advice"].to_string().contains(advice), "{reports:#?}");
        }
        let mut send = client.command(env!("CARGO_BIN_EXE_tfo")).unwrap();
        let output = send.args(["send", target, "x"]).output().unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        // Where the line is broken depends on the terminal.
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(advice), "{target}: {said}");
    }
}
