//! Watching the interfaces of a lab's host.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, Stdio};
use std::time::Duration;

use fastopen::{ListenOptions, Outcome, ReplaySafe};
use fastopen_lab::testing::{LabTest, program, test};
use fastopen_lab::{Host, Lab, Scenario};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::{PORT, at, connector, finish, reports, serve, verdicts};

pub(crate) fn tests() -> impl Iterator<Item = LabTest> {
    [
        test(
            "live::each_handshake_is_told_as_it_happens",
            each_handshake_is_told_as_it_happens,
        ),
        test(
            "live::only_what_was_asked_for_is_told",
            only_what_was_asked_for_is_told,
        ),
        test("live::loopback_is_seen_once", loopback_is_seen_once),
        test(
            "live::an_interface_that_goes_down_ends_it",
            an_interface_that_goes_down_ends_it,
        ),
        test("live::wrong_interfaces_are_named", wrong_interfaces_are_named),
    ]
    .into_iter()
}

/// `tfo trace` that watches.
struct Watch {
    child: Child,
    errors: BufReader<ChildStderr>,
}

impl Watch {
    fn start(host: &Host, arguments: &[&str]) -> Self {
        let mut command = host.command(env!("CARGO_BIN_EXE_tfo")).unwrap();
        command.arg("trace").args(arguments);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut errors = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        errors.read_line(&mut line).unwrap();
        assert!(line.starts_with("watching "), "{line}");
        Self { child, errors }
    }

    /// Ctrl-C; the output, what was said besides, and the exit status.
    fn stop(self) -> (Vec<u8>, String, i32) {
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
        self.end()
    }

    fn end(mut self) -> (Vec<u8>, String, i32) {
        let output = self.child.wait_with_output().unwrap();
        let mut errors = String::new();
        self.errors.read_to_string(&mut errors).unwrap();
        (output.stdout, errors, output.status.code().unwrap())
    }
}

fn lab() -> Lab {
    Lab::new(&Scenario::new("near").with_rtt(Duration::from_millis(5))).unwrap()
}

fn connect(lab: &Lab, family: usize) -> Outcome {
    let address = at(lab.server().unwrap().addresses()[family]);
    let connected = lab
        .client()
        .unwrap()
        .run(|| connector().connect(address, ReplaySafe("hello")))
        .unwrap();
    let outcome = connected.outcome;
    finish(connected.stream);
    outcome
}

fn each_handshake_is_told_as_it_happens() {
    let lab = lab();
    let server = lab.server().unwrap();
    let _served = serve([server], &ListenOptions::new());
    let mut watches: Vec<Watch> = [
        (lab.client(), &["--json"][..]),
        (lab.server(), &["-i", "eth0", "--json"]),
    ]
    .into_iter()
    .map(|(host, arguments)| Watch::start(host.unwrap(), arguments))
    .collect();
    for family in [0, 1] {
        assert_eq!(connect(&lab, family), Outcome::NoCookie);
        assert_eq!(connect(&lab, family), Outcome::Accepted);
    }
    let mut outputs = Vec::new();
    for watch in &mut watches {
        let mut lines = BufReader::new(watch.child.stdout.take().unwrap());
        let mut text = String::new();
        for _ in 0..4 {
            lines.read_line(&mut text).unwrap();
        }
        outputs.push((text, lines));
    }
    for (watch, (text, mut rest)) in watches.into_iter().zip(outputs) {
        let (_, errors, status) = watch.stop();
        assert_eq!(status, 0, "{errors}");
        let told = reports(text.as_bytes());
        assert_eq!(
            verdicts(&told),
            ["cookie-granted", "accepted", "cookie-granted", "accepted"]
        );
        assert_eq!(
            (&told[1]["syn"]["data_bytes"], &told[1]["syn_ack"]["acked_bytes"]),
            (&5.into(), &5.into())
        );
        let all = "4 connections: 2 accepted, 2 cookie-granted; 2 round trips saved\n";
        assert!(errors.starts_with(all), "{errors}");
        for address in server.addresses() {
            let address = at(address).to_string();
            let line = errors
                .lines()
                .find(|line| line.trim_start().starts_with(&address));
            let line = line.unwrap_or_else(|| panic!("{address}: {errors}"));
            assert!(line.ends_with(" 2: 1 accepted, 1 cookie-granted"), "{line}");
        }
        let mut more = String::new();
        rest.read_to_string(&mut more).unwrap();
        assert_eq!(more, "");
    }
}

