//! Paths and destinations that do not work: nothing hangs, and nothing is worse than without.

use std::net::TcpListener;

use fastopen_lab::testing::{LabTest, test};
use fastopen_lab::{HostSpec, OptionState, Rule, SegmentKind};

use super::support::{http, rounds, serve, world, world_with};

pub(crate) fn tests() -> Vec<LabTest> {
    vec![
        test("fast_open_switched_off", fast_open_switched_off),
        test("a_server_without_fast_open", a_server_without_fast_open),
        test("an_option_dropping_path", an_option_dropping_path),
        test("a_destination_that_dies", a_destination_that_dies),
        test("a_first_address_that_refuses", a_first_address_that_refuses),
        test("a_server_that_never_answers", a_server_that_never_answers),
    ]
}

const CURL: &[&str] = &["curl", "-s", "http://192.0.2.2/"];

fn fast_open_switched_off() {
    let world = world_with(HostSpec::new("client").with_sysctl("net.ipv4.tcp_fastopen", "0"));
    serve(world.server(), 80, http);
    let bare = world.bare(&CURL).output().unwrap();
    let ran = world.run(&[], &CURL);
    assert_eq!(ran.output, bare);
    assert_eq!(ran.report["rows"][0]["reason"], "sysctl", "{:#}", ran.report);
}

fn a_server_without_fast_open() {
    let world = world();
    let listener = world.server().run(|| TcpListener::bind(("::", 80)).unwrap());
    world.server().spawn(move || {
        listener
            .incoming()
            .flatten()
            .for_each(|stream| drop(http(stream)));
    });
    let bare = world.bare(&CURL).output().unwrap();
    for _ in 0..3 {
        let ran = world.run(&[], &CURL);
        assert_eq!((&ran.output, ran.row(80).0), (&bare, "no-cookie"));
    }
}

/// The first loss costs a second; from then on the destination is plain.
fn an_option_dropping_path() {
    let world = world();
    serve(world.server(), 80, http);
    let bare = world.bare(&CURL).output().unwrap();
    assert_eq!(world.run(&[], &CURL).row(80).0, "no-cookie");
    let fast = world.run(&[], &CURL);
    assert_eq!(fast.row(80).0, "accepted", "{:#}", fast.report);
    let rule = Rule::drop()
        .from("client")
        .on(SegmentKind::Syn)
        .with_option(OptionState::Cookie);
    world.lab.set_rules([rule]).unwrap();
    let lost = world.run(&[], &CURL);
    assert_eq!((&lost.output, lost.row(80).0), (&bare, "syn-lost"));
    let capture = world.lab.capture();
    let plain = world.run(&[], &CURL);
    assert_eq!(
        (&plain.output, plain.row(80)),
        (&bare, ("not-attempted", "failed-lately"))
    );
    assert_eq!(rounds(&capture, 80), [2]);
}

/// It costs one connection its error at connect(), and then it is plain: the next program sees what it would have seen.
fn a_destination_that_dies() {
    let world = world();
    let host = world.server();
    let listener = host.run(|| fastopen::listen(("::", 80))).unwrap();
    let server = host.spawn(move || {
        for _ in 0..3 {
            http(listener.accept().unwrap().0).unwrap();
        }
    });
    for outcome in ["no-cookie", "accepted", "accepted"] {
        assert_eq!(world.run(&[], &CURL).row(80).0, outcome);
    }
    server.join().unwrap();
    let bare = world.bare(&CURL).output().unwrap();
    assert_eq!(bare.status.code(), Some(7), "connection refused");
    let first = world.run(&[], &CURL);
    assert!(!first.output.status.success());
    let second = world.run(&[], &CURL);
    assert_eq!(second.output, bare, "{:#}", second.report);
    assert_eq!(second.row(80).1, "failed-lately");
}

/// A host with two addresses of which the first refuses: the program goes on to the second.
fn a_first_address_that_refuses() {
    let world = world();
    let host = world.server();
    let listener = host.run(|| fastopen::listen((host.ipv4(), 80))).unwrap();
    host.spawn(move || {
        listener
            .incoming()
            .flatten()
            .for_each(|stream| drop(http(stream)));
    });
    let script = format!(
        "import socket\nfor a in ['{}', '{}']:\n    try:\n        s = socket.create_connection((a, 80)); break\n    except OSError as e: print(e)\n\
         s.sendall(b'GET / HTTP/1.0\\r\\n\\r\\n')\nprint(s.makefile().read())",
        host.ipv6(),
        host.ipv4()
    );
    let program = ["python3", "-c", &script];
    let bare = world.bare(&program).output().unwrap();
    assert!(
        String::from_utf8_lossy(&bare.stdout).contains("refused"),
        "{bare:?}"
    );
    for _ in 0..3 {
        assert_eq!(world.run(&[], &program).output, bare);
    }
}

/// It accepts and says nothing: the program's own time limit holds.
fn a_server_that_never_answers() {
    let world = world();
    serve(world.server(), 80, |mut stream| {
        std::io::copy(&mut stream, &mut std::io::sink()).map(drop)
    });
    let curl = ["curl", "-s", "--max-time", "1", "http://192.0.2.2/"];
    let bare = world.bare(&curl).output().unwrap();
    assert_eq!(bare.status.code(), Some(28));
    for _ in 0..3 {
        assert_eq!(world.run(&[], &curl).output, bare);
    }
}
