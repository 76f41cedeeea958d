//! Clients that know nothing of Fast Open.

use std::fs;
use std::process::{Child, Command, Stdio};

use fastopen_lab::testing::{LabTest, need, program_path, test};

use super::support::{RTT, World, answers, banner, http, rounds, rounds_of, serve, wait_until, world};

pub(crate) fn tests() -> Vec<LabTest> {
    vec![
        test("curl", || {
            saves_a_round_trip(&["curl", "-s", "http://192.0.2.2/"]);
        }),
        test("curl_by_ipv6", || saves_a_round_trip_to(&["curl", "-s"], true)),
        test("wget", || {
            saves_a_round_trip(&["wget", "-q", "-O", "-", "http://192.0.2.2/"]);
        }),
        test("python", || {
            let script = "import urllib.request as r; print(r.urlopen('http://192.0.2.2/').read())";
            saves_a_round_trip(&["python3", "-c", script]);
        }),
        test("children_of_a_shell", || {
            saves_a_round_trip(&["sh", "-c", "curl -s http://192.0.2.2/ | cat; exit 7"]);
        }),
        test("redis", redis),
        test("tls", tls),
        test("a_server_that_speaks_first", a_server_that_speaks_first),
    ]
}

fn saves_a_round_trip_to(program: &[&str], ipv6: bool) {
    let world = world();
    let server = world.server();
    let host = if ipv6 {
        format!("[{}]", server.ipv6())
    } else {
        server.ipv4().to_string()
    };
    let url = format!("http://{host}/");
    saves_in(&world, &[program, &[&url]].concat());
}

fn saves_a_round_trip(program: &[&str]) {
    let world = world();
    assert_eq!(world.server().ipv4().to_string(), "192.0.2.2");
    saves_in(&world, program);
}

/// Bare, then on a first contact, then with a cookie: the same output and the same status, and one round trip less in the end.
fn saves_in(world: &World, program: &[&str]) {
    serve(world.server(), 80, http);
    let capture = world.lab.capture();
    let bare = world.bare(program).output().unwrap();
    assert_eq!(rounds(&capture, 80), [2], "{bare:?}");
    let mut may_be_late = true;
    let mut fast = Vec::new();
    for (outcome, expected) in [("no-cookie", 2), ("accepted", 1), ("accepted", 1)] {
        let mut ran = world.run(&[], program);
        let mut answered = answers(&capture, 80);
        // A program that is kept from writing for a quarter of a second is released. Once that is this machine's load; a second time in a
        // row would be what the supervisor takes for a late writer.
        if ran.row(80).1 == "released" && std::mem::take(&mut may_be_late) {
            assert_eq!((&ran.output, rounds_of(&answered)), (&bare, vec![2]));
            ran = world.run(&[], program);
            answered = answers(&capture, 80);
        }
        assert_eq!(ran.output, bare, "{outcome}");
        assert_eq!(
            (ran.row(80).0, rounds_of(&answered)),
            (outcome, vec![expected]),
            "{:#}",
            ran.report
        );
        fast.extend(
            answered
                .iter()
                .filter_map(|answer| answer.took)
                .filter(|_| expected == 1),
        );
    }
    // And by the clock, the better of the two: half a round trip is the packets', half is for the programs.
    assert!(fast.iter().min().is_some_and(|took| *took < RTT), "{fast:?}");
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(world: &World, mut command: Command, port: u16) -> Server {
    need(command.get_program());
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let server = Server(child.unwrap());
    let host = world.server();
    let listens = || host.run(|| std::net::TcpStream::connect((host.ipv4(), port)).is_ok());
    wait_until("the server listens", listens);
    server
}

/// Replies are the same, and a port that the rules leave out by themselves takes a rule.
fn redis() {
    let world = world();
    world
        .server()
        .set_sysctl("net.ipv4.tcp_fastopen", "1027")
        .unwrap();
    let mut command = world.server().command("redis-server").unwrap();
    command.current_dir(world.state.path());
    command.args([
        "--port",
        "6379",
        "--bind",
        "0.0.0.0",
        "--protected-mode",
        "no",
        "--save",
        "",
    ]);
    let _server = start(&world, command, 6379);
    let client = ["redis-cli", "-h", "192.0.2.2", "incr", "counter"];
    let mut answers = Vec::new();
    for (options, outcome) in [
        (&[][..], ("not-attempted", "left-out")),
        (&["--only", "192.0.2.0/24:6379"], ("no-cookie", "first-contact")),
        (&["--only", "192.0.2.0/24:6379"], ("accepted", "")),
    ] {
        let ran = world.run(options, &client);
        assert_eq!(ran.row(6379), outcome, "{:#}", ran.report);
        answers.push(ran.stdout());
    }
    // Each command was carried out once.
    assert_eq!(answers, ["1\n", "2\n", "3\n"]);
}

fn tls() {
    let world = world();
    world
        .server()
        .set_sysctl("net.ipv4.tcp_fastopen", "1027")
        .unwrap();
    let folder = world.state.path();
    let made = Command::new(program_path("openssl"))
        .current_dir(folder)
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-subj",
            "/CN=lab",
        ])
        .args(["-out", "cert.pem", "-keyout", "key.pem"])
        .stderr(Stdio::null())
        .status();
    assert!(made.unwrap().success());
    fs::write(folder.join("hello"), "hello\n").unwrap();
    let mut command = world.server().command("openssl").unwrap();
    command.current_dir(folder).args([
        "s_server", "-accept", "443", "-cert", "cert.pem", "-key", "key.pem", "-WWW",
    ]);
    let _server = start(&world, command, 443);
    let capture = world.lab.capture();
    for (outcome, expected) in [("no-cookie", 2), ("accepted", 1)] {
        let ran = world.run(&[], &["curl", "-sk", "https://192.0.2.2/hello"]);
        assert_eq!(
            (ran.stdout().as_str(), ran.row(443).0),
            ("hello\n", outcome),
            "{:#}",
            ran.report
        );
        assert_eq!(rounds(&capture, 443), [expected]);
    }
}

/// A program that reads first would wait for ever on a deferred socket. It is released, and the port remembered.
fn a_server_that_speaks_first() {
    let world = world();
    serve(world.server(), 25, banner);
    let script = "import socket\ns = socket.create_connection(('192.0.2.2', 25))\nprint(s.recv(99))\ns.sendall(b'QUIT')\n\
                  s.shutdown(socket.SHUT_WR)\nprint(s.makefile().read())";
    let program = ["python3", "-c", script];
    let bare = world.bare(&program).output().unwrap();
    assert!(
        String::from_utf8_lossy(&bare.stdout).contains("4 bytes: QUIT"),
        "{bare:?}"
    );
    for expected in [
        ("no-cookie", "first-contact"),
        ("not-attempted", "released"),
        ("not-attempted", "server-first"),
    ] {
        let ran = world.run(&["--all"], &program);
        assert_eq!(ran.output, bare);
        assert_eq!(ran.row(25), expected, "{:#}", ran.report);
    }
}
