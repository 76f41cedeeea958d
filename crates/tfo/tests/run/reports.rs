//! What is told of connections that do not go well, and of programs that are slow.

use std::io::{Read, Write};
use std::process::Stdio;
use std::time::Duration;

use fastopen_lab::testing::{LabTest, test};
use serde_json::Value;

use super::support::{TFO, echo, http, serve, wait_until, world};

pub(crate) fn tests() -> Vec<LabTest> {
    vec![
        test("a_refused_connection_has_failed", a_refused_connection_has_failed),
        test("what_is_not_answered", what_is_not_answered),
        test("what_is_open_at_the_end_is_told", what_is_open_at_the_end_is_told),
        test(
            "who_handles_signals_writes_after_the_handshake",
            who_handles_signals_writes_after_the_handshake,
        ),
        test("late_writers_are_told_apart", late_writers_are_told_apart),
        test("a_late_look_blames_no_server", a_late_look_blames_no_server),
        test(
            "what_is_over_at_the_first_look_has_worked",
            what_is_over_at_the_first_look_has_worked,
        ),
        test(
            "what_is_left_out_is_counted_once",
            what_is_left_out_is_counted_once,
        ),
        test("large_first_writes_save_nothing", large_first_writes_save_nothing),
        test("nobody_reads_standard_error", nobody_reads_standard_error),
        test("a_later_run_s_report_stays", a_later_run_s_report_stays),
        test("a_report_to_a_pipe", a_report_to_a_pipe),
        test(
            "the_file_is_there_when_the_program_has_ended",
            the_file_is_there_when_the_program_has_ended,
        ),
    ]
}

/// On the first contact and later, over the network and within this machine, and where connect() fails at once.
fn a_refused_connection_has_failed() {
    let world = world();
    let script = "
import socket, sys, time
s = socket.socket()
if sys.argv[3]: s.bind((sys.argv[3], 0))
try: s.connect((sys.argv[1], 7)); s.send(b'x'); s.recv(1)
except OSError as e: print(e)
time.sleep(float(sys.argv[2]))
";
    for (destination, says, held_for, source) in [
        ("192.0.2.2", "refused", "0.5", ""),
        ("127.0.0.1", "refused", "0", ""),
        ("192.0.2.2", "Invalid", "0", "127.0.0.1"),
    ] {
        let program = ["python3", "-c", script, destination, held_for, source];
        let bare = world.bare(&program).output().unwrap();
        assert!(String::from_utf8_lossy(&bare.stdout).contains(says), "{bare:?}");
        let ran = world.run(&["--all"], &program);
        assert_eq!(ran.output, bare);
        let note = if says == "refused" { "refused" } else { "failed" };
        assert_eq!(ran.row(7), ("unknown", note), "{destination} {source}");
        let text = world.under(&["--all", "--report"], &program).output().unwrap();
        let said = String::from_utf8_lossy(&text.stderr).into_owned();
        assert!(
            said.contains(&format!("1 {note}\n")) && !said.contains("yet"),
            "{said}"
        );
    }
}

/// The address that nobody has, and the host whose answers are lost: the program gives up by its own choice or the kernel's.
fn what_is_not_answered() {
    let world = world();
    let client = world.lab.client().unwrap();
    client.set_sysctl("net.ipv4.tcp_syn_retries", "1").unwrap();
    let drop = fastopen_lab::Rule::drop()
        .from("server")
        .on(fastopen_lab::SegmentKind::SynAck);
    serve(world.server(), 7, echo);
    world.lab.set_rules([drop]).unwrap();
    let script = "
import socket
try: socket.create_connection(('192.0.2.2', 7))
except OSError as e: print(e.errno)
";
    let ran = world.run(&["--all"], &["python3", "-c", script]);
    assert_eq!(
        (ran.stdout().as_str(), ran.row(7)),
        ("110\n", ("unknown", "unanswered"))
    );
}

/// A program that ends at once, without a word or with data that a dead host does not take: its connection is in the report.
fn what_is_open_at_the_end_is_told() {
    let world = world();
    serve(world.server(), 7, echo);
    let learn = "
import socket
for i in range(2):
    s = socket.create_connection(('192.0.2.2', 7)); s.sendall(b'x'); s.shutdown(1); s.makefile().read()
";
    let speechless = "import socket\nsocket.create_connection(('192.0.2.2', 7)).close()";
    let hasty = "
import socket
s = socket.socket(); s.setblocking(False); s.connect_ex(('192.0.2.2', 7)); s.send(b'x')
";
    world.run(&["--all"], &["python3", "-c", learn]);
    let ran = world.run(&["--all"], &["python3", "-c", speechless]);
    assert_eq!(ran.row(7), ("not-attempted", "released"), "{:#}", ran.report);
    let drop = fastopen_lab::Rule::drop()
        .from("client")
        .on(fastopen_lab::SegmentKind::Syn);
    world.lab.set_rules([drop]).unwrap();
    let ran = world.run(&["--all"], &["python3", "-c", hasty]);
    assert_eq!(ran.row(7), ("unknown", "unanswered"), "{:#}", ran.report);
}

