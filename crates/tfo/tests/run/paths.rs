//! Paths and destinations that do not work: nothing hangs, and nothing is worse than without.

use std::net::{Ipv6Addr, TcpListener};

use fastopen_lab::testing::{LabTest, test};
use fastopen_lab::{HostSpec, OptionState, Rule, SegmentKind};

use super::support::{TFO, http, read_report, rounds, serve, world, world_with};

pub(crate) fn tests() -> Vec<LabTest> {
    vec![
        test("fast_open_switched_off", fast_open_switched_off),
        test("a_server_without_fast_open", a_server_without_fast_open),
        test("an_option_dropping_path", an_option_dropping_path),
        test("a_destination_that_dies", a_destination_that_dies),
        test("a_first_address_that_refuses", a_first_address_that_refuses),
        test("a_first_address_that_is_dead", a_first_address_that_is_dead),
        test("without_ipv6", without_ipv6),
        test("in_a_user_namespace", in_a_user_namespace),
        test("a_server_that_never_answers", a_server_that_never_answers),
    ]
}

const CURL: &[&str] = &["curl", "-s", "http://192.0.2.2/"];

fn fast_open_switched_off() {
    let world = world_with(HostSpec::new("client").with_sysctl("net.ipv4.tcp_fastopen", "0"));
    serve(world.server(), 80, http);
    let bare = world.bare(CURL).output().unwrap();
    let ran = world.run(&[], CURL);
    assert_eq!(
        (&ran.output.stdout, ran.output.status),
        (&bare.stdout, bare.status)
    );
    assert_eq!(ran.report["rows"][0]["reason"], "sysctl", "{:#}", ran.report);
    for (options, advice) in [
        (&["--require"][..], "tcp_fastopen=1"),
        (&["--require", "--listen"], "tcp_fastopen=2"),
    ] {
        let refused = world.under(options, CURL).output().unwrap();
        let said = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(
            (refused.status.code(), &refused.stdout[..]),
            (Some(2), &b""[..]),
            "{said}"
        );
        assert!(said.contains(advice), "{said}");
    }
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
    let bare = world.bare(CURL).output().unwrap();
    for _ in 0..3 {
        let ran = world.run(&[], CURL);
        assert_eq!((&ran.output, ran.row(80).0), (&bare, "no-cookie"));
    }
}

/// The first loss costs a second; from then on the destination is plain.
fn an_option_dropping_path() {
    let world = world();
    serve(world.server(), 80, http);
    let bare = world.bare(CURL).output().unwrap();
    assert_eq!(world.run(&[], CURL).row(80).0, "no-cookie");
    let fast = world.run(&[], CURL);
    assert_eq!(fast.row(80).0, "accepted", "{:#}", fast.report);
    let rule = Rule::drop()
        .from("client")
        .on(SegmentKind::Syn)
        .with_option(OptionState::Cookie);
    world.lab.set_rules([rule]).unwrap();
    let lost = world.run(&[], CURL);
    assert_eq!((&lost.output, lost.row(80).0), (&bare, "syn-lost"));
    let capture = world.lab.capture();
    let plain = world.run(&[], CURL);
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
        assert_eq!(world.run(&[], CURL).row(80).0, outcome);
    }
    server.join().unwrap();
    let bare = world.bare(CURL).output().unwrap();
    assert_eq!(bare.status.code(), Some(7), "connection refused");
    let first = world.run(&[], CURL);
    assert!(!first.output.status.success());
    let second = world.run(&[], CURL);
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

/// Nobody answers at the first of two addresses: curl's second attempt wins as it does without, and gets its round trip.
fn a_first_address_that_is_dead() {
    let world = world();
    serve(world.server(), 80, http);
    let server = world.server();
    let dead = Ipv6Addr::from_bits(server.ipv6().to_bits() + 0x77);
    let resolve = format!("lab:80:[{dead}],{}", server.ipv4());
    let curl = ["curl", "-s", "--resolve", &resolve, "http://lab/"];
    let capture = world.lab.capture();
    let bare = world.bare(&curl).output().unwrap();
    assert_eq!(rounds(&capture, 80), [2], "{bare:?}");
    for expected in [2, 1, 1] {
        let ran = world.run(&[], &curl);
        assert_eq!(
            (&ran.output, rounds(&capture, 80)),
            (&bare, vec![expected]),
            "{:#}",
            ran.report
        );
    }
}

fn without_ipv6() {
    let world = world_with(HostSpec::new("client").with_sysctl("net.ipv6.conf.all.disable_ipv6", "1"));
    serve(world.server(), 80, http);
    let resolve = format!("lab:80:[{}],{}", world.server().ipv6(), world.server().ipv4());
    let curl = ["curl", "-s", "--resolve", &resolve, "http://lab/"];
    let bare = world.bare(&curl).output().unwrap();
    assert!(bare.status.success(), "{bare:?}");
    let capture = world.lab.capture();
    for expected in [2, 1] {
        let ran = world.run(&[], &curl);
        assert_eq!(
            (&ran.output, rounds(&capture, 80)),
            (&bare, vec![expected]),
            "{:#}",
            ran.report
        );
    }
}

/// As a user who has no privilege but in namespaces of his own.
fn in_a_user_namespace() {
    let world = world();
    let script = "
import socket, subprocess, threading
subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True)
open('/proc/sys/net/ipv4/tcp_fastopen', 'w').write('3')
l = socket.create_server(('127.0.0.1', 7)); l.setsockopt(6, 23, 9)
def serve():
    while True: c, _ = l.accept(); c.sendall(c.recv(9)); c.close()
threading.Thread(target=serve, daemon=True).start()
for i in range(3):
    s = socket.create_connection(('127.0.0.1', 7)); s.sendall(b'hello'); print(s.recv(9))
";
    let file = world.state.path().join("report.json");
    let report = format!("--report={}", file.display());
    let output = world
        .bare(&[
            "unshare", "-Urn", TFO, "run", "--all", &report, "--", "python3", "-c", script,
        ])
        .env("XDG_STATE_HOME", world.state.path())
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout).matches("hello").count(),
        3,
        "{output:?}"
    );
    let report = read_report(&file);
    assert!(report["accepted"].as_u64().unwrap() > 0, "{report:#}");
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
