//! What `tfo send` and `tcp-fast-open` tell of a cookie that the server refuses, and of data that it does not take for another reason.

use fastopen_lab::testing::{LabTest, test};
use fastopen_lab::{Host, Lab, Scenario};

use crate::classic::tcp_fast_open;
use crate::programs::{Server, client, near, send, server, target, tfo_send};

pub(crate) fn tests() -> Vec<LabTest> {
    vec![
        test("a_refused_cookie_was_invalid", a_refused_cookie_was_invalid),
        test(
            "the_classic_program_tells_it_too",
            the_classic_program_tells_it_too,
        ),
        test("an_old_key_s_cookie_is_replaced", an_old_keys_cookie_is_replaced),
        test(
            "a_cookie_that_stands_was_not_the_reason",
            a_cookie_that_stands_was_not_the_reason,
        ),
    ]
}

const KEYS: &[&str] = &["1-2-3-4", "5-6-7-8"];

fn serve(host: &Host, keys: &str) -> Server {
    let mut command = host.command(env!("CARGO_BIN_EXE_tfo")).unwrap();
    command
        .args(["serve", "--json", "--queue", "16", ":2222"])
        .env("TFO_KEY", keys);
    Server::from_command(command)
}

/// A server has granted a cookie, and another one with another key has taken its place.
fn with_other_keys(lab: &Lab) -> Server {
    let before = serve(server(lab), KEYS[0]);
    for address in server(lab).addresses() {
        send(client(lab), &[&target(address, before.port), "hello"]);
    }
    before.stop();
    serve(server(lab), KEYS[1])
}

fn report_for_people(lab: &Lab, target: &str) -> String {
    let output = tfo_send(client(lab), &[target, "hello"]).output().unwrap();
    String::from_utf8(output.stderr).unwrap()
}

fn a_refused_cookie_was_invalid() {
    let lab = near();
    let tfo = with_other_keys(&lab);
    for address in server(&lab).addresses() {
        let target = target(address, tfo.port);
        let (reports, status) = send(client(&lab), &["-n2", &target, "hello"]);
        let [refused, taken] = &reports[..] else {
            panic!("{reports:?}");
        };
        assert_eq!(refused["outcome"], "ignored", "{refused}");
        assert_eq!(refused["cookie_replaced"], true, "{refused}");
        assert_ne!(refused["cookie"], refused["cookie_before"], "{refused}");
        assert_eq!((&taken["outcome"], status), (&"accepted".into(), 0), "{taken}");
        assert_eq!(taken["cookie_replaced"], false, "{taken}");
        assert_eq!(taken["cookie_before"], refused["cookie"], "{taken}");
    }
    tfo.stop();
    let tfo = serve(server(&lab), KEYS[0]);
    let report = report_for_people(&lab, &target(server(&lab).ipv4().into(), tfo.port));
    for part in [
        "ignored: the cookie was invalid",
        "in place of",
        "hint: run it again",
    ] {
        assert!(report.contains(part), "{part:?} is not in {report}");
    }
}

fn the_classic_program_tells_it_too() {
    let lab = near();
    let tfo = with_other_keys(&lab);
    for address in server(&lab).addresses() {
        let (address, port) = (address.to_string(), tfo.port.to_string());
        let (said, status) = tcp_fast_open(client(&lab), &["-s", &address, "-p", &port]);
        assert_eq!(status, Some(0), "{said}");
        for part in [
            "client  ignored: the cookie was invalid",
            "client  accepted",
            " worked\n",
        ] {
            assert!(said.contains(part), "{part:?} is not in {said}");
        }
    }
}

fn an_old_keys_cookie_is_replaced() {
    let lab = near();
    let before = serve(server(&lab), KEYS[0]);
    let target = target(server(&lab).ipv6().into(), before.port);
    send(client(&lab), &[&target, "hello"]);
    before.stop();
    let _rotated = serve(server(&lab), &format!("{},{}", KEYS[1], KEYS[0]));
    let (reports, status) = send(client(&lab), &[&target, "hello"]);
    assert_eq!((&reports[0]["outcome"], status), (&"accepted".into(), 0));
    assert_eq!(reports[0]["cookie_replaced"], true, "{}", reports[0]);
}

fn a_cookie_that_stands_was_not_the_reason() {
    let proxied = Lab::new(&Scenario::named("syn-proxy").unwrap()).unwrap();
    let stripped = Lab::new(&Scenario::named("option-stripped").unwrap()).unwrap();
    for (lab, what) in [(proxied, "a SYN proxy"), (stripped, "the option stripped")] {
        let tfo = serve(server(&lab), KEYS[0]);
        let target = target(server(&lab).ipv4().into(), tfo.port);
        let (reports, _) = send(client(&lab), &["-n3", &target, "hello"]);
        let last = &reports[2];
        assert_eq!(last["outcome"], "ignored", "{what}: {last}");
        assert_eq!(last["cookie_replaced"], false, "{what}: {last}");
        let report = report_for_people(&lab, &target);
        assert!(report.contains("the cookie was not replaced"), "{what}: {report}");
        assert!(
            !report.contains("new cookie") && !report.contains("new keys"),
            "{what}: {report}"
        );
        let (address, port) = (server(&lab).ipv4().to_string(), tfo.port.to_string());
        let (said, status) = tcp_fast_open(client(&lab), &["-s", &address, "-p", &port]);
        assert_eq!(status, Some(1), "{what}: {said}");
        assert!(said.contains("the cookie was not replaced"), "{what}: {said}");
        assert!(
            !said.contains("new cookie") && !said.contains("new keys"),
            "{what}: {said}"
        );
        assert!(
            !said.contains("--policy") && !said.contains("--timeout"),
            "{what}: {said}"
        );
    }
}
