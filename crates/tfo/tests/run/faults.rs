//! What keeps connections from being fast, or the report from being written: said, with what helps.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use fastopen_lab::testing::{LabTest, test};
use fastopen_lab::{Rule, SegmentKind};
use serde_json::Value;

use super::support::{TFO, World, echo, http, processes, read_report, serve, signal, wait_until, world};

pub(crate) fn tests() -> Vec<LabTest> {
    vec![
        test("a_bit_that_is_off", a_bit_that_is_off),
        test(
            "a_report_that_can_not_be_written",
            a_report_that_can_not_be_written,
        ),
        test("a_report_that_can_not_be_begun", a_report_that_can_not_be_begun),
        test(
            "an_earlier_report_stays_until_there_is_another",
            an_earlier_report_stays,
        ),
        test("a_report_without_a_supervisor", a_report_without_a_supervisor),
        test("a_killed_supervisor_is_told_of", a_killed_supervisor_is_told_of),
        test("few_descriptors", few_descriptors),
        test(
            "fewer_descriptors_than_connections",
            fewer_descriptors_than_connections,
        ),
        test("processes_that_still_run", processes_that_still_run),
        test("a_memory_that_can_not_be_kept", a_memory_that_can_not_be_kept),
        test("a_disk_that_hangs", a_disk_that_hangs),
        test("files_may_not_grow", files_may_not_grow),
    ]
}

const CURL: [&str; 3] = ["curl", "-s", "http://192.0.2.2/"];

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn problems(report: &Value) -> Vec<&str> {
    let problems = report["problems"].as_array().unwrap().iter();
    problems
        .map(|problem| problem["problem"].as_str().unwrap())
        .collect()
}

/// `tfo run` by a shell that sets something before.
fn after(world: &World, script: &str, options: &[&str], program: &[&str]) -> Output {
    let script = format!("{script}; exec \"$@\"");
    let arguments = [
        &["sh", "-c", &script, "sh", TFO, "run"],
        options,
        &["--"],
        program,
    ]
    .concat();
    let mut command = world.bare(&arguments);
    command.env("XDG_STATE_HOME", world.state.path());
    command.output().unwrap()
}

/// Told at the start, and not again in a report to the same place, but in a file; and the fix is one.
fn a_bit_that_is_off() {
    let world = world();
    let client = world.lab.client().unwrap();
    for (bits, option, kind, fix) in [
        ("1", &["--listen"][..], "server-bit", "3"),
        ("2", &[], "client-bit", "3"),
        ("0", &["--listen"], "server-bit", "2"),
    ] {
        client.set_sysctl("net.ipv4.tcp_fastopen", bits).unwrap();
        let fix = format!("sudo sysctl -w net.ipv4.tcp_fastopen={fix}");
        let ran = world.run(option, &["true"]);
        let said = ran.stderr();
        assert!(
            said.contains(&format!("is {bits}, without the ")) && said.contains(&fix),
            "{said}"
        );
        assert_eq!(problems(&ran.report), [kind]);
        assert_eq!(ran.report["problems"][0]["fix"], fix);
        let output = world
            .under(&[option, &["--report"]].concat(), &["true"])
            .output()
            .unwrap();
        assert_eq!(text(&output.stderr).matches(&fix).count(), 1, "{output:?}");
        let output = world
            .under(&[option, &["--require"]].concat(), &["echo", "a"])
            .output()
            .unwrap();
        assert!(
            output.status.code() == Some(2) && output.stdout.is_empty(),
            "{output:?}"
        );
        assert!(text(&output.stderr).contains(&fix), "{output:?}");
    }
    client.set_sysctl("net.ipv4.tcp_fastopen", "3").unwrap();
    for option in [&["--listen", "--require"][..], &["--require"]] {
        let ran = world.run(option, &["true"]);
        assert_eq!((ran.stderr().as_str(), problems(&ran.report)), ("", vec![]));
    }
}

/// `ulimit -f`: the signal that goes with it must not end the supervisor.
fn files_may_not_grow() {
    let world = world();
    serve(world.server(), 80, http);
    let output = after(&world, "ulimit -f 0", &["--report=report.json"], &CURL);
    let said = text(&output.stderr);
    assert!(output.status.success(), "{output:?}");
    assert!(
        said.contains("can't write the report to report.json: File too large")
            && said.contains("1 connection"),
        "{said}"
    );
    // It tries once more when nothing is left to be supervised.
    wait_until("nobody is left", || {
        processes("tfo-supervisor", world.state.path()).is_empty()
    });
    assert!(!world.state.path().join("tfo/destinations.new").exists());
}

