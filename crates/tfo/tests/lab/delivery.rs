//! `tfo send`: what became of the data after the handshake.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use fastopen_lab::testing::{LabTest, test};
use fastopen_lab::{Lab, Rule, Scenario};
use serde_json::Value;

use crate::programs::{Server, client, near, send, send_report, server, target, tfo_send};

pub(crate) fn tests() -> Vec<LabTest> {
    vec![
        test(
            "an_upload_that_was_cut_off_fails",
            an_upload_that_was_cut_off_fails,
        ),
        test("a_whole_upload_works", a_whole_upload_works),
        test(
            "over_multipath_tcp_no_more_is_said_than_is_known",
            over_multipath_tcp_no_more_is_said_than_is_known,
        ),
        test("a_server_that_stops_reading_is_no_broken_path", || {
            no_broken_path(|stream| stream, "then stopped taking more");
        }),
        test("a_server_that_resets_is_no_broken_path", || {
            let read_and_reset = |mut stream: TcpStream| {
                let _ = stream.read(&mut [0; 100]);
                drop(stream);
            };
            no_broken_path(read_and_reset, "reset the connection without an answer");
        }),
        test("data_that_goes_on_the_line_may_be_reset", data_may_be_reset),
        test(
            "what_was_accepted_and_never_answered_saved_nothing",
            what_was_accepted_and_never_answered_saved_nothing,
        ),
        test(
            "a_server_that_never_answers_is_inconclusive",
            a_server_that_never_answers_is_inconclusive,
        ),
        test(
            "an_ordinary_end_without_an_answer_works",
            an_ordinary_end_without_an_answer_works,
        ),
        test(
            "a_path_that_drops_the_answer_is_inconclusive",
            a_path_that_drops_the_answer_is_inconclusive,
        ),
    ]
}

/// What the kernel tells of the first subflow is not what became of the data.
fn over_multipath_tcp_no_more_is_said_than_is_known() {
    let lab = near();
    let tfo = Server::start(server(&lab), &[]);
    let target = target(server(&lab).ipv4().into(), tfo.port);
    send(client(&lab), &["--mptcp", &target, "hello"]);
    for _ in 0..10 {
        let (reports, status) = send(client(&lab), &["--mptcp", &target, "hello"]);
        let report = &reports[0];
        assert_eq!(
            (&report["end"], &report["delivery"]),
            (&"closed".into(), &Value::Null)
        );
        let expected = i32::from(report["outcome"] != "accepted") * 3;
        assert_eq!(status, expected, "{report}");
    }
}

/// A server with Fast Open that treats each connection so, but the first, which only brings a cookie.
fn serve(lab: &Lab, treat: impl Fn(TcpStream) + Send + 'static) -> String {
    let listener: TcpListener = server(lab).run(|| fastopen::listen("[::]:0")).unwrap();
    let target = target(server(lab).ipv4().into(), listener.local_addr().unwrap().port());
    thread::spawn(move || {
        let mut first = listener.accept().unwrap().0;
        first.read_to_end(&mut Vec::new()).unwrap();
        drop(first);
        while let Ok((stream, _)) = listener.accept() {
            treat(stream);
        }
    });
    send(client(lab), &[&target, "hello"]);
    target
}

/// What follows the SYN arrives and is acknowledged, and yet the server does not answer: the path is not to blame.
fn no_broken_path<T: Send + 'static>(treat: impl Fn(TcpStream) -> T + Send + 'static, said: &str) {
    let lab = near();
    let (keep, kept) = std::sync::mpsc::channel();
    let target = serve(&lab, move |stream| drop(keep.send(treat(stream))));
    let mut child = tfo_send(client(&lab), &["--timeout", "500ms", &target, "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writing = thread::spawn(move || {
        let _ = stdin.write_all(&vec![b'x'; 8_000_000]);
    });
    let output = child.wait_with_output().unwrap();
    writing.join().unwrap();
    drop(kept);
    let report = String::from_utf8(output.stderr).unwrap();
    assert!(
        report.starts_with("accepted: ") && report.contains(said),
        "{report}"
    );
    assert!(!report.contains("on the path"), "{report}");
    assert_eq!(output.status.code(), Some(1), "{report}");
}

