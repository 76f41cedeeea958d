//! `tfo send`: what it tells of its connections, and that nothing is lost.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use fastopen_lab::testing::{LabTest, test};
use fastopen_lab::{Lab, OptionState, Rule, Scenario, SegmentKind};
use rustix::process::Signal;

use crate::piped::spawn_piped;
use crate::programs::{
    Program, Server, client, lab, milliseconds, near, send, send_report, server, target, tfo_send, wait,
};

pub(crate) fn tests() -> Vec<LabTest> {
    vec![
        test("first_no_cookie_then_accepted", first_no_cookie_then_accepted),
        test(
            "a_fast_answer_takes_one_round_trip",
            a_fast_answer_takes_one_round_trip,
        ),
        test("all_of_standard_input_arrives", all_of_standard_input_arrives),
        test("what_fails_is_told", what_fails_is_told),
        test("hostile_paths_are_told", hostile_paths_are_told),
        test(
            "this_machine_s_own_fault_is_told",
            this_machine_s_own_fault_is_told,
        ),
        test(
            "a_silent_server_is_not_waited_for",
            a_silent_server_is_not_waited_for,
        ),
        test("ctrl_c_still_prints_the_report", ctrl_c_still_prints_the_report),
        test(
            "an_interruption_before_the_answer_is_inconclusive",
            an_interruption_before_the_answer_is_inconclusive,
        ),
        test(
            "a_refused_syn_is_told_from_a_lost_one",
            a_refused_syn_is_told_from_a_lost_one,
        ),
        test(
            "send_ends_quietly_with_its_reader",
            it_ends_quietly_with_its_reader,
        ),
        test("the_report_for_people", the_report_for_people),
        test(
            "json_has_an_object_for_every_failure",
            json_has_an_object_for_every_failure,
        ),
        test("this_machine_needs_no_name", this_machine_needs_no_name),
    ]
}

fn first_no_cookie_then_accepted() {
    let lab = near();
    let tfo = Server::start(server(&lab), &[]);
    for address in server(&lab).addresses() {
        let target = target(address, tfo.port);
        let (first, status) = send(client(&lab), &[&target, "hello"]);
        assert_eq!((&first[0]["outcome"], status), (&"no-cookie".into(), 3));
        assert_eq!(
            (&first[0]["cookie_cached"], &first[0]["syn_bytes"]),
            (&true.into(), &0.into())
        );
        let (second, status) = send(client(&lab), &[&target, "hello"]);
        assert_eq!((&second[0]["outcome"], status), (&"accepted".into(), 0));
        assert_eq!(
            (&second[0]["first_bytes"], &second[0]["syn_bytes"]),
            (&5.into(), &5.into())
        );
        assert_eq!(second[0]["received"], 5);
        assert_eq!(second[0]["attempts"].as_array().unwrap().len(), 1);
        assert_eq!(second[0]["attempts"][0]["end"], "connected");
    }
}

fn a_fast_answer_takes_one_round_trip() {
    let lab = lab(Duration::from_millis(60));
    let tfo = Server::start(server(&lab), &[]);
    let target = target(server(&lab).ipv6().into(), tfo.port);
    let (reports, _) = send(client(&lab), &["-n6", &target, "hello"]);
    let rounds = |report: &serde_json::Value| milliseconds(&report["first_byte_ms"]) / 60.0;
    assert!(rounds(&reports[0]) > 1.95, "{}", reports[0]);
    // A busy machine makes some of them slower, and none faster.
    let fastest = reports[1..].iter().map(rounds).fold(f64::INFINITY, f64::min);
    assert!((0.95..1.3).contains(&fastest), "{fastest} round trips");
    assert!(
        reports
            .iter()
            .all(|report| milliseconds(&report["rtt_ms"]) > 55.0)
    );
}

