//! What a program, its parent and its terminal see of `tfo run`: nothing.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use fastopen_lab::testing::{LabTest, test};

use super::support::{TFO, http, serve, signal, world};

pub(crate) fn tests() -> Vec<LabTest> {
    vec![
        test("exit_statuses_and_signals", exit_statuses_and_signals),
        test(
            "process_number_group_session_and_descriptors",
            process_number_group_session_and_descriptors,
        ),
        test(
            "standard_output_ends_with_the_program",
            standard_output_ends_with_the_program,
        ),
        test("what_a_program_starts_with", what_a_program_starts_with),
        test("a_supervisor_of_orphans_sleeps", a_supervisor_of_orphans_sleeps),
        test("programs_that_start_programs", programs_that_start_programs),
        test("a_filter_of_the_programs_own", a_filter_of_the_programs_own),
        test("an_ordinary_user", an_ordinary_user),
        test(
            "a_program_that_drops_its_privileges",
            a_program_that_drops_its_privileges,
        ),
        test(
            "the_first_process_of_its_namespace",
            the_first_process_of_its_namespace,
        ),
        test("a_server_that_listens", a_server_that_listens),
        test("what_can_not_be_run", what_can_not_be_run),
        test("a_second_supervisor_is_told", a_second_supervisor_is_told),
        test("text_comes_before_the_end", text_comes_before_the_end),
    ]
}

fn exit_statuses_and_signals() {
    let world = world();
    for (script, code, killed_by) in [
        ("exit 0", Some(0), None),
        ("exit 42", Some(42), None),
        ("kill -TERM $$", None, Some(15)),
        ("kill -KILL $$", None, Some(9)),
    ] {
        let status = world.under(&[], &["sh", "-c", script]).status().unwrap();
        assert_eq!((status.code(), status.signal()), (code, killed_by), "{script}");
    }
    let mut child = world.under(&[], &["sleep", "60"]).spawn().unwrap();
    let program = world.only("sleep");
    assert_eq!(program != child.id(), world.is_above());
    for (sent, state) in [("-TSTP", 'T'), ("-CONT", 'S')] {
        signal(child.id(), sent);
        for pid in [program, child.id()] {
            super::support::wait_until("it stops and goes on", || {
                let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
                stat.rsplit(") ").next().unwrap().starts_with(state)
            });
        }
    }
    signal(child.id(), "-INT");
    assert_eq!(child.wait().unwrap().signal(), Some(2));
}

/// Closed standard streams, and SIGPIPE ignored, as systemd starts services: Rust's runtime changes both.
fn what_a_program_starts_with() {
    let world = world();
    let program = [
        "sh",
        "-c",
        "grep SigIgn /proc/self/status >report; for n in 0 1 2; do [ -e /proc/$$/fd/$n ] && echo $n; done >>report; echo hi",
    ];
    let under: Vec<&str> = [TFO, "run", "--"].into_iter().chain(program).collect();
    for start in [
        "exec \"$@\"",
        "exec \"$@\" <&-",
        "exec \"$@\" >&-",
        "exec \"$@\" 2>&-",
        "exec \"$@\" <&- >&- 2>&-",
        "trap '' PIPE; exec \"$@\"",
    ] {
        let [bare, under] = [&program[..], &under].map(|program| {
            let output = world
                .bare(&[&["sh", "-c", start, "sh"], program].concat())
                .env("XDG_STATE_HOME", world.state.path())
                .output()
                .unwrap();
            (
                output,
                std::fs::read_to_string(world.state.path().join("report")).unwrap(),
            )
        });
        assert_eq!(under, bare, "{start}");
    }
}