/// One that comes during the first write of a socket that blocks would make the kernel send it twice.
fn who_handles_signals_writes_after_the_handshake() {
    let world = world();
    serve(world.server(), 7, echo);
    let script = "
import signal, socket, sys
for number in sys.argv[1:]: signal.signal(int(number), lambda *_: None)
s = socket.create_connection(('192.0.2.2', 7)); s.sendall(b'x'); s.shutdown(1); print(s.makefile().read())
";
    for handled in ["", "", "10", "12", "15", "28", "2"] {
        let mut program = vec!["python3", "-c", script];
        program.extend(Some(handled).filter(|handled| !handled.is_empty()));
        let ran = world.run(&["--all"], &program);
        assert_eq!(ran.stdout(), "1 bytes: x\n");
        match handled {
            "10" | "12" | "15" | "28" => assert_eq!(ran.row(7).1, "signals", "{handled}"),
            _ => assert_ne!(ran.row(7).1, "signals", "{handled}"),
        }
    }
}

/// It answered all the time: it has not failed.
fn late_writers_are_told_apart() {
    let world = world();
    serve(world.server(), 7, echo);
    let script = "
import socket, time
s = socket.create_connection(('192.0.2.2', 7))
time.sleep(0.1)
s.sendall(b'late'); s.shutdown(socket.SHUT_WR); print(s.makefile().read())
";
    for expected in [
        ("no-cookie", "first-contact"),
        ("not-attempted", "released"),
        ("not-attempted", "released"),
        ("not-attempted", "saves-nothing"),
    ] {
        let ran = world.run(&["--all"], &["python3", "-c", script]);
        assert_eq!(ran.stdout(), "4 bytes: late\n");
        assert_eq!(ran.row(7), expected, "{:#}", ran.report);
    }
}

/// Stops the program's supervisor, as a busy machine may for a while, and lets it go on.
const STOP_SUPERVISOR: &str = "
import glob, os, signal, socket, time
state = os.environb[b'XDG_STATE_HOME']
def is_it(folder):
    try: return open(folder + 'comm').read() == 'tfo-supervisor\\n' and state in open(folder + 'environ', 'rb').read()
    except OSError: return False
[supervisor] = [int(folder.split('/')[2]) for folder in glob.glob('/proc/[0-9]*/') if is_it(folder)]
def stop(): os.kill(supervisor, signal.SIGSTOP)
def go_on(): os.kill(supervisor, signal.SIGCONT); time.sleep(0.3)
";

/// The request and its answer are both there when the supervisor looks for the first time since the handshake.
fn a_late_look_blames_no_server() {
    let world = world();
    serve(world.server(), 80, http);
    let script = format!(
        "{STOP_SUPERVISOR}
s = socket.create_connection(('192.0.2.2', 80))
time.sleep(0.1)
stop()
s.sendall(b'GET / HTTP/1.0\\r\\n\\r\\n'); print(s.recv(15))
go_on()
"
    );
    for expected in [
        ("no-cookie", "first-contact"),
        ("not-attempted", "released"),
        ("not-attempted", "released"),
        ("not-attempted", "saves-nothing"),
    ] {
        let ran = world.run(&["--all"], &["python3", "-c", &script]);
        assert_eq!(ran.row(80), expected, "{:#} {}", ran.report, ran.stderr());
    }
}

/// The server resets it when it has answered, since it leaves something unread.
fn what_is_over_at_the_first_look_has_worked() {
    let world = world();
    serve(world.server(), 7, |mut stream| {
        stream.read_exact(&mut [0; 4])?;
        stream.write_all(b"enough")
    });
    let script = format!(
        "{STOP_SUPERVISOR}
s = socket.create_connection(('192.0.2.2', 7))
s.setblocking(False); s.sendall(b'more than that'); s.setblocking(True)
stop()
try:
    while s.recv(15): pass
except ConnectionResetError: pass
go_on()
"
    );
    // An ordinary connection is let go and found by its addresses, as long as there is one.
    let first = "import socket; socket.create_connection(('192.0.2.2', 7)).close()";
    world.run(&["--all"], &["python3", "-c", first]);
    for _ in 0..2 {
        let ran = world.run(&["--all"], &["python3", "-c", &script]);
        assert_eq!(ran.row(7), ("accepted", ""), "{:#} {}", ran.report, ran.stderr());
    }
}

