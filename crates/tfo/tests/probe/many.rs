//! Many targets, bad ones, and being asked to stop.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use fastopen_lab::testing::{LabTest, test};
use fastopen_lab::{Lab, Scenario};
use rustix::process::{Pid, Signal, kill_process};

use super::support::{Privilege, addresses, command, first, lab, named, reports, serve, serve_plainly};
use super::terminal;
use crate::piped::spawn_piped;

pub(crate) fn tests() -> Vec<LabTest> {
    vec![
        test("ten_thousand_targets", ten_thousand_targets),
        test("targets_of_all_kinds", targets_of_all_kinds),
        test("an_interrupt_between_targets", an_interrupt_between_targets),
        test("an_interrupt_within_a_target", an_interrupt_within_a_target),
        test("nobody_reads", nobody_reads),
        test("a_person_reads_it", a_person_reads_it),
        test("many_fit_the_terminal", many_fit_the_terminal),
    ]
}

fn near() -> Lab {
    lab(&Scenario::new("near").with_rtt(Duration::from_millis(1)))
}

fn interrupt(child: &Child) {
    kill_process(Pid::from_child(child), Signal::INT).unwrap();
}

/// The most memory that a process has had so far, in KiB.
fn peak_memory(child: &Child) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

fn ten_thousand_targets() {
    const TARGETS: usize = 10_000;
    let lab = near();
    let closed = format!("{}:1\n", lab.server().unwrap().ipv4());
    let mut command = command(lab.client().unwrap(), Privilege::Packets);
    command.args(["-", "--parallel", "64", "--json"]);
    let mut child = spawn_piped(&mut command);
    let mut stdin = child.stdin.take().unwrap();
    let writer = thread::spawn(move || {
        (0..TARGETS)
            .try_for_each(|_| stdin.write_all(closed.as_bytes()))
            .unwrap();
    });
    let mut peak = 0;
    let lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap);
    let told = lines
        .inspect(|line| {
            assert!(line.contains(r#""verdict":"unreachable""#), "{line}");
            peak = peak.max(peak_memory(&child).unwrap_or(0));
        })
        .count();
    writer.join().unwrap();
    assert_eq!((told, child.wait().unwrap().code()), (TARGETS, Some(1)));
    assert!((1000..50_000).contains(&peak), "{peak} KiB");
}

fn targets_of_all_kinds() {
    let lab = near();
    let server = lab.server().unwrap();
    serve(server);
    let good = format!("http://{}/", server.ipv4());
    let long = format!("{}:80", "x".repeat(64));
    let silent = "192.0.2.200:80";
    let mut command = command(lab.client().unwrap(), Privilege::None);
    command.args(["--json", "--timeout", "300ms", "-", silent, "ftp://host"]);
    let mut child = spawn_piped(&mut command);
    let lines = format!("# a comment\n\n{good}\n  {long}\n");
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let (reports, status) = reports(&child.wait_with_output().unwrap());
    let verdict = |target: &str| {
        let report = reports.iter().find(|report| report["target"] == target).unwrap();
        (
            report["verdict"].as_str(),
            report["error"].as_str().map(str::to_owned),
        )
    };
    assert_eq!((reports.len(), status), (4, 1), "{reports:#?}");
    assert_eq!(verdict(&good), (Some("works"), None));
    assert_eq!(verdict(silent), (Some("unreachable"), None));
    assert!(verdict(&long).1.unwrap().contains("could not be resolved"));
    assert!(verdict("ftp://host").1.unwrap().contains("a URL begins with"));
}

fn an_interrupt_between_targets() {
    let lab = near();
    let mut command = command(lab.client().unwrap(), Privilege::None);
    command.args(["-", "--json", "--parallel", "2", "--timeout", "500ms"]);
    let mut child = spawn_piped(&mut command);
    let mut stdin = child.stdin.take().unwrap();
    for number in 0..100 {
        writeln!(stdin, "192.0.2.200:{}", 1000 + number).unwrap();
    }
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let before: Vec<_> = (0..2).map(|_| lines.next().unwrap().unwrap()).collect();
    let asked = Instant::now();
    interrupt(&child);
    let after: Vec<_> = lines.map(Result::unwrap).collect();
    let status = child.wait().unwrap();
    assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
    assert!(before.iter().all(|line| line.contains(r#""interrupted":false"#)));
    assert!(
        (1..=4).contains(&after.len()),
        "those under way are told: {after:?}"
    );
    assert!(
        after.last().unwrap().contains(r#""interrupted":true"#),
        "{after:?}"
    );
    assert_eq!(status.code(), Some(1), "of those that were told, some failed");
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(said.starts_with("interrupted: "), "{said}");
    drop(stdin);
}

fn an_interrupt_within_a_target() {
    let lab = lab(&Scenario::named("clean")
        .unwrap()
        .with_rtt(Duration::from_millis(100)));
    let server = lab.server().unwrap();
    serve(server);
    let mut command = command(lab.client().unwrap(), Privilege::None);
    command.args([&format!("{}:80", server.ipv4()), "--json", "-n", "500"]);
    let child = spawn_piped(&mut command);
    thread::sleep(Duration::from_secs(3));
    interrupt(&child);
    let (reports, status) = reports(&child.wait_with_output().unwrap());
    assert_eq!(
        (reports[0]["interrupted"].as_bool(), status),
        (Some(true), 3),
        "{reports:#?}"
    );
    let connections = first(&reports[0])["connections"].as_array().unwrap();
    assert!((3..30).contains(&connections.len()), "{reports:#?}");
}

fn nobody_reads() {
    let lab = near();
    let mut command = command(lab.client().unwrap(), Privilege::None);
    command.args(["-", "--timeout", "100ms"]);
    let mut child = spawn_piped(&mut command);
    drop(child.stdout.take());
    let mut stdin = child.stdin.take().unwrap();
    let _ = (0..100).try_for_each(|_| writeln!(stdin, "192.0.2.200:1"));
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).as_ref()
        ),
        (Some(0), "")
    );
}

fn a_person_reads_it() {
    let lab = named("option-stripped");
    let server = lab.server().unwrap();
    serve(server);
    let target = format!("http://{}/", server.ipv4());
    let mut command = command(lab.client().unwrap(), Privilege::Packets);
    let output = command.arg(&target).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with(&format!("{target}  data-ignored: ")), "{text}");
    for row in [
        "because      the option is stripped on the path\n",
        "or           ",
        "next         ",
        "3 ignored",
        "packets\n",
    ] {
        assert!(text.contains(row), "{row}: {text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert_eq!((output.status.code(), output.stderr.len()), (Some(1), 0));
}

/// Of many targets each has its line, which a terminal breaks at words; what goes to a file stays on one.
fn many_fit_the_terminal() {
    let lab = near();
    serve_plainly(lab.server().unwrap());
    let targets: Vec<_> = addresses(&lab).iter().map(ToString::to_string).collect();
    let probe = || {
        let mut command = command(lab.client().unwrap(), Privilege::None);
        command.arg("192.0.2.77:1").args(&targets);
        command
    };
    for columns in [60, 80] {
        let text = terminal::output(probe().env("NO_COLOR", "1"), columns, 24);
        for target in &targets {
            let line = text.lines().find(|line| line.contains(target.as_str()));
            assert!(line.unwrap().starts_with("no-cookie "), "{text}");
        }
        let longest = text.lines().map(|line| line.chars().count()).max();
        assert!(longest.unwrap() <= usize::from(columns), "{text}");
    }
    let output = probe().output().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap().lines().count();
    assert_eq!(lines, 3);
}
