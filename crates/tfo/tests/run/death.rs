//! The supervisor is killed in the middle: the program goes on.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Stdio};

use fastopen_lab::testing::{LabTest, test};
use fastopen_lab::{Rule, SegmentKind};

use super::support::{World, echo, processes, serve, signal, wait_until, world};

pub(crate) fn tests() -> Vec<LabTest> {
    vec![
        test("one_after_the_other_is_killed", one_after_the_other_is_killed),
        test("a_call_that_waits_is_answered", a_call_that_waits_is_answered),
        test("a_shutdown_that_is_due_is_done", a_shutdown_that_is_due_is_done),
        test("a_deferred_socket_is_released", a_deferred_socket_is_released),
    ]
}

/// Connects once for each line that it reads, and says what it got.
const SCRIPT: &str = "
import socket, sys
print('ready', flush=True)
for line in sys.stdin:
    s = socket.create_connection(('192.0.2.2', 7))
    s.sendall(line.strip().encode()); s.shutdown(socket.SHUT_WR)
    print(s.makefile().read(), flush=True)
";

struct Program {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Program {
    fn start(world: &World, script: &str) -> Self {
        let mut command = world.under(&["--all"], &["python3", "-c", script]);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    fn read(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn write(&mut self, line: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    fn end(mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }
}

fn one_after_the_other_is_killed() {
    let world = world();
    serve(world.server(), 7, echo);
    let mut program = Program::start(&world, SCRIPT);
    assert_eq!(program.read(), "ready");
    let mut exchange = |text: &str| {
        program.write(text);
        assert_eq!(program.read(), format!("{} bytes: {text}", text.len()));
    };
    exchange("one");
    // Another guardian takes the place of the first.
    let guardian = world.only("tfo-guardian");
    signal(guardian, "-KILL");
    wait_until("there is another", || {
        processes("tfo-guardian", world.state.path())
            .iter()
            .any(|pid| *pid != guardian)
    });
    exchange("two");
    // Whoever is left lets everything through, and is guarded in its turn.
    signal(world.only("tfo-supervisor"), "-KILL");
    exchange("three");
    for text in ["four", "five"] {
        wait_until("there are two", || {
            processes("tfo-guardian", world.state.path()).len() == 2
        });
        let oldest = processes("tfo-guardian", world.state.path())
            .into_iter()
            .min()
            .unwrap();
        signal(oldest, "-KILL");
        exchange(text);
    }
    program.end();
    wait_until("they end with the program", || {
        processes("tfo-guardian", world.state.path()).is_empty()
    });
}

/// The call has not been received when the supervisor ends.
fn a_call_that_waits_is_answered() {
    let world = world();
    serve(world.server(), 7, echo);
    let mut program = Program::start(&world, SCRIPT);
    assert_eq!(program.read(), "ready");
    let supervisor = world.only("tfo-supervisor");
    signal(supervisor, "-STOP");
    program.write("hello");
    let pid = world.only("python3");
    wait_until("connect() waits", || {
        let call = std::fs::read_to_string(format!("/proc/{pid}/wchan")).unwrap_or_default();
        call.contains("seccomp") || call == "0" || call.is_empty()
    });
    signal(supervisor, "-KILL");
    assert_eq!(program.read(), "5 bytes: hello");
    program.end();
}

/// shutdown() returns although the handshake does not end, and is done when that does: by the supervisor, or by whoever is left.
fn a_shutdown_that_is_due_is_done() {
    let world = world();
    // The loss of a SYN makes a destination plain.
    for port in 70..74 {
        serve(world.server(), port, echo);
    }
    let script = "
import socket, sys
print('ready', flush=True)
def exchange(s):
    s.sendall(b'x'); s.shutdown(socket.SHUT_WR); return s.makefile().read()
for n, text in enumerate([b'', b'hello', b'', b'hello']):
    A = ('192.0.2.2', 70 + n)
    exchange(socket.create_connection(A)); exchange(socket.create_connection(A))
    print('known', flush=True)
    sys.stdin.readline()
    s = socket.create_connection(A)
    s.setblocking(False)
    if text: s.sendall(text)
    s.shutdown(socket.SHUT_WR)
    s.setblocking(True)
    print('shut down', flush=True)
    print(s.makefile().read(), flush=True)
";
    let mut program = Program::start(&world, script);
    assert_eq!(program.read(), "ready");
    for (said, is_killed) in [("0 bytes:", false), ("5 bytes: hello", false), ("0 bytes:", true)] {
        assert_eq!(program.read(), "known");
        let rule = Rule::drop().from("server").on(SegmentKind::SynAck);
        world.lab.set_rules([rule]).unwrap();
        let capture = world.lab.capture();
        program.write("");
        assert_eq!(program.read(), "shut down");
        let sent = capture.wait_for(std::time::Duration::from_secs(10), |frame| {
            frame.segment().is_ok_and(|segment| segment.flags.syn)
        });
        assert!(sent.is_some(), "shutdown() released it");
        if is_killed {
            signal(world.only("tfo-supervisor"), "-KILL");
        }
        world.lab.set_rules([]).unwrap();
        assert_eq!(program.read(), said);
    }
    assert_eq!(program.read(), "known");
    program.write("");
    assert_eq!(
        (program.read(), program.read()),
        ("shut down".into(), "5 bytes: hello".into())
    );
    program.end();
}

/// The supervisor ends before it could release a socket whose program reads first.
fn a_deferred_socket_is_released() {
    let world = world();
    serve(world.server(), 7, super::support::banner);
    // The third connection is deferred: its program stops its supervisor at once, and reads.
    let script = "
import os, signal, socket, sys
print('ready', flush=True)
supervisor = int(sys.stdin.readline())
A = ('192.0.2.2', 7)
for i in range(1):
    s = socket.create_connection(A); s.send(b'x'); s.recv(9)
s = socket.create_connection(A)
os.kill(supervisor, signal.SIGKILL)
print(s.recv(99), flush=True)
";
    let mut program = Program::start(&world, script);
    assert_eq!(program.read(), "ready");
    let supervisor = world.only("tfo-supervisor");
    program.write(&supervisor.to_string());
    assert_eq!(program.read(), "b'220 ready\\r\\n'");
    program.end();
}
