//! What a program sees of a deferred socket: what it sees of a connected one.

use fastopen_lab::testing::{LabTest, test};

use super::support::{World, echo, serve, world};

pub(crate) fn tests() -> Vec<LabTest> {
    vec![
        test("calls_on_a_deferred_socket", calls_on_a_deferred_socket),
        test(
            "a_write_before_the_end_is_delivered",
            a_write_before_the_end_is_delivered,
        ),
        test("pollers_wake_up", pollers_wake_up),
        test("odd_addresses", odd_addresses),
        test("threads_and_many_connections", threads_and_many_connections),
    ]
}

/// Runs a script with and without, three times, and demands the same output; gives the outcomes and notes to that port.
pub(crate) fn same(world: &World, script: &str, port: u16) -> String {
    let program = ["python3", "-c", script];
    let bare = world.bare(&program).output().unwrap();
    assert!(bare.status.success(), "{}", String::from_utf8_lossy(&bare.stderr));
    let mut outcomes = String::new();
    for _ in 0..3 {
        let ran = world.run(&["--all"], &program);
        assert_eq!(
            ran.stdout(),
            String::from_utf8_lossy(&bare.stdout),
            "{} {:#}",
            ran.stderr(),
            ran.report
        );
        assert_eq!(ran.output.status, bare.status);
        let rows = ran.report["rows"].as_array().unwrap();
        let to = |row: &&serde_json::Value| {
            row["destination"]
                .as_str()
                .unwrap()
                .ends_with(&format!(":{port}"))
        };
        let told = |row: &serde_json::Value| format!("{} {}", row["outcome"], row["note"]);
        outcomes += &rows.iter().filter(to).map(told).collect::<Vec<_>>().join(" ");
    }
    outcomes
}

pub(crate) const HEAD: &str = "import errno, os, select, socket, sys\nA = ('192.0.2.2', 7)\n\
    def attempt(f):\n    try: return f()\n    except OSError as e: return errno.errorcode.get(e.errno, 'timeout')\n";

fn calls_on_a_deferred_socket() {
    let world = world();
    serve(world.server(), 7, echo);
    let script = format!(
        "{HEAD}s = socket.create_connection(A)\nprint(s.getpeername(), attempt(lambda: s.connect(A)))\n\
         print(s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))\ns.sendall(b'hello')\ns.shutdown(socket.SHUT_WR)\n\
         print(s.makefile().read())\n\
         t = socket.create_connection(A)\nt.shutdown(socket.SHUT_WR)\nprint(t.getpeername(), t.makefile().read())\n\
         u = socket.create_connection(A)\nu.close()\n"
    );
    let outcomes = same(&world, &script, 7);
    let was_deferred = ["accepted", "released"]
        .iter()
        .any(|told| outcomes.contains(told));
    assert!(was_deferred, "{outcomes}");
}

/// A program that writes without waiting, and closes or ends: what it wrote arrives.
fn a_write_before_the_end_is_delivered() {
    let world = world();
    let (arrived, arrivals) = std::sync::mpsc::channel();
    let listener = world.server().run(|| fastopen::listen(("::", 7))).unwrap();
    world.server().spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut read = String::new();
            let result = std::io::Read::read_to_string(&mut stream, &mut read);
            arrived.send((read, result.is_ok())).unwrap();
        }
    });
    let script = format!(
        "{HEAD}s = socket.socket()\ns.setblocking(False)\nif attempt(lambda: s.connect(A)) == 'EINPROGRESS': select.select([], [s], [])\n\
         s.send(b'fire')\n"
    );
    for end in ["s.close()", "os._exit(0)", "s.shutdown(socket.SHUT_WR)"] {
        let script = format!("{script}{end}\n");
        for outcome in ["", "accepted"] {
            let ran = world.run(&["--all"], &["python3", "-c", &script]);
            assert!(ran.output.status.success(), "{}", ran.stderr());
            let arrived = arrivals.recv_timeout(std::time::Duration::from_secs(10)).unwrap();
            assert_eq!(arrived, ("fire".to_owned(), true), "{end}");
            assert!(
                outcome.is_empty() || ran.row(7).0 == outcome,
                "{end}: {:#}",
                ran.report
            );
        }
    }
}

