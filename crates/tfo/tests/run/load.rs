//! Many connections, many threads, and threads that change under the supervisor's eyes what it looks at.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use fastopen_lab::testing::{LabTest, test};

use super::support::{World, echo, processes, serve, wait_until, world};

pub(crate) fn tests() -> Vec<LabTest> {
    vec![
        test(
            "connections_leave_nothing_behind",
            connections_leave_nothing_behind,
        ),
        test(
            "a_hundred_threads_lose_their_supervisor",
            a_hundred_threads_lose_their_supervisor,
        ),
        test(
            "sending_much_does_not_wake_the_supervisor",
            sending_much_does_not_wake_the_supervisor,
        ),
        test("arguments_that_change_meanwhile", arguments_that_change_meanwhile),
    ]
}

/// A program that does something for each line that it is given, and says a line.
struct Program {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Program {
    fn start(world: &World, script: &str) -> Self {
        let mut child = world
            .under(&["--all"], &["python3", "-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            input: child.stdin.take().unwrap(),
            output: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    fn tell(&mut self, line: &str) {
        writeln!(self.input, "{line}").unwrap();
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn ask(&mut self, line: &str) -> String {
        self.tell(line);
        self.line()
    }

    fn end(mut self) {
        drop(self.input);
        assert!(self.child.wait().unwrap().success());
    }
}

fn supervisor(world: &World) -> u32 {
    wait_until("one supervisor", || {
        processes("tfo-supervisor", world.state.path()).len() == 1
    });
    processes("tfo-supervisor", world.state.path())[0]
}

fn status(pid: u32, field: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let values = status.lines().filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.ends_with(field)
            .then(|| value.split_whitespace().next()?.parse::<u64>().ok())?
    });
    values.sum()
}

fn descriptors(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

/// Neither descriptors nor memory, in either process. `TFO_RUN_CONNECTIONS=10000` makes as many; a tenth does for every day.
fn connections_leave_nothing_behind() {
    let world = world();
    let script = "
import socket, sys, threading
l = socket.create_server(('127.0.0.1', 7), backlog=999); l.setsockopt(6, 23, 999)
def serve():
    while True:
        c, _ = l.accept(); c.sendall(c.recv(9)); c.close()
threading.Thread(target=serve, daemon=True).start()
print('ready', flush=True)
for line in sys.stdin:
    good = 0
    for i in range(int(line)):
        s = socket.create_connection(('127.0.0.1', 7)); s.sendall(b'hello'); good += s.recv(9) == b'hello'; s.close()
    print(good, flush=True)
";
    let many = std::env::var("TFO_RUN_CONNECTIONS").map_or(1000, |many| many.parse::<u64>().unwrap());
    world
        .lab
        .client()
        .unwrap()
        .set_sysctl("net.ipv4.tcp_fastopen", "3")
        .unwrap();
    let mut program = Program::start(&world, script);
    assert_eq!(program.line(), "ready");
    let supervisor = supervisor(&world);
    assert_eq!(program.ask("500"), "500");
    let settled = descriptors(supervisor);
    let before = [supervisor, program.child.id()].map(|pid| status(pid, "VmRSS"));
    assert_eq!(program.ask(&many.to_string()), many.to_string());
    wait_until("it closes what it has looked at", || {
        descriptors(supervisor) <= settled + 1
    });
    assert!(descriptors(program.child.id()) < 16);
    for (pid, before) in [supervisor, program.child.id()].into_iter().zip(before) {
        let now = status(pid, "VmRSS");
        // An entry of a bounded list for each connection, and room in lists: a hundred bytes. A leak of a page each would be 4 KiB.
        assert!(now < before + 512 + many / 5, "{before} KiB, then {now} KiB");
    }
    let epoll = std::fs::read_dir(format!("/proc/{supervisor}/fdinfo"))
        .unwrap()
        .flatten();
    let watched: usize = epoll
        .filter_map(|file| std::fs::read_to_string(file.path()).ok())
        .map(|text| text.matches("tfd:").count())
        .sum();
    assert!(watched < 8, "{watched} sockets are watched");
    program.end();
}

/// SIGKILL in the middle of what a hundred threads connect: each exchange is made, at latest when it is tried by the guardian.
fn a_hundred_threads_lose_their_supervisor() {
    let world = world();
    serve(world.server(), 7, echo);
    let script = "
import os, signal, socket, sys, threading
print('ready', flush=True)
supervisor = int(sys.stdin.readline())
ok = []; half = threading.Barrier(101)
def work(n):
    half.wait()
    for i in range(3):
        s = socket.create_connection(('192.0.2.2', 7))
        s.sendall(b'%d' % n); s.shutdown(socket.SHUT_WR)
        ok.append(s.makefile().read().endswith(': %d' % n))
threads = [threading.Thread(target=work, args=(n,)) for n in range(100)]
[t.start() for t in threads]
half.wait()
while len(ok) < 120: pass
os.kill(supervisor, signal.SIGKILL)
[t.join() for t in threads]
print(len(ok), all(ok), flush=True)
";
    let mut program = Program::start(&world, script);
    assert_eq!(program.line(), "ready");
    let supervisor = supervisor(&world);
    assert_eq!(program.ask(&supervisor.to_string()), "300 True");
    program.end();
}

/// Its part is over when the handshake is: what the program sends then is no event.
fn sending_much_does_not_wake_the_supervisor() {
    let world = world();
    serve(world.server(), 7, |mut stream| {
        let read = std::io::copy(&mut stream, &mut std::io::sink())?;
        write!(stream, "{read}")
    });
    let script = "
import socket, sys
print('ready', flush=True)
for line in sys.stdin:
    s = socket.create_connection(('192.0.2.2', 7)); s.sendall(b'x' * 3000)
    print('begun', flush=True)
    sys.stdin.readline()
    for i in range(64): s.sendall(b'x' * 65536)
    s.shutdown(socket.SHUT_WR); print(s.makefile().read(), flush=True)
";
    let mut program = Program::start(&world, script);
    assert_eq!(program.line(), "ready");
    let supervisor = supervisor(&world);
    for _ in 0..2 {
        assert_eq!(program.ask("begin"), "begun");
        // Its handshake has ended, and the supervisor has looked at it, when nothing is held any more.
        wait_until("it is let go", || descriptors(supervisor) < 9);
        let before = status(supervisor, "ctxt_switches");
        assert_eq!(program.ask("go on"), (3000 + 64 * 65536).to_string());
        let woken = status(supervisor, "ctxt_switches") - before;
        assert!(woken < 20, "woken {woken} times");
    }
    program.end();
}

/// The address and the descriptor of a connect() change while it is looked at: the kernel's answer, and no other socket is touched.
fn arguments_that_change_meanwhile() {
    let world = world();
    let script = "
import ctypes, os, random, socket, struct, sys, threading, time
libc = ctypes.CDLL(None, use_errno=True)
ls = [socket.create_server(('127.0.0.1', port), backlog=4096) for port in (7001, 7002)]
for l in ls: l.setsockopt(6, 23, 4096)
print('ready', flush=True); sys.stdin.readline()
def address(port): return struct.pack('=H', 2) + struct.pack('!H', port) + bytes([127, 0, 0, 1]) + bytes(8)
shared = ctypes.create_string_buffer(address(7001), 16)
fd = os.dup(0)
def bystander(): s = socket.socket(); s.setblocking(False); return s  # An address that is half of one and half of another leads nowhere.
bystanders = [bystander() for i in range(4)]
end = False
def flip():
    random.seed(7)
    while not end:
        shared[:] = random.choice([address(7001), address(7002), address(25), random.randbytes(16)])
        try: os.dup2(random.choice(bystanders).fileno(), fd)
        except OSError: pass  # One that is being replaced.
t = threading.Thread(target=flip); t.start()
made = 0
for i in range(2000):
    s = socket.socket(); s.setblocking(False)
    os.dup2(s.fileno(), fd)
    libc.connect(fd, shared, 16)
    if i % 16 == 0:
        for n, b in enumerate(bystanders):
            try: b.getpeername(); used = True
            except OSError: used = b.getsockopt(6, 11, 8)[0] != 7
            if used: bystanders[n].close(); bystanders[n] = bystander(); made += 1
end = True; t.join(); os.close(fd)
time.sleep(0.6)
idle = [b for b in bystanders if b.getsockopt(6, 11, 8)[0] == 7]
print([b.getsockopt(6, 30) for b in idle].count(1), flush=True)
sys.stdin.readline()
for i in range(3):
    s = socket.create_connection(('127.0.0.1', 7001)); s.close()
print('alive', flush=True)
sys.stdin.readline()
";
    world
        .lab
        .client()
        .unwrap()
        .set_sysctl("net.ipv4.tcp_fastopen", "3")
        .unwrap();
    let mut program = Program::start(&world, script);
    assert_eq!(program.line(), "ready");
    let before = supervisor(&world);
    assert_eq!(
        program.ask("begin"),
        "0",
        "sockets that were not connected have the option"
    );
    assert_eq!(program.ask("go on"), "alive");
    assert_eq!(
        supervisor(&world),
        before,
        "the same supervisor, which has not crashed"
    );
    program.end();
}