fn all_of_standard_input_arrives() {
    let lab = near();
    let tfo = Server::start(server(&lab), &[]);
    let given: Vec<u8> = (0..300_000_u32).map(|i| (i * 31 % 251) as u8).collect();
    for address in server(&lab).addresses() {
        for (round, carried) in [(1, 0), (2, 1)] {
            let target = target(address, tfo.port);
            let mut child = spawn_piped(&mut tfo_send(client(&lab), &[&target, "-"]));
            let mut stdin = child.stdin.take().unwrap();
            let to_send = given.clone();
            let writing = thread::spawn(move || {
                // In pieces, with a pause after the first.
                stdin.write_all(&to_send[..5000]).unwrap();
                thread::sleep(Duration::from_millis(50));
                stdin.write_all(&to_send[5000..]).unwrap();
            });
            let output = child.wait_with_output().unwrap();
            writing.join().unwrap();
            assert!(
                output.stdout == given,
                "round {round}: {} bytes",
                output.stdout.len()
            );
            let report = String::from_utf8(output.stderr).unwrap();
            let in_syn = report.contains("in the SYN 0 of");
            assert_eq!(in_syn, carried == 0, "{report}");
        }
    }
}

fn what_fails_is_told() {
    let lab = near();
    let nobody = target(server(&lab).ipv4().into(), 9);
    let (reports, status) = send(client(&lab), &[&nobody, "hello"]);
    assert_eq!((&reports[0]["outcome"], status), (&serde_json::Value::Null, 1));
    assert!(
        reports[0]["error"]
            .as_str()
            .unwrap()
            .contains("Connection refused")
    );
    let (reports, status) = send(client(&lab), &["--timeout", "500ms", "192.0.2.99:9", "hello"]);
    assert_eq!(status, 1);
    let attempts = reports[0]["attempts"].as_array().unwrap();
    assert!(
        attempts.iter().all(|attempt| attempt["end"] == "unanswered"),
        "{attempts:?}"
    );
    server(&lab).set_sysctl("net.ipv4.tcp_fastopen", "1").unwrap();
    let tfo = Server::start(server(&lab), &[]);
    let (reports, status) = send(
        client(&lab),
        &[&target(server(&lab).ipv4().into(), tfo.port), "hello"],
    );
    assert_eq!((&reports[0]["outcome"], status), (&"no-cookie".into(), 1));
    assert_eq!(reports[0]["cookie_cached"], false, "it granted none");
}

fn hostile_paths_are_told() {
    for (scenario, outcome) in [("option-stripped", "ignored"), ("data-dropped", "not-attempted")] {
        let lab = Lab::new(&Scenario::named(scenario).unwrap()).unwrap();
        let tfo = Server::start(server(&lab), &[]);
        let target = target(server(&lab).ipv4().into(), tfo.port);
        let (reports, _) = send(client(&lab), &["-n3", &target, "hello"]);
        assert_eq!(reports[2]["outcome"], outcome, "{scenario}: {}", reports[2]);
        for report in &reports {
            assert_eq!(
                (&report["sent"], &report["received"]),
                (&5.into(), &5.into()),
                "{scenario}"
            );
        }
    }
}

fn this_machine_s_own_fault_is_told() {
    let lab = near();
    let tfo = Server::start(server(&lab), &[]);
    let target = target(server(&lab).ipv4().into(), tfo.port);
    for arguments in [
        ["--interface", "nope", &target, "hello"],
        ["--source", "10.9.9.9", &target, "hello"],
    ] {
        assert_eq!(send(client(&lab), &arguments).1, 2, "{arguments:?}");
    }
    // A machine without IPv6 has not even the loopback address.
    client(&lab)
        .set_sysctl("net.ipv6.conf.all.disable_ipv6", "1")
        .unwrap();
    for policy in ["auto", "off"] {
        let arguments = ["-6", "--policy", policy, ":9", "hello"];
        let output = tfo_send(client(&lab), &arguments).output().unwrap();
        let report = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{report}");
        assert!(report.contains("Cannot assign requested address"), "{report}");
        assert!(report.contains("hint: this machine has no address"), "{report}");
    }
    client(&lab).set_sysctl("net.ipv4.tcp_fastopen", "2").unwrap();
    let (reports, status) = send(client(&lab), &[&target, "hello"]);
    assert_eq!((&reports[0]["reason"], status), (&"sysctl".into(), 2));
    assert_eq!(reports[0]["received"], 5, "it connected all the same");
    assert_eq!(
        send(client(&lab), &["--policy", "require", &target, "hello"]).1,
        2
    );
}

