//! `tfo send --server-first`: what it tells of servers that speak first, and that it waits for them.

use std::io::Write;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::process::Output;
use std::thread;
use std::time::Duration;

use fastopen_lab::Lab;
use fastopen_lab::testing::{LabTest, Running, program, test};

use crate::piped::spawn_piped;
use crate::programs::{client, lab, milliseconds, near, send, server, target, tfo_send};

/// Long, so that what a busy machine adds is little beside it.
const RTT: Duration = Duration::from_millis(200);
const GREETING: &str = "220 mail.example.com ESMTP\r\n";

pub(crate) fn tests() -> Vec<LabTest> {
    vec![
        test(
            "a_greeting_comes_one_round_trip_sooner",
            a_greeting_comes_one_round_trip_sooner,
        ),
        test("data_waits_for_the_greeting", data_waits_for_the_greeting),
        test("a_slow_greeting_proves_nothing", a_slow_greeting_proves_nothing),
        test(
            "without_a_greeting_nothing_is_sent",
            without_a_greeting_nothing_is_sent,
        ),
        test(
            "without_data_it_names_the_option_for_servers_that_speak_first",
            without_data_it_names_the_option,
        ),
    ]
}

/// A server of SMTP with Fast Open that greets after so many seconds.
fn smtp(lab: &Lab, greets_after: &str) -> Running {
    let mut command = program(server(lab), "python3");
    command.args(["-c", include_str!("smtp.py"), greets_after]);
    let mut running = Running::start(command);
    for address in server(lab).addresses() {
        running.await_port(server(lab), SocketAddr::new(address, 25));
    }
    running
}

fn port_25(address: IpAddr) -> String {
    target(address, 25)
}

/// What people see: standard output and standard error.
fn seen(output: Output) -> (String, String, i32) {
    let [out, report] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    (out, report, output.status.code().unwrap())
}

fn a_greeting_comes_one_round_trip_sooner() {
    let lab = lab(RTT);
    let _smtp = smtp(&lab, "0");
    for address in server(&lab).addresses() {
        let target = port_25(address);
        let (reports, status) = send(client(&lab), &["--server-first", "-n3", &target]);
        let outcomes: Vec<_> = reports.iter().map(|report| &report["outcome"]).collect();
        assert_eq!(outcomes, ["no-cookie", "accepted", "accepted"], "{reports:#?}");
        assert_eq!(status, 0);
        let rounds = |i: usize| milliseconds(&reports[i]["first_byte_rounds"]);
        assert!(rounds(0) > 1.9, "{reports:#?}");
        assert!(rounds(1).min(rounds(2)) < 1.3, "{reports:#?}");
        for report in &reports {
            assert_eq!(report["server_first"], true);
            assert_eq!(
                (&report["syn_bytes"], &report["sent"], &report["received"]),
                (&0.into(), &0.into(), &GREETING.len().into())
            );
            assert_eq!(
                (&report["delivery"], &report["end"]),
                (&"complete".into(), &"closed".into())
            );
        }
        let (reports, status) = send(client(&lab), &["--server-first", "--policy", "off", &target]);
        assert_eq!((&reports[0]["reason"], status), (&"policy".into(), 0));
        assert!(
            milliseconds(&reports[0]["first_byte_rounds"]) > 1.9,
            "{reports:#?}"
        );

        let (out, report, status) = seen(
            tfo_send(client(&lab), &["--server-first", &target])
                .output()
                .unwrap(),
        );
        assert_eq!((out.as_str(), status), (GREETING, 0), "{report}");
        assert!(
            report.starts_with("accepted: the server spoke before this client's ACK"),
            "{report}"
        );
        assert!(
            report.contains("in the SYN the cookie, and no data\n"),
            "{report}"
        );
        assert!(report.contains(" round trips)\n"), "{report}");
    }
}

fn data_waits_for_the_greeting() {
    let lab = near();
    let _smtp = smtp(&lab, "0.3");
    let target = port_25(server(&lab).ipv4().into());
    let both = format!("{GREETING}221 bye\r\n");
    let arguments = ["--server-first", "-n2", "-e", &target, r"QUIT\r\n"];
    let (out, report, _) = seen(tfo_send(client(&lab), &arguments).output().unwrap());
    assert_eq!(out, both.repeat(2), "{report}");
    assert!(report.contains("sent       6 bytes\n"), "{report}");

    let mut child = spawn_piped(&mut tfo_send(client(&lab), &["--server-first", &target, "-"]));
    let mut stdin = child.stdin.take().unwrap();
    let writing = thread::spawn(move || stdin.write_all(b"QUIT\r\n").unwrap());
    let (out, report, _) = seen(child.wait_with_output().unwrap());
    writing.join().unwrap();
    assert_eq!(out, both, "{report}");

    // The same without the option: the server is spoken to before it has spoken.
    let (out, ..) = seen(
        tfo_send(client(&lab), &["-e", &target, r"QUIT\r\n"])
            .output()
            .unwrap(),
    );
    assert!(out.starts_with("554 "), "{out}");
}

fn a_slow_greeting_proves_nothing() {
    let lab = lab(RTT / 10);
    let _smtp = smtp(&lab, "0.3");
    let target = port_25(server(&lab).ipv6().into());
    let arguments = ["--server-first", "-n2", &target];
    let (_, report, status) = seen(tfo_send(client(&lab), &arguments).output().unwrap());
    assert_eq!(status, 3, "{report}");
    assert!(report.contains("2/2 unknown: "), "{report}");
    assert!(report.contains("too late to prove"), "{report}");
    assert!(report.contains("--policy off"), "{report}");
}

fn without_a_greeting_nothing_is_sent() {
    let lab = near();
    let listener: TcpListener = server(&lab).run(|| fastopen::listen("[::]:25")).unwrap();
    let target = port_25(server(&lab).ipv4().into());
    let silent = ["--server-first", "--timeout", "300ms", &target];
    for (policy, arguments, delivery, code) in [
        ("auto", &[][..], "complete", 3),
        ("off", &[], "complete", 3),
        ("auto", &["hello"], "cut-off", 1),
        ("off", &["hello"], "cut-off", 1),
    ] {
        let arguments = [&silent[..], &["--policy", policy], arguments].concat();
        let (reports, status) = send(client(&lab), &arguments);
        assert_eq!(status, code, "{arguments:?}: {}", reports[0]);
        assert_eq!(
            (&reports[0]["end"], &reports[0]["sent"], &reports[0]["delivery"]),
            (&"silent".into(), &0.into(), &delivery.into())
        );
    }
    // Now it closes without a word.
    thread::spawn(move || listener.incoming().for_each(drop));
    let (reports, status) = send(client(&lab), &[&silent[..], &["hello"]].concat());
    assert_eq!((&reports[0]["sent"], status), (&0.into(), 1), "{}", reports[0]);
    assert_eq!(reports[0]["end"], "closed", "{}", reports[0]);
}

fn without_data_it_names_the_option() {
    let lab = near();
    let _smtp = smtp(&lab, "0");
    let target = port_25(server(&lab).ipv4().into());
    let (_, report, status) = seen(tfo_send(client(&lab), &[&target]).output().unwrap());
    assert_eq!(status, 3, "{report}");
    assert!(report.contains("not-attempted (dataless)"), "{report}");
    assert!(report.contains("tfo send --server-first ADDR"), "{report}");
}
