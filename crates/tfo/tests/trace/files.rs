//! Captures as files and streams, whole and damaged, and what is written of them.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::Command;
use std::time::Duration;

use fastopen::{ListenOptions, Outcome, ReplaySafe};
use fastopen_lab::testing::{LabTest, program_path, test};
use fastopen_lab::{Lab, Scenario};
use flate2::Compression;
use flate2::write::GzEncoder;
use rustix::process::{Pid, Signal, kill_process};

use crate::piped::spawn_piped;
use crate::support::{at, connector, finish, pcap, reports, serve, tfo_trace, trace, verdicts};

pub(crate) fn tests() -> impl Iterator<Item = LabTest> {
    [
        test(
            "files::every_way_to_read_tells_the_same",
            every_way_to_read_tells_the_same,
        ),
        test(
            "files::wireshark_shows_the_verdicts",
            wireshark_shows_the_verdicts,
        ),
        test(
            "files::what_is_left_of_a_capture_is_told",
            what_is_left_of_a_capture_is_told,
        ),
        test(
            "files::what_is_no_capture_is_refused",
            what_is_no_capture_is_refused,
        ),
        test("files::ctrl_c_ends_the_waiting", ctrl_c_ends_the_waiting),
        test(
            "files::it_ends_quietly_with_its_reader",
            it_ends_quietly_with_its_reader,
        ),
        test("files::for_people", for_people),
    ]
    .into_iter()
}

/// What the client of a lab saw of getting a cookie and using it.
fn capture() -> Vec<u8> {
    let lab = Lab::new(&Scenario::new("near").with_rtt(Duration::from_millis(5))).unwrap();
    let server = lab.server().unwrap();
    let _served = serve([server], &ListenOptions::new());
    let seen = lab.capture();
    for outcome in [Outcome::NoCookie, Outcome::Accepted] {
        let connected = lab
            .client()
            .unwrap()
            .run(|| connector().connect(at(server.ipv4().into()), ReplaySafe("hello")))
            .unwrap();
        assert_eq!(connected.outcome, outcome);
        finish(connected.stream);
    }
    let frames = seen.frames();
    pcap(
        frames
            .iter()
            .filter(|frame| frame.point == fastopen_lab::Point::Sent),
    )
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn every_way_to_read_tells_the_same() {
    let capture = capture();
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let [plain, zipped, ng] = ["a.pcap", "a.pcap.gz", "a.pcapng"].map(path);
    fs::write(&plain, &capture).unwrap();
    fs::write(&zipped, gzipped(&capture)).unwrap();
    let written = tfo_trace(&["--read", &plain, "--write", &ng]).output().unwrap();
    assert_eq!(written.status.code(), Some(0));
    let told = |arguments: &[&str], stdin: &[u8]| {
        let output = trace(&[arguments, &["--json"]].concat(), stdin);
        assert_eq!(output.status.code(), Some(0));
        let mut reports = reports(&output.stdout);
        for report in &mut reports {
            report["file"].take();
        }
        reports
    };
    let expected = told(&["--read", &plain], b"");
    assert_eq!(verdicts(&expected), ["cookie-granted", "accepted"]);
    assert_eq!(told(&["-r", &zipped], b""), expected);
    assert_eq!(told(&["-r", "-"], &capture), expected);
    assert_eq!(told(&["-r", "-"], &gzipped(&capture)), expected);
    assert_eq!(told(&["-r", &ng], b""), expected);
    assert_eq!(
        told(&["-r", &plain, &zipped], b""),
        [&expected[..], &expected].concat()
    );
    assert_eq!(
        told(&["-r", &plain, "--port", "81"], b""),
        [(); 0].map(serde_json::Value::from)
    );
    assert_eq!(told(&["-r", &plain, "--host", "192.0.2.2"], b""), expected);
}

fn wireshark_shows_the_verdicts() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("verdicts.pcapng");
    let file = file.to_str().unwrap();
    let output = trace(&["--read", "-", "--write", file], &capture());
    assert_eq!(output.status.code(), Some(0));
    let tshark = Command::new(program_path("tshark"))
        .args(["-r", file, "-Y", "frame.comment", "-T", "fields"])
        .args([
            "-e",
            "tcp.flags.str",
            "-e",
            "tcp.options.tfo.cookie",
            "-e",
            "frame.comment",
        ])
        .output();
    let output = tshark.unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{errors}");
    let lines = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = lines.lines().collect();
    let [granted, accepted] = lines[..] else {
        panic!("{lines:?}")
    };
    for (line, verdict) in [
        (granted, "tfo: cookie-granted: SYN-ACK grants cookie "),
        (
            accepted,
            "tfo: accepted: SYN-ACK acknowledges all 5: one round trip saved (after ",
        ),
    ] {
        assert!(line.contains("A··S") && line.contains(verdict), "{line}");
    }
}

