//! Sandboxes that deny what a supervisor takes: the program runs as without it, and is told why; or does not run, if that is asked for.

use std::process::Output;

use fastopen_lab::testing::{LabTest, test};
use fastopen_lab::{Moment, Rule, SegmentKind};

use super::support::{TFO, World, echo, http, serve, world};

pub(crate) fn tests() -> Vec<LabTest> {
    vec![
        test("calls_that_a_filter_denies", calls_that_a_filter_denies),
        test("no_proc", no_proc),
        test("supervised_already", supervised_already),
        test(
            "the_first_process_of_a_container",
            the_first_process_of_a_container,
        ),
        test(
            "a_container_ends_with_connections_open",
            a_container_ends_with_connections_open,
        ),
    ]
}

/// The filter of a container answers with an error; that of a systemd unit ends who makes the call, unless told otherwise.
const ERROR: u32 = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
const KILL: u32 = libc::SECCOMP_RET_KILL_PROCESS;

/// Runs the rest of its arguments under a filter that answers the call of that number so; if its first argument is that, where one is
/// named.
const DENY: &str = "
import ctypes, os, struct, sys
number, argument, action = (int(text) for text in sys.argv[1:4])
of_argument = [] if argument < 0 else [(0x20, 0, 0, 16), (0x15, 0, 1, argument)]
instructions = [(0x20, 0, 0, 0), (0x15, 0, len(of_argument) + 1, number), *of_argument, (6, 0, 0, action), (6, 0, 0, 0x7fff0000)]
code = ctypes.create_string_buffer(b''.join(struct.pack('HBBI', *one) for one in instructions))
program = struct.pack('HxxxxxxQ', len(instructions), ctypes.addressof(code))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, program, 0, 0) == 0
os.execvp(sys.argv[4], sys.argv[4:])
";

fn calls_that_a_filter_denies() {
    let world = world();
    let curl = ["curl", "-s", "http://192.0.2.2/"];
    serve(world.server(), 80, http);
    let denies = |call: libc::c_long, argument: i32, action: u32, expected: &[&str]| {
        let [call, argument, action] = [call.to_string(), argument.to_string(), action.to_string()];
        let sandbox = ["python3", "-c", DENY, &call, &argument, &action];
        let ran = in_sandbox(&world, &sandbox, &[], &curl);
        expected.iter().for_each(|why| assert_runs_without(&ran, why));
        assert_is_not_run(&in_sandbox(&world, &sandbox, &["--require"], &curl));
    };
    for call in [
        libc::SYS_seccomp,
        libc::SYS_pidfd_open,
        libc::SYS_pidfd_getfd,
        libc::SYS_process_vm_readv,
    ] {
        denies(call, -1, ERROR, &["not permitted", "systemcallfilter="]);
        denies(call, -1, KILL, &["may have killed it", "systemcallfilter="]);
    }
    denies(
        libc::SYS_socket,
        libc::AF_NETLINK,
        ERROR,
        &["restrictaddressfamilies=af_netlink"],
    );
}

fn no_proc() {
    let world = world();
    let curl = ["curl", "-s", "http://192.0.2.2/"];
    serve(world.server(), 80, http);
    let script = "mount -t tmpfs none /proc && exec \"$@\"";
    let sandbox = ["unshare", "--mount", "sh", "-c", script, "sh"];
    assert_runs_without(&in_sandbox(&world, &sandbox, &[], &curl), "is /proc mounted?");
    assert_is_not_run(&in_sandbox(&world, &sandbox, &["--require"], &curl));
}

/// By another `tfo run` the program has Fast Open, and by anybody else it has not.
fn supervised_already() {
    let world = world();
    let program = ["sh", "-c", "echo hello"];
    let outer = [TFO, "run", "--"];
    for options in [&["--require", "--report"][..], &["--report=inner.json"], &[]] {
        let ran = in_sandbox(&world, &outer, options, &program);
        assert!(ran.status.success() && ran.stdout == b"hello\n", "{ran:?}");
        let said = text(&ran.stderr);
        assert_eq!(
            said.matches("already under tfo run, whose options and report apply")
                .count(),
            1,
            "{said}"
        );
        assert!(
            !said.contains("without fast open") && !said.contains("connection"),
            "{said}"
        );
    }
    let report = std::fs::read(world.state.path().join("inner.json")).unwrap();
    let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
    assert_eq!(
        report["problems"][0]["problem"], "already-supervised",
        "{report:#}"
    );

    let [seccomp, reported] = [libc::SYS_seccomp, libc::SYS_acct].map(|call| call.to_string());
    let other = ["python3", "-c", LISTEN, &seccomp, &reported];
    let ran = in_sandbox(&world, &other, &[], &program);
    assert_runs_without(&ran, "supervised by somebody else");
    assert_is_not_run(&in_sandbox(&world, &other, &["--require"], &program));
}