fn a_silent_server_is_not_waited_for() {
    let lab = near();
    let listener = server(&lab).run(|| TcpListener::bind("[::]:80")).unwrap();
    let target = target(server(&lab).ipv4().into(), 80);
    let (reports, _) = send(client(&lab), &["--timeout", "300ms", &target, "hello"]);
    assert_eq!(reports[0]["end"], "silent");
    drop(listener);
}

fn ctrl_c_still_prints_the_report() {
    let lab = near();
    let listener = server(&lab).run(|| TcpListener::bind("[::]:80")).unwrap();
    let program = Program::start(tfo_send(
        client(&lab),
        &["--json", &target(server(&lab).ipv4().into(), 80), "hello"],
    ));
    let (mut stream, _) = listener.accept().unwrap();
    stream.read_exact(&mut [0; 5]).unwrap();
    program.signal(Signal::INT);
    let (lines, _, _) = program.end();
    let report = send_report(&lines[0]);
    assert_eq!(
        (&report["end"], &report["sent"]),
        (&"interrupted".into(), &5.into())
    );
}

fn an_interruption_before_the_answer_is_inconclusive() {
    let lab = near();
    let listener = server(&lab).run(|| TcpListener::bind("[::]:80")).unwrap();
    let here = target(server(&lab).ipv4().into(), 80);
    for signal in [Signal::TERM, Signal::INT] {
        let arguments = ["--json", "--policy", "off", &here, "hello"];
        let program = Program::start(tfo_send(client(&lab), &arguments));
        let (mut stream, _) = listener.accept().unwrap();
        stream.read_exact(&mut [0; 5]).unwrap();
        // Until this side's FIN, and so all of the data, is acknowledged.
        assert_eq!(stream.read(&mut [0; 5]).unwrap(), 0);
        thread::sleep(Duration::from_millis(100));
        program.signal(signal);
        let (lines, _, status) = program.end();
        let report = send_report(&lines[0]);
        assert_eq!(
            (&report["end"], status.code()),
            (&"interrupted".into(), Some(3)),
            "{report}"
        );
    }
}

fn a_refused_syn_is_told_from_a_lost_one() {
    let cookie = |rule: Rule| {
        rule.from("client")
            .on(SegmentKind::Syn)
            .with_option(OptionState::Cookie)
    };
    for (rule, said, hint) in [
        (
            cookie(Rule::reset()),
            "was refused (answered with a reset)",
            "by a reset",
        ),
        (
            cookie(Rule::prohibit()),
            "was answered with an ICMP error",
            "refuses SYNs",
        ),
        (cookie(Rule::drop()), "got no answer", "drops SYNs"),
    ] {
        let scenario = Scenario::new("test")
            .with_rtt(Duration::from_millis(2))
            .with_rule(rule);
        let lab = Lab::new(&scenario).unwrap();
        let tfo = Server::start(server(&lab), &[]);
        let target = target(server(&lab).ipv4().into(), tfo.port);
        send(client(&lab), &[&target, "hello"]);
        let output = tfo_send(client(&lab), &[&target, "hello"]).output().unwrap();
        let report = String::from_utf8(output.stderr).unwrap();
        assert!(report.starts_with("syn-lost: "), "{report}");
        assert!(report.contains(said), "{said:?} is not in: {report}");
        assert!(report.contains(hint), "{hint:?} is not in: {report}");
        let claims_a_drop = report.contains("no answer") || report.contains("drops");
        assert_eq!(claims_a_drop, said == "got no answer", "{report}");
        let refused = said != "got no answer";
        let arguments = ["--policy", "require", "--timeout", "500ms", &target, "hello"];
        let output = tfo_send(client(&lab), &arguments).output().unwrap();
        let report = String::from_utf8(output.stderr).unwrap();
        let advice = report.contains("without Fast Open: --policy off");
        assert_eq!((advice, output.status.code()), (refused, Some(1)), "{report}");
    }
}