/// poll() for something to read, without a write: it returns when the server closes.
fn pollers_wake_up() {
    let world = world();
    serve(world.server(), 7, |stream| {
        stream.shutdown(std::net::Shutdown::Both)
    });
    let script = format!(
        "{HEAD}s = socket.create_connection(A)\np = select.poll()\np.register(s, select.POLLIN)\nprint(len(p.poll(10000)), s.recv(9))\n"
    );
    same(&world, &script, 7);
}

/// Addresses of any length and family, unmapped memory, descriptors that are no sockets: the kernel's own errors.
fn odd_addresses() {
    let world = world();
    let script = "
import ctypes, os, random, socket
libc = ctypes.CDLL(None, use_errno=True)
def call(name, *a):
    ctypes.set_errno(0)
    return getattr(libc, name)(*a), ctypes.get_errno()
p = ctypes.c_void_p
random.seed(7)
out = []
for family in range(0, 48):
    for length in [0, 1, 2, 3, 8, 15, 16, 17, 24, 27, 28, 29, 110, 128, 129, 4096, -1]:
        s = socket.socket(); s.setblocking(False)
        body = bytes([family, 0, 0, 9]) + bytes(4096)
        out.append((family, length, call('connect', s.fileno(), body, length)))
for address in [0, 1, 4096, 2**47 - 4096, 2**63]:
    for name in ['connect', 'getpeername']:
        s = socket.socket()
        out.append(call(name, s.fileno(), p(address), p(16)))
import mmap
m = mmap.mmap(-1, 8192)
base = ctypes.addressof(ctypes.c_char.from_buffer(m))
libc.munmap(p(base + 4096), 4096)
for back in range(1, 32):
    s = socket.socket(); s.setblocking(False)
    out.append(call('connect', s.fileno(), p(base + 4096 - back), 16))
for fd in [-1, 0, 1, 999, 2**31 - 1]:
    out.append(call('connect', fd, bytes([2, 0, 0, 9]) + bytes(12), 16))
    out.append(call('shutdown', fd, 9))
for how in [-1, 0, 1, 2, 3]:
    out.append(call('shutdown', socket.socket().fileno(), how))
u = socket.socket(type=socket.SOCK_DGRAM); u.connect(('192.0.2.2', 53)); out.append(u.getpeername())
for line in out: print(line)
";
    same(&world, script, 9);
}

/// Nothing is lost, and nothing piles up in the supervisor.
fn threads_and_many_connections() {
    let world = world();
    serve(world.server(), 7, echo);
    let script = "
import socket, sys, threading
ok = []
def work(n):
    for i in range(4):
        s = socket.create_connection(('192.0.2.2', 7))
        s.sendall(b'%d' % n); s.shutdown(socket.SHUT_WR)
        ok.append(s.makefile().read().endswith(': %d' % n))
work(0)
threads = [threading.Thread(target=work, args=(n,)) for n in range(1, 65)]
[t.start() for t in threads]; [t.join() for t in threads]
print(len(ok), all(ok), flush=True)
sys.stdin.readline()
";
    let mut command = world.under(&["--all"], &["python3", "-c", script]);
    let mut child = command
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut reader = std::io::BufReader::new(child.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut reader, &mut line).unwrap();
    assert_eq!(line, "260 True\n");
    let [supervisor] = super::support::processes("tfo-supervisor", world.state.path())[..] else {
        panic!("one supervisor");
    };
    let descriptors = || {
        std::fs::read_dir(format!("/proc/{supervisor}/fd"))
            .unwrap()
            .count()
    };
    super::support::wait_until("it closes what it has looked at", || descriptors() < 20);
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    super::support::wait_until("it ends with the program", || {
        super::support::processes("tfo-supervisor", world.state.path()).is_empty()
            && super::support::processes("tfo-guardian", world.state.path()).is_empty()
    });
}