/// Sends so many bytes from standard input over a fast connection; the report and the exit status.
fn upload(lab: &Lab, target: &str, bytes: usize) -> (Value, Option<i32>) {
    let mut child = tfo_send(client(lab), &["--json", "--timeout", "500ms", target, "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writing = thread::spawn(move || {
        let _ = stdin.write_all(&vec![b'x'; bytes]);
    });
    let output = child.wait_with_output().unwrap();
    writing.join().unwrap();
    let line = String::from_utf8(output.stdout).unwrap();
    (send_report(&line), output.status.code())
}

fn read(stream: &mut TcpStream, bytes: usize) {
    stream.read_exact(&mut vec![0; bytes]).unwrap();
}

/// Lets the client send all of it first.
fn read_late(stream: &mut TcpStream) {
    while rustix::io::ioctl_fionread(&*stream).unwrap() < LITTLE as u64 {
        thread::sleep(Duration::from_millis(5));
    }
    read(stream, 1000);
}

/// It fits into the server's buffer.
const LITTLE: usize = 5000;

fn an_upload_that_was_cut_off_fails() {
    const MANY: usize = 30_000_000;
    let lab = near();
    for (what, bytes, delivery, treat) in [
        (
            "read a part, and close",
            MANY,
            "cut-off",
            (|mut stream| read(&mut stream, 100_000)) as fn(TcpStream),
        ),
        ("answer, and close", MANY, "cut-off", |mut stream| {
            read(&mut stream, 100_000);
            stream.write_all(b"enough").unwrap();
        }),
        ("read a part, and no more", MANY, "cut-off", |mut stream| {
            read(&mut stream, 100_000);
            thread::sleep(Duration::from_secs(3));
        }),
        // All of it is in the server's buffer by then.
        ("read a little of a little", LITTLE, "complete", |mut stream| {
            read_late(&mut stream);
        }),
        ("answer a little of a little", LITTLE, "complete", |mut stream| {
            read_late(&mut stream);
            stream.write_all(b"enough").unwrap();
        }),
    ] {
        let target = serve(&lab, treat);
        let (report, status) = upload(&lab, &target, bytes);
        assert_eq!(report["outcome"], "accepted", "{what}: {report}");
        assert_eq!(status, Some(1), "{what}: {report}");
        // A reset may be faster than the acknowledgment.
        if delivery == "cut-off" {
            assert_eq!(report["delivery"], delivery, "{what}: {report}");
        }
    }
}

fn a_whole_upload_works() {
    let lab = near();
    for treat in [
        (|mut stream| {
            let _ = stream.read_to_end(&mut Vec::new());
            stream.write_all(b"thanks").unwrap();
        }) as fn(TcpStream),
        |mut stream| {
            // It closes first, and reads on.
            stream.write_all(b"go on").unwrap();
            stream.shutdown(std::net::Shutdown::Write).unwrap();
            let _ = stream.read_to_end(&mut Vec::new());
        },
    ] {
        let target = serve(&lab, treat);
        let (report, status) = upload(&lab, &target, 3_000_000);
        assert_eq!(
            (&report["delivery"], status),
            (&"complete".into(), Some(0)),
            "{report}"
        );
        assert_eq!(report["sent"], 3_000_000);
        assert_eq!(report["end"], "closed", "{report}");
    }
}