fn a_report_that_can_not_be_written() {
    let world = world();
    serve(world.server(), 80, http);
    let output = world.under(&["--report=/dev/full"], &CURL).output().unwrap();
    assert!(
        output.status.success() && text(&output.stdout).contains("hello"),
        "{output:?}"
    );
    let said = text(&output.stderr);
    assert!(
        said.contains("can't write the report to /dev/full: No space left on device"),
        "{said}"
    );
    assert!(
        said.contains("curl 192.0.2.2:80: 1 no-cookie, first-contact"),
        "{said}"
    );
}

fn a_report_that_can_not_be_begun() {
    let world = world();
    for (file, expected) in [
        ("/nowhere/report.json", "No such file or directory"),
        ("/", "Is a directory"),
    ] {
        let report = format!("--report={file}");
        let output = world.under(&[&report], &["echo", "hello"]).output().unwrap();
        let said = text(&output.stderr);
        assert!(
            output.status.code() == Some(2) && output.stdout.is_empty(),
            "{output:?}"
        );
        assert!(
            said.contains(&format!("can't write {file}"))
                && said.contains(expected)
                && said.contains("hint: name a file"),
            "{said}"
        );
    }
}

/// While the program runs, where it is not run, and where the disk has no room for the new one.
fn an_earlier_report_stays() {
    let world = world();
    let file = world.state.path().join("earlier.json");
    let (name, report) = (file.display().to_string(), format!("--report={}", file.display()));
    fs::write(&file, "yesterday's").unwrap();
    let output = world.under(&[&report], &["cat", &name]).output().unwrap();
    assert_eq!(text(&output.stdout), "yesterday's", "{output:?}");
    assert_eq!(read_report(&file)["program"][0], "cat");

    let new = world.state.path().join("new.json");
    let inner = |file: &Path| {
        let report = format!("--report={}", file.display());
        let output = after(&world, "ulimit -n 8", &["--require", &report], &["true"]);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
    };
    let before = fs::read(&file).unwrap();
    [&file, &new].into_iter().for_each(|file| inner(file));
    assert_eq!(fs::read(&file).unwrap(), before);
    assert!(!new.exists());

    let small = world.state.path().join("small");
    fs::create_dir(&small).unwrap();
    let script = "mount -t tmpfs -o size=8k none small; echo earlier >small/report; head -c 4000 /dev/zero >small/full; \
                  \"$@\"; cat small/report";
    let long = "x".repeat(6000);
    let run = [TFO, "run", "--report=small/report", "--", "true", &long];
    let mount = ["unshare", "--mount", "sh", "-c", script, "sh"];
    let output = world
        .bare(&[&mount[..], &run].concat())
        .env("XDG_STATE_HOME", &small)
        .output()
        .unwrap();
    assert_eq!(text(&output.stdout), "earlier\n", "{output:?}");
    assert!(
        text(&output.stderr).contains("No space left on device"),
        "{output:?}"
    );
}

fn a_report_without_a_supervisor() {
    let world = world();
    let file = world.state.path().join("inner.json");
    let report = format!("--report={}", file.display());
    let output = after(&world, "ulimit -n 8", &[&report], &["echo", "hello"]);
    assert_eq!(text(&output.stdout), "hello\n", "{output:?}");
    let report: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    assert_eq!(problems(&report), ["not-supervised"], "{report:#}");
}