fn only_what_was_asked_for_is_told() {
    let lab = lab();
    let server = lab.server().unwrap();
    let _served = serve([server], &ListenOptions::new());
    let other = server.run(|| std::net::TcpListener::bind("[::]:81")).unwrap();
    let [ipv4, ipv6] = server.addresses();
    let client = lab.client().unwrap();
    let [v4, v6] = [ipv4, ipv6].map(|address| address.to_string());
    let watches = [
        (&["--port", "80"][..], vec![(ipv4, 80), (ipv6, 80)]),
        (&["--host", &v4], vec![(ipv4, 80), (ipv4, 81)]),
        (&["--host", &v6, "--port", "81"], vec![(ipv6, 81)]),
        (&["--host", "203.0.113.9"], vec![]),
    ]
    .map(|(arguments, expected)| {
        let arguments = [arguments, &["--json"]].concat();
        (Watch::start(client, &arguments), expected)
    });
    for port in [PORT, 81] {
        for address in [ipv4, ipv6] {
            drop(client.run(|| TcpStream::connect((address, port))).unwrap());
        }
    }
    drop(other);
    // The kernel hands over its packets within a twentieth of a second.
    std::thread::sleep(Duration::from_millis(300));
    for (watch, expected) in watches {
        let (output, errors, _) = watch.stop();
        let mut told: Vec<String> = reports(&output)
            .iter()
            .map(|report| report["server"].as_str().unwrap().to_owned())
            .collect();
        told.sort();
        let mut expected: Vec<String> = expected
            .into_iter()
            .map(|address| std::net::SocketAddr::from(address).to_string())
            .collect();
        expected.sort();
        assert_eq!(told, expected, "{errors}");
    }
}

fn loopback_is_seen_once() {
    let lab = lab();
    let server = lab.server().unwrap();
    let _served = serve([server], &ListenOptions::new());
    let watch = Watch::start(server, &["--json"]);
    drop(server.run(|| TcpStream::connect(("127.0.0.1", PORT))).unwrap());
    std::thread::sleep(Duration::from_millis(300));
    let (output, errors, _) = watch.stop();
    let told = reports(&output);
    assert_eq!(verdicts(&told), ["plain"], "{errors}");
    assert_eq!(told[0]["evidence"], Value::from(2), "each packet counts once");
}

fn an_interface_that_goes_down_ends_it() {
    let lab = lab();
    let server = lab.server().unwrap();
    let _served = serve([server], &ListenOptions::new());
    let watch = Watch::start(server, &["-i", "eth0"]);
    assert_eq!(connect(&lab, 0), Outcome::NoCookie);
    std::thread::sleep(Duration::from_millis(300));
    let mut ip = program(server, "ip");
    assert!(
        ip.args(["link", "set", "eth0", "down"])
            .status()
            .unwrap()
            .success()
    );
    let (output, errors, status) = watch.end();
    assert_eq!(status, 2, "{errors}");
    let text = String::from_utf8(output).unwrap();
    assert!(text.starts_with("cookie-granted "), "{text}");
    assert!(text.ends_with("1 connection: 1 cookie-granted\n"), "{text}");
    assert!(errors.contains("Network is down"), "{errors}");
}

fn wrong_interfaces_are_named() {
    let lab = lab();
    let mut command = lab.client().unwrap().command(env!("CARGO_BIN_EXE_tfo")).unwrap();
    let output = command.args(["trace", "-i", "eth7"]).output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        (output.status.code(), output.stdout),
        (Some(2), vec![]),
        "{errors}"
    );
    assert!(errors.starts_with("error: can't watch eth7\n"), "{errors}");
}