fn data_may_be_reset() {
    let lab = near();
    for (answers, status) in [(true, 0), (false, 3)] {
        let target = serve(&lab, move |mut stream| {
            if answers {
                read(&mut stream, 1);
                stream.write_all(b"enough").unwrap();
                // The client has the answer before the reset takes it.
                thread::sleep(Duration::from_millis(300));
            }
        });
        let (reports, code) = send(client(&lab), &[&target, "hello"]);
        assert_eq!(reports[0]["outcome"], "accepted");
        assert_eq!(
            (&reports[0]["end"], code),
            (&"reset".into(), status),
            "{}",
            reports[0]
        );
    }
}

fn what_was_accepted_and_never_answered_saved_nothing() {
    let lab = Lab::new(&Scenario::named("blackhole").unwrap()).unwrap();
    let tfo = Server::start(server(&lab), &[]);
    for address in server(&lab).addresses() {
        let target = target(address, tfo.port);
        let arguments = ["-n2", "--timeout", "1500ms", &target, "hello"];
        let (reports, status) = send(client(&lab), &arguments);
        let last = &reports[1];
        assert_eq!((&last["outcome"], status), (&"accepted".into(), 1), "{last}");
        assert_eq!(
            (&last["delivery"], &last["received"]),
            (&"unacknowledged".into(), &0.into()),
            "{last}"
        );
        assert!(last["retransmits"].as_u64().unwrap() > 0, "{last}");
    }
    let target = target(server(&lab).ipv4().into(), tfo.port);
    let output = tfo_send(client(&lab), &["--timeout", "1500ms", &target, "hello"])
        .output()
        .unwrap();
    let report = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{report}");
    assert!(!report.contains("saved"), "{report}");
    assert!(report.contains("--policy off"), "{report}");
    // Plainly it works, and says so.
    let (reports, status) = send(client(&lab), &["--policy", "off", &target, "hello"]);
    assert_eq!((&reports[0]["received"], status), (&5.into(), 0));
}

fn a_server_that_never_answers_is_inconclusive() {
    let lab = near();
    let (keep, kept) = std::sync::mpsc::channel();
    let target = serve(&lab, move |stream| drop(keep.send(stream)));
    for policy in ["auto", "off"] {
        let arguments = ["--policy", policy, "--timeout", "500ms", &target, "hello"];
        let (reports, status) = send(client(&lab), &arguments);
        let report = &reports[0];
        assert_eq!((&report["end"], status), (&"silent".into(), 3), "{report}");
        assert_eq!(report["delivery"], "complete", "{report}");
    }
    let output = tfo_send(client(&lab), &["--timeout", "500ms", &target, "hello"])
        .output()
        .unwrap();
    let report = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{report}");
    assert!(report.contains("hint: only an answer shows"), "{report}");
    drop(kept);
}

/// As of an upload, to which a server need not say anything.
fn an_ordinary_end_without_an_answer_works() {
    let lab = near();
    let target = serve(&lab, |mut stream| {
        let _ = stream.read_to_end(&mut Vec::new());
    });
    for policy in ["auto", "off"] {
        let (reports, status) = send(client(&lab), &["--policy", policy, &target, "hello"]);
        let report = &reports[0];
        assert_eq!((&report["end"], status), (&"closed".into(), 0), "{report}");
        assert_eq!(
            (&report["delivery"], &report["received"]),
            (&"complete".into(), &0.into()),
            "{report}"
        );
    }
}

fn a_path_that_drops_the_answer_is_inconclusive() {
    let drop_answers = Rule::drop().from("server").with_data(true);
    let scenario = Scenario::new("test")
        .with_rtt(Duration::from_millis(2))
        .with_rule(drop_answers);
    let lab = Lab::new(&scenario).unwrap();
    let tfo = Server::start(server(&lab), &[]);
    let target = target(server(&lab).ipv4().into(), tfo.port);
    let arguments = ["-n2", "--timeout", "700ms", &target, "hello"];
    let (reports, status) = send(client(&lab), &arguments);
    let last = &reports[1];
    assert_eq!((&last["outcome"], status), (&"accepted".into(), 3), "{last}");
    assert_eq!((&last["end"], &last["received"]), (&"silent".into(), &0.into()));
}
