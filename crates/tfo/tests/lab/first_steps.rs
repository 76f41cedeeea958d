//! The commands that the demonstration ends with, as they are printed.

use std::process::{Command, Stdio};

use fastopen_lab::testing::{LabTest, program, test};
use fastopen_lab::{Host, HostSpec, Lab, Scenario};

use crate::programs::Program;

const TFO: &str = env!("CARGO_BIN_EXE_tfo");
/// What `tfo demo` prints, as its own test holds it to.
const PRINTED: &str = include_str!("../../src/demo/snapshots/tfo__demo__render__tests__all_of_it.snap");

pub(crate) fn tests() -> Vec<LabTest> {
    vec![test(
        "first_steps::what_the_demo_ends_with_succeeds",
        what_the_demo_ends_with_succeeds,
    )]
}

/// The printed command that begins with these words, without what stands beside it.
fn printed(words: &str) -> Vec<&'static str> {
    let line = PRINTED
        .lines()
        .rev()
        .find(|line| line.trim_start().starts_with(words));
    let line = line.unwrap_or_else(|| panic!("{words} in\n{PRINTED}"));
    let (command, _) = line.trim_start().split_once("  ").unwrap();
    command.split(' ').collect()
}

fn tfo(host: &Host, words: &[&str]) -> Command {
    assert_eq!(words[0], "tfo");
    let mut command = host.command(TFO).unwrap();
    command.args(&words[1..]).stdin(Stdio::null());
    command
}

fn what_the_demo_ends_with_succeeds() {
    let scenario = Scenario::new("first-steps")
        .with_host(HostSpec::new("server").with_sysctl("net.ipv4.tcp_fastopen", "1"));
    let lab = Lab::new(&scenario).unwrap();
    let host = lab.server().unwrap();

    let doctor = tfo(host, &printed("tfo doctor")).output().unwrap();
    assert_eq!(doctor.status.code(), Some(0), "{doctor:?}");
    let sysctl = printed("sudo sysctl");
    let set = program(host, "sysctl").args(&sysctl[2..]).output().unwrap();
    assert!(set.status.success(), "{set:?}");

    let server = Program::start(tfo(host, &printed("tfo serve")));
    let listening = server.next_line();
    assert!(
        listening.starts_with("listening on 127.0.0.1:8080"),
        "{listening}"
    );
    for (outcome, arrival) in [("no-cookie", "cookie-requested"), ("accepted", "fast")] {
        let sent = tfo(host, &printed("tfo send")).output().unwrap();
        let errors = String::from_utf8(sent.stderr).unwrap();
        assert!(errors.contains(outcome), "{errors}");
        assert_eq!(sent.stdout, b"hello", "{errors}");
        assert_eq!(
            sent.status.code(),
            Some(if outcome == "accepted" { 0 } else { 3 }),
            "{errors}"
        );
        let arrived = server.next_line();
        assert!(arrived.contains(arrival), "{arrived}");
        server.next_line();
    }
}