fn process_number_group_session_and_descriptors() {
    let world = world();
    // The parent, which above the program is the supervisor, the group, the session, and the open files but that of the list itself;
    // what it has inherited of signals and limits.
    let parent = if world.is_above() { "" } else { "os.getppid(), " };
    let script = format!(
        "import os, resource\nprint([line for line in open('/proc/self/status') if line[:6] in ('SigBlk', 'SigIgn')])\n\
         print(resource.getrlimit(resource.RLIMIT_NOFILE), {parent}os.getpgrp(), os.getsid(0), sorted(os.listdir('/proc/self/fd')), os.getcwd())\n\
         try: print(os.waitpid(-1, os.WNOHANG))\nexcept ChildProcessError as e: print(e)"
    );
    let program = ["python3", "-c", &script];
    let bare = world.bare(&program).output().unwrap();
    let ran = world.run(&[], &program);
    assert_eq!(ran.stdout(), String::from_utf8_lossy(&bare.stdout));
    if world.is_above() {
        return;
    }

    let mut child = world
        .under(&[], &["sh", "-c", "echo $$"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = String::new();
    child.stdout.take().unwrap().read_to_string(&mut told).unwrap();
    assert_eq!(told.trim(), child.id().to_string());
    child.wait().unwrap();
}

/// Nobody else holds the pipe: it ends although a descendant lives on and is supervised.
fn standard_output_ends_with_the_program() {
    let world = world();
    let script = "sleep 30 </dev/null >/dev/null 2>&1 & echo $!";
    let output = world.under(&[], &["sh", "-c", script]).output().unwrap();
    let sleeper: u32 = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
    let supervisors = || super::support::processes("tfo-supervisor", world.state.path()).len();
    assert_eq!(supervisors(), 1, "it stays as long as a descendant lives");
    signal(sleeper, "-KILL");
    super::support::wait_until("it ends with the last of them", || supervisors() == 0);
}

/// What is left of a program that was killed keeps its supervisor here, which sleeps.
fn a_supervisor_of_orphans_sleeps() {
    let world = world();
    let script = "sleep 30 </dev/null >/dev/null 2>&1 & echo $!; kill -KILL $$";
    let output = world.under(&[], &["sh", "-c", script]).output().unwrap();
    let sleeper: u32 = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
    let [supervisor] = super::support::processes("tfo-supervisor", world.state.path())[..] else {
        panic!("one supervisor");
    };
    let switches = || {
        let status = std::fs::read_to_string(format!("/proc/{supervisor}/status")).unwrap();
        let count = |line: &str| line.split_once("ctxt_switches:")?.1.trim().parse::<u64>().ok();
        status.lines().filter_map(count).sum::<u64>()
    };
    let is_asleep = || {
        let before = switches();
        std::thread::sleep(std::time::Duration::from_millis(300));
        let stat = std::fs::read_to_string(format!("/proc/{supervisor}/stat")).unwrap();
        stat.contains(") S ") && switches() == before
    };
    super::support::wait_until("it sleeps", is_asleep);
    signal(sleeper, "-KILL");
}

/// fork, vfork, posix_spawn, exec, closed descriptors, and a child that outlives its parent.
fn programs_that_start_programs() {
    let world = world();
    serve(world.server(), 80, http);
    let script = "
import os, subprocess, sys
url = 'http://192.0.2.2/'
print(subprocess.run(['curl', '-s', url], capture_output=True, close_fds=True).stdout)
sys.stdout.flush()
os.waitpid(os.posix_spawnp('curl', ['curl', '-s', url], os.environ), 0)
if os.fork() == 0:
    os.closerange(3, 1024)
    os.execvp('curl', ['curl', '-s', url])
os.wait()
r, w = os.pipe()
if os.fork() == 0:
    if os.fork() == 0:
        os.setsid(); os.dup2(w, 1)
        os.execvp('curl', ['curl', '-s', url])
    os._exit(0)
os.wait(); os.close(w)
print(os.read(r, 99))
";
    let program = ["python3", "-c", script];
    let bare = world.bare(&program).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&bare.stdout).matches("hello").count(), 4);
    let ran = world.run(&[], &program);
    assert_eq!(ran.output, bare);
    assert_eq!(ran.report["connections"], 4, "{:#}", ran.report);
    // A supervisor that gets no processor while the first one ends does not learn from it, and says so; the second is then the first.
    let rows = ran.report["rows"].as_array().unwrap();
    let was_late = rows.iter().any(|row| row["note"] == "closed-early");
    let accepted = ran.report["accepted"].as_u64().unwrap();
    assert!(accepted == 3 || was_late && accepted == 2, "{:#}", ran.report);
}

/// Chromium and sshd install filters: theirs are asked too, and ours still reports.
fn a_filter_of_the_programs_own() {
    let world = world();
    serve(world.server(), 80, http);
    let script = "
import ctypes, socket, struct
libc = ctypes.CDLL(None, use_errno=True)
code = struct.pack('HBBI', 6, 0, 0, 0x7fff0000)
buffer = ctypes.create_string_buffer(code)
program = struct.pack('HxxxxxxQ', 1, ctypes.addressof(buffer))
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, program, 0, 0) == 0
s = socket.create_connection(('192.0.2.2', 80))
s.sendall(b'GET / HTTP/1.0\\r\\n\\r\\n')
print(s.makefile().read())
";
    let program = ["python3", "-c", script];
    for outcome in ["no-cookie", "accepted"] {
        let ran = world.run(&[], &program);
        assert_eq!(ran.row(80).0, outcome, "{}", ran.stderr());
        assert!(ran.stdout().contains("hello"));
    }
}

