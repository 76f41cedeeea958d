//! `tfo demo` as an ordinary user runs it.
//!
//! The tests don't use a lab themselves: run by root, they give the command to a user without any privilege.

#![allow(
    clippy::unwrap_used,
    reason = "clippy knows tests by their attribute, and these have none"
)]

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use std::{env, thread};

use libtest_mimic::{Arguments, Trial};
use rustix::process::{Pid, Signal, geteuid, kill_process};
use serde_json::Value;
use tempfile::TempDir;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Two at once would disturb each other's times.
    arguments.test_threads = Some(1);
    let off = env::var("FASTOPEN_LAB").is_ok_and(|value| value == "off");
    if off {
        eprintln!("FASTOPEN_LAB=off: skipping every test of tfo demo, which needs a lab");
    }
    let tests: &[(&str, fn())] = &[
        ("the_numbers_are_true_over_ipv4", || the_numbers_are_true("-4", 4)),
        ("the_numbers_are_true_over_ipv6", || the_numbers_are_true("-6", 6)),
        (
            "the_cookie_that_is_granted_is_presented",
            the_cookie_that_is_granted_is_presented,
        ),
        (
            "people_can_read_it_without_a_terminal",
            people_can_read_it_without_a_terminal,
        ),
        ("a_closed_pipe_ends_it_quietly", a_closed_pipe_ends_it_quietly),
        ("an_interrupt_ends_all_of_it", an_interrupt_ends_all_of_it),
        (
            "where_there_can_be_no_lab_it_says_what_would_help",
            where_there_can_be_no_lab_it_says_what_would_help,
        ),
    ];
    let trials = tests.iter().map(|&(name, test)| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
        .with_ignored_flag(off)
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

/// The command where any user can run it.
struct Tfo {
    dir: TempDir,
}

impl Tfo {
    fn new() -> Self {
        let tfo = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        fs::set_permissions(tfo.dir.path(), Permissions::from_mode(0o755)).unwrap();
        fs::copy(env!("CARGO_BIN_EXE_tfo"), tfo.program()).unwrap();
        tfo
    }

    fn program(&self) -> PathBuf {
        self.dir.path().join("tfo")
    }

    fn demo(&self, arguments: &[&str]) -> Command {
        // A shell's background jobs ignore Ctrl-C, and so would what these tests start.
        let mut command = Command::new("env");
        command.arg("--default-signal=INT").arg(self.program());
        command.arg("demo").args(arguments);
        as_ordinary_user(&mut command);
        command
    }
}

fn as_ordinary_user(command: &mut Command) {
    const NOBODY: u32 = 65534;
    if geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
        .current_dir("/")
        .env_remove("CLICOLOR_FORCE")
        .stdin(Stdio::null());
}

fn the_numbers_are_true(family: &str, ip_version: u8) {
    let output = Tfo::new().demo(&[family, "--json"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(text.lines().count(), 1, "{text}");
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["problems"], Value::Array(Vec::new()));
    assert_eq!(output.status.code(), Some(0));

    let schema = serde_json::from_str(include_str!("../schemas/demo.json")).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let misfits: Vec<_> = schema
        .iter_errors(&report)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert_eq!(misfits, [""; 0], "{report:#}");

    assert_eq!(report["rtt_ms"], 60.0);
    assert_eq!(report["ip_version"], ip_version);
    check_connections(&report["connections"]);
    check_greetings(&report["greetings"]);
    check_paths(&report["paths"]);
}

/// Whichever samples are the medians, all pictures tell of one client and one server.
fn the_cookie_that_is_granted_is_presented() {
    let tfo = Tfo::new();
    let mut cookies = Vec::new();
    for _ in 0..3 {
        let output = tfo.demo(&["--rtt", "5ms"]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let after: Vec<_> = text
            .split("cookie ")
            .skip(1)
            .filter_map(|rest| rest.split(|c: char| !c.is_ascii_hexdigit()).next())
            .filter(|cookie| cookie.len() >= 4)
            .map(str::to_owned)
            .collect();
        assert!(after.len() >= 2, "{text}");
        cookies.extend(after);
    }
    cookies.dedup();
    assert_eq!(cookies.len(), 1, "{cookies:?}");
}

fn check_connections(connections: &Value) {
    let connections = connections.as_array().unwrap();
    assert_eq!(connections.len(), 3);
    for (connection, (kind, outcome, rounds)) in connections.iter().zip([
        ("plain", "not-attempted", 1.9..=2.5),
        ("first", "no-cookie", 1.9..=2.5),
        ("fast", "accepted", 0.95..=1.1),
    ]) {
        assert_eq!(connection["kind"], kind);
        assert_eq!(connection["outcome"], outcome);
        assert!(
            rounds.contains(&connection["rounds"].as_f64().unwrap()),
            "{connection:#}"
        );
        assert_eq!(connection["delivered_once"], true);
    }
    let fast = &connections[2];
    assert_eq!(fast["server"]["arrival"], "fast");
    assert_eq!(fast["server"]["syn"]["data_bytes"], fast["request_bytes"]);
    let confirmed = fast["server"]["confirmed_ms"].as_f64().unwrap();
    assert!(
        confirmed > fast["elapsed_ms"].as_f64().unwrap(),
        "the answer does not wait: {fast:#}"
    );
}

fn check_greetings(greetings: &Value) {
    let greetings = greetings.as_array().unwrap();
    assert_eq!(greetings.len(), 2);
    for (greeting, (kind, outcome, rounds)) in greetings.iter().zip([
        ("plain", "not-attempted", 1.9..=2.5),
        ("fast", "accepted", 0.95..=1.1),
    ]) {
        assert_eq!(greeting["kind"], kind);
        assert_eq!(greeting["outcome"], outcome);
        assert!(
            rounds.contains(&greeting["rounds"].as_f64().unwrap()),
            "{greeting:#}"
        );
        assert_eq!(greeting["delivered_once"], true);
    }
}

fn check_paths(paths: &Value) {
    let paths = paths.as_array().unwrap();
    let told: Vec<_> = paths
        .iter()
        .map(|path| {
            (
                path["scenario"].as_str().unwrap(),
                path["outcome"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("option-stripped", "ignored"),
            ("cookie-refused", "ignored"),
            ("syn-proxy", "ignored"),
            ("option-dropped", "syn-lost"),
            ("data-dropped", "syn-lost"),
            ("reset", "syn-lost"),
            ("held-ack", "accepted"),
            ("replay", "accepted"),
            ("blackhole", "accepted"),
        ]
    );
    for path in paths {
        assert_eq!(path["delivered_once"], true, "{path:#}");
        // The kernel alone would take a second more, which is more than sixteen of these.
        let expected = match (path["scenario"].as_str(), path["outcome"].as_str()) {
            (Some("blackhole"), _) => None,
            (_, Some("ignored")) => Some(1.9..4.0),
            (_, Some("syn-lost")) => Some(2.0..10.0),
            _ => Some(0.95..2.0),
        };
        let fails = expected.is_none() || path["outcome"] == "syn-lost";
        match expected {
            Some(expected) => assert!(expected.contains(&path["rounds"].as_f64().unwrap()), "{path:#}"),
            None => {
                assert_eq!(
                    [&path["rounds"], &path["elapsed_ms"]],
                    [&Value::Null; 2],
                    "{path:#}"
                );
                let next = path["next"]["rounds"].as_f64().unwrap();
                assert!((1.9..4.0).contains(&next), "{path:#}");
            }
        }
        let next = path["next"]["reason"].as_str();
        assert_eq!(next, fails.then_some("path-memory"), "{path:#}");
        let duplicates = path["duplicates"].as_array().unwrap();
        match path["scenario"].as_str().unwrap() {
            "replay" => {
                assert_eq!(duplicates.len(), 1, "{path:#}");
                assert_eq!(duplicates[0]["confirmed"], false);
                let ended = duplicates[0]["ended_after_ms"].as_f64().unwrap();
                assert!(ended > 2_500.0, "the kernel waited for it: {path:#}");
            }
            _ => assert_eq!(duplicates.len(), 0, "{path:#}"),
        }
    }
}

fn people_can_read_it_without_a_terminal() {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o777)).unwrap();
    let picture = dir.path().join("demo.svg");
    // Long beside the work of a slow machine, which must not show in round trips.
    let output = Tfo::new()
        .demo(&["--rtt", "100ms", "--svg", picture.to_str().unwrap()])
        .env("LC_ALL", "C")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(!text.contains('\u{1b}'), "{text}");
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    for part in [
        "100ms apart",
        "1. Plain TCP",
        "2. The first time",
        "3. From then on",
        "SYN-ACK acknowledges all 35: one round trip saved",
        "Client: accepted. Server: fast, answered at",
        "Servers that speak first",
        "accepted, the SYN has the cookie and no data",
        "option-stripped  ignored",
        "a copy came, never confirmed",
        "died, reported; the next: 2.",
        "tfo doctor",
        "tfo send 127.0.0.1:8080 hello",
    ] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    let svg = fs::read_to_string(picture).unwrap();
    assert!(
        svg.contains("SYN-ACK acknowledges all 35: one round trip saved"),
        "{svg}"
    );
}

fn a_closed_pipe_ends_it_quietly() {
    let began = Instant::now();
    let tfo = Tfo::new();
    let mut child = start(&mut tfo.demo(&[]));
    assert!(first_line(&mut child).starts_with("TCP Fast Open"));
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
    // It goes on until it has something to say, and that is long before the end.
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}

fn an_interrupt_ends_all_of_it() {
    let tfo = Tfo::new();
    let mut child = start(&mut tfo.demo(&["--rtt", "500ms"]));
    let _ = first_line(&mut child);
    let pid = child.id();
    let began_by_it = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    let descendants: Vec<&str> = began_by_it.split_whitespace().collect();
    assert_eq!(descendants.len(), 1, "a process in a session of its own");

    // A terminal's Ctrl-C doesn't reach that session.
    let interrupted = Instant::now();
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(Signal::INT.as_raw()));
    while is_alive(descendants[0]) {
        assert!(interrupted.elapsed() < Duration::from_secs(2), "it goes on");
        thread::sleep(Duration::from_millis(5));
    }
}

fn where_there_can_be_no_lab_it_says_what_would_help() {
    let tfo = Tfo::new();
    // A user namespace's limit holds in it, and nowhere else.
    let script = "echo 0 > /proc/sys/user/max_user_namespaces \
                  && exec setpriv --bounding-set=-all --inh-caps=-all \"$0\" demo";
    let mut command = Command::new("unshare");
    command
        .args(["--user", "--map-root-user", "sh", "-c", script])
        .arg(tfo.program());
    as_ordinary_user(&mut command);
    let output = command.output().expect("unshare(1) of util-linux");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("error: this user is not allowed to make the demo's network"),
        "{said}"
    );
    assert!(
        said.contains("hint: they are turned off; an administrator allows them with: sysctl -w user.max"),
        "{said}"
    );
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
}

fn start(command: &mut Command) -> Child {
    command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Reads one line, and closes the pipe.
fn first_line(child: &mut Child) -> String {
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    line
}

/// Whether the process is there and not only waits to be noticed as dead.
fn is_alive(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").map(|(_, rest)| rest.chars().next());
    state.is_some_and(|state| !matches!(state, Some('Z' | 'X')))
}