/// What does not fit into the SYN is complete at the server no sooner than without: no round trip is claimed, and after two in a row it is not
/// tried for a while.
fn large_first_writes_save_nothing() {
    let world = world();
    serve(world.server(), 7, echo);
    let script = "
import socket, sys
s = socket.create_connection((sys.argv[1], 7))
s.sendall(b'x' * 2000); s.shutdown(socket.SHUT_WR); print(len(s.makefile().read()))
";
    for address in ["192.0.2.2", "2001:db8::2"] {
        for expected in [
            ("no-cookie", "first-contact"),
            ("accepted", "oversized"),
            ("accepted", "oversized"),
            ("not-attempted", "saves-nothing"),
        ] {
            let ran = world.run(&["--all"], &["python3", "-c", script, address]);
            assert_eq!(ran.row(7), expected, "{:#}", ran.report);
            let sums = [&ran.report["round_trips_saved"], &ran.report["saved_ms"]].map(Value::as_f64);
            assert_eq!(sums, [Some(0.0), Some(0.0)], "{:#}", ran.report);
        }
    }
}

/// A datagram socket's connect() makes no connection, nor does that of a closed descriptor, as in every getaddrinfo(); a second one on a TCP socket asks how the first one goes.
fn what_is_left_out_is_counted_once() {
    let world = world();
    let script = "
import socket
d = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); d.connect(('127.0.0.1', 53))
import ctypes; ctypes.CDLL(None).connect(99, b'\\x02\\0\\0\\x08\\x7f\\0\\0\\x01' + bytes(8), 16)
l = socket.create_server(('127.0.0.1', 8), reuse_port=True)
s = socket.socket(); s.connect(('127.0.0.1', 8)); s.connect_ex(('127.0.0.1', 8)); s.connect_ex(('127.0.0.1', 8))
";
    let ran = world.run(&[], &["python3", "-c", script]);
    assert_eq!(ran.row(8), ("not-attempted", "left-out"), "{:#}", ran.report);
    assert_eq!(ran.report["connections"], 1, "{:#}", ran.report);
}

/// A pipe that is full must not hold the program's calls up.
fn nobody_reads_standard_error() {
    let world = world();
    let script = "
import socket
l = socket.create_server(('127.0.0.1', 7), backlog=999)
for i in range(500): socket.create_connection(('127.0.0.1', 7)).close()
print('done')
";
    let (unread, full) = std::io::pipe().unwrap();
    rustix::pipe::fcntl_setpipe_size(&full, 4096).unwrap();
    let mut child = world
        .under(&["--verbose"], &["python3", "-c", script])
        .stdout(Stdio::piped())
        .stderr(full)
        .spawn()
        .unwrap();
    let mut said = String::new();
    let (tell, told) = std::sync::mpsc::channel();
    let mut stdout = child.stdout.take().unwrap();
    std::thread::spawn(move || {
        let _ = std::io::Read::read_to_string(&mut stdout, &mut said);
        let _ = tell.send(said);
    });
    assert_eq!(
        told.recv_timeout(Duration::from_secs(30)).as_deref(),
        Ok("done\n")
    );
    assert!(child.wait().unwrap().success());
    drop(unread);
    wait_until("it ends with the program", || {
        super::support::processes("tfo-supervisor", world.state.path()).is_empty()
    });
}

/// Whoever has waited for the program may read it: it is this run's, and whole.
fn the_file_is_there_when_the_program_has_ended() {
    let world = world();
    let file = world.state.path().join("report.json");
    let report = format!("--report={}", file.display());
    for run in 0..20 {
        let run = run.to_string();
        // Without a pipe, whose end would have to be waited for.
        let mut command = world.under(&[&report], &["true", &run]);
        assert!(command.stderr(Stdio::null()).status().unwrap().success());
        let text = std::fs::read_to_string(&file).unwrap();
        let report: Value =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{run}: {error}: {text}"));
        assert_eq!(report["program"][1], run, "{report:#}");
    }
}

/// A run that has left something running writes its report again when that ends: not over a later run's.
fn a_later_run_s_report_stays() {
    let world = world();
    let file = world.state.path().join("report.json");
    let report = format!("--report={}", file.display());
    let program = || {
        let text = std::fs::read_to_string(&file).unwrap();
        let report: Value = serde_json::from_str(&text).unwrap();
        (report["program"][3].clone(), report["complete"].clone())
    };
    let first = "sleep 1 > /dev/null 2>&1 & true";
    for (script, name) in [(first, "first"), ("true", "later")] {
        let mut command = world.under(&[&report], &["sh", "-c", script, name]);
        assert!(command.stderr(Stdio::null()).status().unwrap().success());
        assert_eq!(program().0, name);
    }
    wait_until("its last report", || program().1 == true);
    // The first run's last one is due.
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(program(), ("later".into(), true.into()));
}

fn a_report_to_a_pipe() {
    let world = world();
    let script = format!("{TFO} run --report=/dev/stdout -- true | cat");
    let output = world
        .bare(&["sh", "-c", &script])
        .env("XDG_STATE_HOME", world.state.path())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let reports: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(reports.len(), 2, "{text}");
    assert!(
        reports[1]["complete"] == true && reports[1]["connections"] == 0,
        "{text}"
    );
}