/// Without privilege, by way of no_new_privs; and what that costs a setuid program is told.
fn an_ordinary_user() {
    let world = world();
    serve(world.server(), 80, http);
    if has_one_user_only() {
        // There is one user only, and all tests are his.
        return;
    }
    std::fs::set_permissions(
        world.state.path(),
        std::os::unix::fs::PermissionsExt::from_mode(0o777),
    )
    .unwrap();
    let user = [
        "setpriv",
        "--reuid",
        "65534",
        "--regid",
        "65534",
        "--clear-groups",
        "--bounding-set",
        "-all",
        "--inh-caps",
        "-all",
    ];
    let state = format!("XDG_STATE_HOME={}", world.state.path().join("user").display());
    let run = |program: &[&str]| {
        let arguments = [
            &user[..],
            &["env", &state, TFO, "run", "--report"],
            &["--"],
            program,
        ]
        .concat();
        let output = world.bare(&arguments).output().unwrap();
        (
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    for outcome in ["no-cookie", "accepted"] {
        let (out, said) = run(&["curl", "-s", "http://192.0.2.2/"]);
        assert!(out.contains("hello") && said.contains(outcome), "{out} {said}");
    }
    let (_, said) = run(&["su", "--version"]);
    assert!(said.contains("runs without its privilege"), "{said}");
}

/// It becomes another user after its start, as servers do.
fn a_program_that_drops_its_privileges() {
    let world = world();
    serve(world.server(), 80, http);
    if has_one_user_only() {
        return;
    }
    // By address: it may not read what belongs to root then, such as modules that resolve names.
    let script = "import os, socket\nos.setgroups([]); os.setgid(65534); os.setuid(65534)\n\
                  s = socket.socket(); s.connect(('192.0.2.2', 80)); s.sendall(b'GET / HTTP/1.0\\r\\n\\r\\n')\n\
                  print(os.getuid(), s.makefile().read())";
    let program = ["python3", "-c", script];
    let bare = world.bare(&program).output().unwrap();
    for outcome in ["no-cookie", "accepted"] {
        let ran = world.run(&[], &program);
        assert_eq!(ran.output, bare);
        assert_eq!(ran.row(80).0, outcome, "{:#}", ran.report);
    }
}

/// As in a container: what is nobody's child becomes the child of the program there, which may wait for all that it has.
fn the_first_process_of_its_namespace() {
    let world = world();
    let script = "
import os
if os.fork() == 0: os._exit(3)
ended = []
while True:
    try: ended.append(os.wait()[1])
    except ChildProcessError: break
print(ended)
";
    let program = ["python3", "-c", script];
    let unshare = ["unshare", "--pid", "--fork", "--mount-proc"];
    let bare = world.bare(&[&unshare[..], &program].concat()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&bare.stdout), "[768]\n", "{bare:?}");
    let child = world
        .bare(&[&unshare[..], &[TFO, "run"], &["--"], &program].concat())
        .env("XDG_STATE_HOME", world.state.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = child.id();
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || tell.send(child.wait_with_output()));
    let output = told.recv_timeout(std::time::Duration::from_secs(20));
    let output = output.unwrap_or_else(|_| {
        signal(pid, "-KILL");
        panic!("it waits for ever")
    });
    assert_eq!(output.unwrap().stdout, bare.stdout);
}

fn has_one_user_only() -> bool {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap();
    map.split_whitespace().last() != Some("4294967295")
}

fn a_server_that_listens() {
    let world = world();
    let script = "import socket\ns = socket.create_server(('', 9000), reuse_port=False)\nprint(s.getsockopt(6, 23), flush=True)";
    let without = world.run(&[], &["python3", "-c", script]);
    assert_eq!(without.stdout(), "0\n");
    let with = world.run(&["--listen"], &["python3", "-c", script]);
    assert_eq!(with.stdout(), "1024\n");
    assert_eq!(with.report["listeners"][0]["address"], "0.0.0.0:9000");
}

fn what_can_not_be_run() {
    let world = world();
    let fails = |program: &[&str]| {
        let output = world.under(&[], program).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, said) = fails(&["no-such-program"]);
    assert!(
        code == Some(127) && said.contains("no-such-program"),
        "{code:?} {said}"
    );
    let (code, said) = fails(&["/etc/passwd"]);
    assert!(code == Some(126) && said.contains("ermission"), "{code:?} {said}");
    let output = world.bare(&[TFO, "run", "curl"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

/// Linux allows for one listener in a chain of filters: the inner program runs all the same, and the outer one's supervises it.
fn a_second_supervisor_is_told() {
    let world = world();
    serve(world.server(), 80, http);
    let ran = world.run(&[], &[TFO, "run", "--", "curl", "-s", "http://192.0.2.2/"]);
    assert!(ran.stdout().contains("hello"));
    assert!(ran.stderr().contains("already under tfo run"), "{}", ran.stderr());
    assert_eq!(ran.report["connections"], 1);
}

fn text_comes_before_the_end() {
    let world = world();
    serve(world.server(), 80, http);
    let script = format!("{TFO} run --report -- curl -s http://192.0.2.2/; echo end >&2");
    let output = world
        .bare(&["sh", "-c", &script])
        .env("XDG_STATE_HOME", world.state.path())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.starts_with("tfo: 1 connection") && said.ends_with("no-cookie, first-contact\nend\n"),
        "{said}"
    );
}