/// Runs the rest of its arguments under a filter that reports a call to a descriptor, as those of container managers do.
const LISTEN: &str = "
import ctypes, os, struct, sys
number, reported = (int(text) for text in sys.argv[1:3])
instructions = [(0x20, 0, 0, 0), (0x15, 0, 1, reported), (6, 0, 0, 0x7fc00000), (6, 0, 0, 0x7fff0000)]
code = ctypes.create_string_buffer(b''.join(struct.pack('HBBI', *one) for one in instructions))
program = struct.pack('HxxxxxxQ', len(instructions), ctypes.addressof(code))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0
listener = libc.syscall(number, 1, 8, program)
assert listener >= 0
os.set_inheritable(listener, True)
os.execvp(sys.argv[3], sys.argv[3:])
";

/// As the entry point of a container: the program is the first process, and its end the end of all others, the supervisor too.
fn the_first_process_of_a_container() {
    let world = world();
    serve(world.server(), 80, http);
    let container = ["unshare", "--pid", "--fork", "--mount", "--mount-proc"];
    let file = world.state.path().join("report.json");
    let report = format!("--report={}", file.display());
    let run = || {
        let script = "curl -s http://192.0.2.2/; echo number $$; exit 3";
        let ran = in_sandbox(&world, &container, &["--require", &report], &["sh", "-c", script]);
        assert_eq!(ran.status.code(), Some(3), "{ran:?}");
        let number = if world.is_above() { "" } else { "1\n" };
        let expected = format!("hello from the lab\nnumber {number}");
        assert!(text(&ran.stdout).starts_with(&expected), "{ran:?}");
        serde_json::from_slice::<serde_json::Value>(&std::fs::read(&file).unwrap()).unwrap()
    };
    let mut may_be_late = true;
    for outcome in ["no-cookie", "accepted"] {
        let mut report = run();
        // A program that is kept from writing for a round trip is released. Once that is this machine's load.
        if report["rows"][0]["note"] == "released" && std::mem::take(&mut may_be_late) {
            report = run();
        }
        assert_eq!(report["rows"][0]["outcome"], outcome, "{report:#}");
    }
}

/// Nobody looks at its connections any more: what is known of them is in the report.
fn a_container_ends_with_connections_open() {
    let world = world();
    serve(world.server(), 7, echo);
    let container = ["unshare", "--pid", "--fork", "--mount", "--mount-proc"];
    let file = world.state.path().join("report.json");
    let report = format!("--report={}", file.display());
    // Not before it is released, when the first SYN is sent; and gone as soon as it is connected, or before.
    let script = "
import socket, sys, time
s = socket.create_connection(('192.0.2.2', 7))
info = lambda: s.getsockopt(6, 11, 140)
while not any(info()[136:]): time.sleep(0.005)
if sys.argv[1]:
    s.sendall(b'late')
    while info()[0] != 1: pass
";
    for (connected, expected) in [("yes", "no-cookie"), ("yes", "not-attempted"), ("", "unknown")] {
        if connected.is_empty() {
            let answers = Rule::hold(Moment::Released).on(SegmentKind::SynAck);
            world.lab.set_rules(vec![answers]).unwrap();
        }
        let ran = in_sandbox(
            &world,
            &container,
            &["--all", "--require", &report],
            &["python3", "-c", script, connected],
        );
        assert!(ran.status.success(), "{ran:?}");
        let report: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        let rows = report["rows"].as_array().unwrap();
        assert!(
            rows.len() == 1 && rows[0]["outcome"] == expected && report["connections"] == 1,
            "{report:#}"
        );
    }
}

fn in_sandbox(world: &World, sandbox: &[&str], options: &[&str], program: &[&str]) -> Output {
    let arguments = [sandbox, &[TFO, "run"], options, &["--"], program].concat();
    let mut command = world.bare(&arguments);
    command.env("XDG_STATE_HOME", world.state.path());
    command.output().unwrap()
}

fn assert_runs_without(ran: &Output, why: &str) {
    assert!(
        ran.status.success() && text(&ran.stdout).contains("hello"),
        "{ran:?}"
    );
    let said = text(&ran.stderr);
    assert!(
        said.contains("running without fast open") && said.contains(why),
        "{said}"
    );
}

fn assert_is_not_run(ran: &Output) {
    assert_eq!(ran.status.code(), Some(2), "{ran:?}");
    assert!(
        ran.stdout.is_empty() && text(&ran.stderr).contains("was not run"),
        "{ran:?}"
    );
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).to_lowercase()
}