/// On the program's standard error, if somebody waits for a report and the program still has it.
fn a_killed_supervisor_is_told_of() {
    let world = world();
    let file = world.state.path().join("lost.json");
    let report = format!("--report={}", file.display());
    let elsewhere = world.state.path().join("elsewhere");
    let moved = format!("exec 2>{}; echo ready; read line", elsewhere.display());
    for (options, script, expected) in [
        (
            &["--report"][..],
            "echo ready; read line",
            "there will be no report\n",
        ),
        (&[&report], "echo ready; read line", "there will be no report in "),
        (
            &["--verbose"],
            "echo ready; read line",
            "no further connection is reported\n",
        ),
        (&[], "echo ready; read line", ""),
        (&["--report"], &moved, ""),
    ] {
        let mut child = world
            .under(options, &["sh", "-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdout.as_mut().unwrap().read_exact(&mut [0; 6]).unwrap();
        let supervisors = || processes("tfo-supervisor", world.state.path());
        wait_until("there is one", || supervisors().len() == 1);
        signal(supervisors()[0], "-KILL");
        wait_until("its guardian has taken over", || {
            processes("tfo-guardian", world.state.path()).len() == 2
        });
        writeln!(child.stdin.take().unwrap()).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = text(&output.stderr);
        match expected {
            "" => assert_eq!(said, ""),
            _ => assert!(
                said.starts_with("tfo: the supervisor was killed") && said.contains(expected),
                "{said}"
            ),
        }
        wait_until("nobody is left", || {
            processes("tfo-guardian", world.state.path()).is_empty()
        });
    }
    assert_eq!(text(&fs::read(elsewhere).unwrap()), "");
}

/// With its hard limit below what it takes a supervisor is of no use; a soft limit is the program's only.
fn few_descriptors() {
    let world = world();
    serve(world.server(), 80, http);
    for limit in [8, 16, 32] {
        let set = format!("ulimit -n {limit}");
        let output = after(&world, &set, &[], &CURL);
        let said = text(&output.stderr);
        assert!(text(&output.stdout).contains("hello"), "{output:?}");
        assert!(
            said.contains(&format!(
                "the hard limit is {limit}, and a supervisor takes at least 64"
            )) && said.contains("ulimit -Hn 1024"),
            "{said}"
        );
        let output = after(&world, &set, &["--require"], &CURL);
        assert!(
            output.status.code() == Some(2) && output.stdout.is_empty(),
            "{output:?}"
        );
    }
    for outcome in ["no-cookie", "accepted"] {
        let output = after(&world, "ulimit -Sn 8", &["--require", "--report"], &CURL);
        assert!(text(&output.stderr).contains(outcome), "{output:?}");
    }
}

fn fewer_descriptors_than_connections() {
    let world = world();
    let lost = Rule::drop().from("server").on(SegmentKind::SynAck);
    serve(world.server(), 7, echo);
    world.lab.set_rules([lost]).unwrap();
    let script = "
import socket
all = [socket.socket() for i in range(50)]
for s in all: s.setblocking(False); s.connect_ex(('192.0.2.2', 7))
";
    let output = after(
        &world,
        "ulimit -n 70",
        &["--all", "--report"],
        &["python3", "-c", script],
    );
    let said = text(&output.stderr);
    assert!(
        said.contains("descriptor-limit") && said.contains("limit of open files is 70"),
        "{said}"
    );
}

/// The report on a terminal comes when the program ends. What it has left running is told, and nobody waits for that.
fn processes_that_still_run() {
    let world = world();
    let script = "sleep 30 </dev/null >/dev/null 2>&1 & echo $!";
    for (option, expected) in [
        (
            "--report",
            "tfo: no connection was made yet\n  1 process that it started still runs; --report=FILE.json",
        ),
        ("--report=report.json", ""),
    ] {
        let begun = Instant::now();
        let output = world.under(&[option], &["sh", "-c", script]).output().unwrap();
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "it waits for the sleeper"
        );
        let said = text(&output.stderr);
        assert!(
            said.starts_with(expected) && (said.is_empty() == expected.is_empty()),
            "{said}"
        );
        signal(text(&output.stdout).trim().parse().unwrap(), "-KILL");
    }
    read_report(&world.state.path().join("report.json"));
}

/// Then each run begins anew, which nobody would notice.
fn a_memory_that_can_not_be_kept() {
    let world = world();
    serve(world.server(), 80, http);
    let in_the_way = world.state.path().join("file");
    fs::write(&in_the_way, "").unwrap();
    for options in [&["--report"][..], &["--verbose"], &[]] {
        let mut command = world.under(options, &CURL);
        let output = command.env("XDG_STATE_HOME", &in_the_way).output().unwrap();
        let said = text(&output.stderr);
        let expected = format!("can't be kept in {}/tfo/destinations", in_the_way.display());
        assert_eq!(said.contains(&expected), !options.is_empty(), "{said}");
    }
    // Whoever is not root has it in his home.
    let script =
        "exec setpriv --reuid 65534 --regid 65534 --clear-groups env -u XDG_STATE_HOME HOME=relative \"$@\"";
    for option in ["--report", "--require"] {
        let run = ["sh", "-c", script, "sh", TFO, "run", option, "--", "true"];
        let output = world.bare(&run).output().unwrap();
        let said = text(&output.stderr);
        if said.contains("setpriv") {
            // There is one user only.
            return;
        }
        let is_told = said.contains("neither HOME nor XDG_STATE_HOME is an absolute path");
        assert_eq!(is_told, option == "--report", "{said}");
    }
}

/// The program goes on, with ordinary connections. To open a pipe that has no other end waits as long as a file server that is gone.
fn a_disk_that_hangs() {
    let world = world();
    serve(world.server(), 80, http);
    let folder = world.state.path().join("tfo");
    fs::create_dir(&folder).unwrap();
    for file in ["destinations", "destinations.lock"] {
        let pipe = folder.join(file);
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        let limited = [&["timeout", "20"], &CURL[..]].concat();
        let ran = world.run(&[], &limited);
        assert!(ran.stdout().contains("hello"), "{ran:?}", ran = ran.output);
        assert_eq!(ran.row(80).1, "first-contact");
        assert_eq!(problems(&ran.report), ["memory"], "{:#}", ran.report);
        fs::remove_file(pipe).unwrap();
    }
}