fn it_ends_quietly_with_its_reader() {
    let lab = near();
    let tfo = Server::start(server(&lab), &[]);
    let mut child = spawn_piped(&mut tfo_send(
        client(&lab),
        &[&target(server(&lab).ipv4().into(), tfo.port), "-"],
    ));
    let mut stdout = child.stdout.take().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writing = thread::spawn(move || while stdin.write_all(&[b'y'; 4096]).is_ok() {});
    stdout.read_exact(&mut [0; 1]).unwrap();
    drop(stdout);
    assert_eq!(wait(&mut child).code(), Some(0));
    writing.join().unwrap();
    let mut errors = String::new();
    child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    assert_eq!(errors, "");
}

fn the_report_for_people() {
    let lab = near();
    let tfo = Server::start(server(&lab), &[]);
    let target = target(server(&lab).ipv4().into(), tfo.port);
    let saved = tempfile::NamedTempFile::new().unwrap();
    let file = saved.path().to_str().unwrap();
    let output = tfo_send(client(&lab), &["-n2", "-e", "-o", file, &target, r"a\x00\n"])
        .output()
        .unwrap();
    assert_eq!(output.stdout, b"");
    assert_eq!(fs::read(file).unwrap(), b"a\0\na\0\n");
    let report = String::from_utf8(output.stderr).unwrap();
    assert!(report.starts_with("1/2 no-cookie: "), "{report}");
    assert!(report.contains("\n2/2 accepted: "), "{report}");
    assert!(report.contains("in the SYN 3 of the 3 bytes given\n"), "{report}");
    assert!(!report.contains("hint:"), "there is nothing to do: {report}");
}

fn json_has_an_object_for_every_failure() {
    let lab = near();
    let tfo = Server::start(server(&lab), &[]);
    let here = target(server(&lab).ipv4().into(), tfo.port);
    let nobody = target(server(&lab).ipv4().into(), 9);
    for (arguments, status) in [
        (&["no..body:1", "hello"][..], 2),
        (&["-6", &here, "hello"], 2),
        (&["-n2", &here, "-"], 2),
        (&["-e", &here, "\\q"], 2),
        (&["--output", "/no/such/folder/file", &here, "hello"], 2),
        (&["--output", "/dev/full", &here, "hello"], 2),
        (&["--interface", "nope", &here, "hello"], 2),
        (&["--source", "10.9.9.9", &here, "hello"], 2),
        (&["--source", "::1", &here, "hello"], 2),
        (&["--policy", "require", &nobody, "hello"], 1),
        (&[&nobody, "hello"], 1),
        (&["--timeout", "300ms", "192.0.2.99:9", "hello"], 1),
    ] {
        let (reports, code) = send(client(&lab), arguments);
        assert_eq!((reports.len(), code), (1, status), "{arguments:?}: {reports:?}");
        assert!(reports[0]["error"].is_string(), "{arguments:?}: {}", reports[0]);
        assert_eq!(reports[0]["connection"], 1, "{arguments:?}");
    }
    // A folder can't be read.
    let output = tfo_send(client(&lab), &["--json", &here, "-"])
        .stdin(fs::File::open("/").unwrap())
        .output()
        .unwrap();
    let report = send_report(&String::from_utf8(output.stdout).unwrap());
    assert_eq!(output.status.code(), Some(2));
    assert!(
        report["error"]
            .as_str()
            .unwrap()
            .starts_with("reading standard input: "),
        "{report}"
    );
}

fn this_machine_needs_no_name() {
    let lab = near();
    let tfo = Server::start(server(&lab), &[]);
    let port = format!(":{}", tfo.port);
    for (arguments, address) in [
        (&["-6", &port, "hello"][..], "[::1]"),
        (&["-4", &port, "hello"], "127.0.0.1"),
        (&[&port, "hello"], "[::1]"),
    ] {
        let (reports, _) = send(server(&lab), arguments);
        assert_eq!(reports[0]["address"], format!("{address}:{}", tfo.port));
    }
}