fn what_is_left_of_a_capture_is_told() {
    let capture = capture();
    for (name, bytes) in [
        ("cut", capture[..capture.len() - 7].to_vec()),
        ("cut and gzipped", {
            let zipped = gzipped(&capture);
            zipped[..zipped.len() - 20].to_vec()
        }),
    ] {
        let output = trace(&["--read", "-", "--json"], &bytes);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{name}: {errors}");
        assert!(
            errors.contains("warning: standard input: the capture ends within the record at byte "),
            "{name}: {errors}"
        );
        let told = reports(&output.stdout);
        assert_eq!(verdicts(&told)[0], "cookie-granted", "{name}");
    }
    let mut damaged = capture.clone();
    let len = damaged.len();
    damaged.extend([0xff; 64]);
    let output = trace(&["--read", "-"], &damaged);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{errors}");
    assert!(errors.contains(&format!("damaged at byte {len}")), "{errors}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.ends_with("2 connections: 1 accepted, 1 cookie-granted; 1 round trip saved\n"),
        "{text}"
    );
}

fn what_is_no_capture_is_refused() {
    for input in [&b""[..], b"GET / HTTP/1.1\r\n\r\n"] {
        let output = trace(&["--read", "-"], input);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(
            (output.status.code(), output.stdout),
            (Some(2), vec![]),
            "{errors}"
        );
        assert!(errors.contains("\nhint: "), "{errors}");
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.pcap");
    fs::write(&file, capture()).unwrap();
    let file = file.to_str().unwrap();
    let output = tfo_trace(&["-r", file, "-w", file]).output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{errors}");
    assert!(
        fs::metadata(file).unwrap().len() > 1000,
        "the capture is still there"
    );
}

fn ctrl_c_ends_the_waiting() {
    let mut child = spawn_piped(&mut tfo_trace(&["--read", "-"]));
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&capture()).unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    assert!(line.starts_with("cookie-granted "), "before the end: {line}");
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let mut rest = String::new();
    lines.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("2 connections: "), "{rest}");
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), vec![]));
    drop(stdin);
}

fn it_ends_quietly_with_its_reader() {
    let capture = capture();
    let mut many = capture.clone();
    for _ in 0..2000 {
        many.extend(&capture[24..]);
    }
    let mut child = spawn_piped(&mut tfo_trace(&["--read", "-", "--ladder"]));
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let _ = stdin.write_all(&many);
        });
        stdout.read_exact(&mut [0; 1]).unwrap();
        drop(stdout);
        let output = child.wait_with_output().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), &*errors), (Some(0), ""));
    });
}

fn for_people() {
    let capture = capture();
    let dir = tempfile::tempdir().unwrap();
    let picture = dir.path().join("a.svg");
    let output = trace(
        &["--read", "-", "--ladder", "--svg", picture.to_str().unwrap()],
        &capture,
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let svg = fs::read_to_string(picture).unwrap();
    for said in [
        "SYN asks for a cookie",
        "SYN-ACK grants cookie ",
        "SYN carries 5 bytes and cookie ",
        "SYN-ACK acknowledges all 5: one round trip saved",
    ] {
        assert!(text.contains(said), "{text}");
        assert!(svg.contains(said), "{svg}");
    }
    assert!(text.contains("accepted  192.0.2.1:"), "{text}");
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"), "{svg}");
}
