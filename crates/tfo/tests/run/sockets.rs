//! Sockets of every kind, and what programs do with them besides connecting once.

use fastopen_lab::testing::{LabTest, test};

use super::semantics::{HEAD, same};
use super::support::{banner, echo, rounds, serve, world};

pub(crate) fn tests() -> Vec<LabTest> {
    vec![
        test("connections_by_io_uring", connections_by_io_uring),
        test(
            "a_socket_that_is_connected_again",
            a_socket_that_is_connected_again,
        ),
        test("a_socket_that_was_refused", a_socket_that_was_refused),
        test("readers_of_every_kind", readers_of_every_kind),
        test("a_socket_that_is_handed_on", a_socket_that_is_handed_on),
        test("bound_and_mapped_sockets", bound_and_mapped_sockets),
        test("other_kinds_of_sockets", other_kinds_of_sockets),
        test("another_network_namespace", another_network_namespace),
    ]
}

/// After a failure, and after its program has given the connection up: nothing that was set for the first connection touches the second,
/// whose program reads first.
fn a_socket_that_is_connected_again() {
    let world = world();
    let dying = world.server().run(|| fastopen::listen(("::", 7))).unwrap();
    world.server().spawn(move || {
        for _ in 0..2 {
            let _ = echo(dying.accept().unwrap().0);
        }
    });
    for port in [25, 26, 27] {
        serve(world.server(), port, banner);
    }
    let script = format!(
        "{HEAD}import ctypes, time\nlibc = ctypes.CDLL(None)\n\
def exchange():\n    s = socket.create_connection(A); s.sendall(b'x'); s.shutdown(1); return s.makefile().read()\n\
print(exchange(), exchange())\n\
s = socket.socket()\n\
print(attempt(lambda: (s.connect(A), s.send(b'x'), s.recv(1))))\n\
time.sleep(0.5)\n\
s.connect(('192.0.2.2', 25)); s.settimeout(20); print(s.recv(9), s.getpeername()); s.settimeout(None)\n\
for length, port in [(16, 26), (2, 27)]:\n    \
    print(libc.connect(s.fileno(), bytes(16), length))\n    \
    s.connect(('192.0.2.2', port)); s.settimeout(20); print(s.recv(9), s.getpeername()); s.settimeout(None)\n    \
    print(libc.connect(s.fileno(), bytes(16), length), attempt(s.getpeername))\n    \
    s.connect(('192.0.2.2', port)); s.settimeout(20); print(s.recv(9)); s.settimeout(None)\n"
    );
    let program = ["python3", "-c", &script];
    let ran = world.run(&["--all"], &program);
    let expected = "1 bytes: x 1 bytes: x\nECONNREFUSED\nb'220 ready' ('192.0.2.2', 25)\n\
0\nb'220 ready' ('192.0.2.2', 26)\n0 ENOTCONN\nb'220 ready'\n0\nb'220 ready' ('192.0.2.2', 27)\n0 ENOTCONN\nb'220 ready'\n";
    assert_eq!(ran.stdout(), expected, "{} {:#}", ran.stderr(), ran.report);
    let rows = ran.report["rows"].as_array().unwrap();
    assert!(rows.iter().all(|row| row["note"] != "own-fast-open"), "{rows:#?}");
    let failed = |row: &&serde_json::Value| row["note"] == "refused" && row["outcome"] == "unknown";
    assert_eq!(rows.iter().filter(failed).count(), 1, "{rows:#?}");
}

/// The kernel answers the next connect() of a socket that does not block with the error of the one before: that is no connection, and says
/// nothing of where it was to go. Nothing that was set here is left on a socket whose connection has failed.
fn a_socket_that_was_refused() {
    let world = world();
    let dying = world.server().run(|| fastopen::listen(("::", 7))).unwrap();
    world.server().spawn(move || {
        for _ in 0..2 {
            let _ = echo(dying.accept().unwrap().0);
        }
    });
    serve(world.server(), 8, echo);
    let script = format!(
        "{HEAD}import time\n\
def exchange(port):\n    s = socket.create_connection(('192.0.2.2', port)); s.sendall(b'x'); s.shutdown(1); return s.makefile().read()\n\
def settle():\n    \
    deadline = time.monotonic() + 10\n    \
    while s.getsockopt(6, 30) and time.monotonic() < deadline: time.sleep(0.02)\n    \
    print(s.getsockopt(6, 30), s.getsockopt(6, 11, 1)[0])\n\
print(exchange(7), exchange(7), exchange(8), exchange(8))\n\
s = socket.socket(); s.setblocking(False)\n\
if attempt(lambda: s.connect(A)) != 'EINPROGRESS': s.send(b'x')\n\
select.select([s], [], [])\n\
settle()\n\
print(attempt(lambda: s.connect(('192.0.2.2', 8))))\n\
time.sleep(0.5); settle()\n\
if attempt(lambda: s.connect(('192.0.2.2', 8))) == 'EINPROGRESS': select.select([], [s], [])\n\
s.setblocking(True); s.sendall(b'y'); s.shutdown(1); print(s.makefile().read())\n"
    );
    let ran = world.run(&["--all"], &["python3", "-c", &script]);
    let expected = "1 bytes: x 1 bytes: x 1 bytes: x 1 bytes: x\n0 7\nECONNREFUSED\n0 7\n1 bytes: y\n";
    assert_eq!(ran.stdout(), expected, "{} {:#}", ran.stderr(), ran.report);
    let rows = ran.report["rows"].as_array().unwrap();
    let told: Vec<_> = rows
        .iter()
        .map(|row| {
            let destination = row["destination"].as_str().unwrap();
            let port = destination.rsplit_once(':').unwrap().1;
            let outcome = row["outcome"].as_str().unwrap();
            (port, outcome, row["connections"].as_u64().unwrap())
        })
        .collect();
    for expected in [
        ("7", "no-cookie", 1),
        ("7", "accepted", 1),
        ("7", "unknown", 1),
        ("8", "not-attempted", 1),
        ("8", "accepted", 2),
    ] {
        assert!(told.contains(&expected), "{expected:?}: {rows:#?}");
    }
    assert_eq!(told.len(), 5, "{rows:#?}");
}

/// Each on a port of its own, where the second connection is deferred: the server's first bytes arrive.
fn readers_of_every_kind() {
    let world = world();
    for port in 2500..2509 {
        serve(world.server(), port, banner);
    }
    let script = "
import select, socket, threading, time
EP = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP
def begin(s, a):
    try: s.connect(a)
    except BlockingIOError: pass
def by_epoll(flags, before):
    def read(a):
        s = socket.socket(); s.setblocking(False); e = select.epoll()
        if before: e.register(s, flags)
        begin(s, a)
        if not before: e.register(s, flags)
        until = time.monotonic() + 20
        while time.monotonic() < until:
            time.sleep(0.002)
            for fd, events in e.poll(20):
                try: return s.recv(9)
                except BlockingIOError: pass
                except OSError as error:
                    if error.errno != 107: raise
    return read
def by_select(a):
    s = socket.socket(); s.setblocking(False); begin(s, a)
    return s.recv(9) if select.select([s], [], [], 20)[0] else 'silence'
def by_poll(a):
    s = socket.socket(); s.setblocking(False); begin(s, a)
    p = select.poll(); p.register(s, select.POLLIN)
    return s.recv(9) if p.poll(20000) else 'silence'
def by_blocking(a):
    return socket.create_connection(a).recv(9)
def by_time_limit(a):
    s = socket.create_connection(a); s.settimeout(20); return s.recv(9)
def by_another_thread(a):
    s = socket.create_connection(a); got = []
    t = threading.Thread(target=lambda: got.append(s.recv(9))); t.start(); t.join(20); return got
kinds = [by_epoll(EP, False), by_epoll(EP, True), by_epoll(EP | select.EPOLLET, False), by_epoll(EP | select.EPOLLET, True),
         by_select, by_poll, by_blocking, by_time_limit, by_another_thread]
for n, kind in enumerate(kinds):
    for i in range(2): print(n, kind(('192.0.2.2', 2500 + n)), flush=True)
";
    let ran = world.run(&["--all"], &["python3", "-c", script]);
    let bare = world.bare(&["python3", "-c", script]).output().unwrap();
    assert_eq!(
        ran.stdout(),
        String::from_utf8_lossy(&bare.stdout),
        "{}",
        ran.stderr()
    );
    assert_eq!(ran.stdout().matches("220 ready").count(), 18, "{}", ran.stdout());
    let released = |row: &&serde_json::Value| row["note"] == "released";
    let rows = ran.report["rows"].as_array().unwrap();
    assert!(rows.iter().filter(released).count() >= 6, "{:#}", ran.report);
}

/// Duplicated, inherited, and passed to another process, which reads or writes first.
fn a_socket_that_is_handed_on() {
    let world = world();
    serve(world.server(), 7, echo);
    serve(world.server(), 25, banner);
    let script = format!(
        "{HEAD}B = ('192.0.2.2', 25)\n\
def exchange(s): s.sendall(b'hello'); s.shutdown(socket.SHUT_WR); return s.makefile().read()\n\
print(exchange(socket.create_connection(A)), socket.create_connection(B).recv(9))\n\
s = socket.create_connection(A); t = s.dup(); s.close(); print(exchange(t)); t.close()\n\
s = socket.create_connection(A)\n\
if os.fork() == 0:\n    print(exchange(s), flush=True); os._exit(0)\n\
s.close(); os.wait()\n\
ours, theirs = socket.socketpair(socket.AF_UNIX)\n\
for place, use in [(A, exchange), (B, lambda s: s.recv(9))]:\n    \
    sys.stdout.flush()\n    \
    if os.fork() == 0:\n        \
        _, fds, _, _ = socket.recv_fds(theirs, 1, 1)\n        \
        print(use(socket.socket(fileno=fds[0])), flush=True); os._exit(0)\n    \
    s = socket.create_connection(place); socket.send_fds(ours, [b'x'], [s.fileno()]); s.close(); os.wait()\n"
    );
    same(&world, &script, 7);
}

/// By address, port and interface; and an IPv4 destination of an IPv6 socket.
fn bound_and_mapped_sockets() {
    let world = world();
    serve(world.server(), 7, echo);
    let script = format!(
        "{HEAD}s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(('192.0.2.1', 0))\n\
t = socket.socket(socket.AF_INET6)\n\
names = [name for _, name in socket.if_nameindex() if name != 'lo']\n\
u = socket.socket(); u.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, names[0].encode())\n\
which = sys.argv[1]\n\
c, a = {{'address': (s, A), 'mapped': (t, ('::ffff:192.0.2.2', 7)), 'interface': (u, A)}}[which]\n\
c.connect(a); c.sendall(b'hello'); c.shutdown(socket.SHUT_WR); print(c.makefile().read(), c.getpeername()[:2])\n"
    );
    for which in ["interface", "address", "mapped"] {
        let _ = std::fs::remove_dir_all(world.state.path().join("tfo"));
        let program = ["python3", "-c", &script, which];
        let bare = world.bare(&program).output().unwrap();
        let mut outcomes = Vec::new();
        for _ in 0..2 {
            let ran = world.run(&["--all"], &program);
            assert_eq!(ran.output, bare, "{which}: {}", ran.stderr());
            outcomes.push(ran.row(7).0.to_owned());
        }
        // The host's cookie is there from the second kind on, and the first contact is plain then.
        assert_eq!(outcomes[1], "accepted", "{which}: {outcomes:?}");
    }
}

/// Datagrams, local sockets, Multipath TCP, destinations that are none, and programs that use Fast Open by themselves: as without.
fn other_kinds_of_sockets() {
    let world = world();
    serve(world.server(), 7, echo);
    let script = format!(
        "{HEAD}\
def exchange(s): s.sendall(b'hello'); s.shutdown(socket.SHUT_WR); return s.makefile().read()\n\
u = socket.socket(type=socket.SOCK_DGRAM); u.connect(A); print(u.getpeername(), attempt(lambda: u.shutdown(1)))\n\
a, b = socket.socketpair(); a.send(b'x'); a.shutdown(1); print(b.recv(9), b.recv(9))\n\
l = socket.socket(socket.AF_UNIX); l.bind('\\0tfo-test-%d' % os.getpid()); l.listen()\n\
c = socket.socket(socket.AF_UNIX); c.connect('\\0tfo-test-%d' % os.getpid()); print(c.getpeername()[:9])\n\
m = attempt(lambda: socket.socket(proto=262))\n\
if not isinstance(m, str): m.connect(A); print(exchange(m))\n\
for place in ['255.255.255.255', '192.0.2.255', '224.0.0.1', '0.0.0.0', '240.0.0.1']:\n    \
    s = socket.socket(); s.settimeout(0.3); print(place, attempt(lambda: s.connect((place, 9))))\n\
s = socket.socket(); s.setsockopt(6, 30, 1); s.connect(A); print(s.getsockopt(6, 30), exchange(s))\n\
s = socket.socket(); print(s.sendto(b'hello', 0x20000000, A)); s.shutdown(1); print(s.makefile().read())\n\
s = socket.socket(); s.connect(A); print(attempt(lambda: s.sendto(b'', 0x20000000, A)) in (0, 'EISCONN')); print(exchange(s))\n\
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, (5).to_bytes(8, 'little') + bytes(8)); s.connect(A); print(exchange(s))\n\
s = socket.socket(); s.connect(A); s.shutdown(2); print(s.recv(9), attempt(lambda: s.send(b'x') and 0))\n"
    );
    // What is written after the end fails; SIGPIPE is ignored in Python.
    same(&world, &script, 7);
}

/// What is known of addresses here does not hold there.
fn another_network_namespace() {
    let world = world();
    let script = "
import socket, subprocess, threading
subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True)
l = socket.create_server(('127.0.0.1', 7))
def serve():
    while True: c, _ = l.accept(); c.sendall(c.recv(9)); c.close()
threading.Thread(target=serve, daemon=True).start()
for i in range(3):
    s = socket.create_connection(('127.0.0.1', 7)); s.sendall(b'hello'); print(s.recv(9))
";
    let program = ["unshare", "-n", "python3", "-c", script];
    let bare = world.bare(&program).output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&bare.stdout).matches("hello").count(),
        3,
        "{bare:?}"
    );
    let ran = world.run(&["--all"], &program);
    assert_eq!(ran.output, bare);
    assert_eq!(ran.row(7), ("not-attempted", "other-namespace"));
}

/// No filter sees them: they are ordinary ones, work, and are in no report. What the program connects otherwise is fast meanwhile.
fn connections_by_io_uring() {
    let world = world();
    serve(world.server(), 7, echo);
    // From include/uapi/linux/io_uring.h: struct io_uring_params, its offsets, struct io_uring_sqe and struct io_uring_cqe.
    let script = "
import ctypes, mmap, socket, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
params = ctypes.create_string_buffer(120)
ring = libc.syscall(425, 4, params)
if ring < 0: print('no io_uring', ctypes.get_errno()); sys.exit()
sq_entries, cq_entries = struct.unpack_from('II', params, 0)
sq_tail, sq_array = struct.unpack_from('I', params, 40 + 4)[0], struct.unpack_from('I', params, 40 + 24)[0]
cq_tail, cqes = struct.unpack_from('I', params, 80 + 4)[0], struct.unpack_from('I', params, 80 + 20)[0]
sq = mmap.mmap(ring, sq_array + 4 * sq_entries, offset=0)
cq = mmap.mmap(ring, cqes + 16 * cq_entries, offset=0x8000000)
entries = mmap.mmap(ring, 64 * sq_entries, offset=0x10000000)
def connect(s, n):
    address = ctypes.create_string_buffer(struct.pack('=H', 2) + struct.pack('!H', 7) + socket.inet_aton('192.0.2.2') + bytes(8), 16)
    entries[n * 64:n * 64 + 64] = struct.pack('BBHiQQII', 16, 0, 0, s.fileno(), 16, ctypes.addressof(address), 0, 0) + bytes(32)
    struct.pack_into('I', sq, sq_array + 4 * n, n)
    struct.pack_into('I', sq, sq_tail, n + 1)
    assert libc.syscall(426, ring, 1, 1, 1, None, 0) == 1
    return struct.unpack_from('i', cq, cqes + 16 * n + 8)[0]
def exchange(s): s.sendall(b'x'); s.shutdown(1); return s.makefile().read()
for n in range(3):
    s = socket.socket()
    print(connect(s, n), exchange(s), exchange(socket.create_connection(('192.0.2.2', 7))))
";
    let capture = world.lab.capture();
    let ran = world.run(&["--all"], &["python3", "-c", script]);
    if ran.stdout().starts_with("no io_uring") {
        // Switched off here (kernel.io_uring_disabled), or in this kernel.
        return;
    }
    assert_eq!(
        ran.stdout(),
        "0 1 bytes: x 1 bytes: x\n".repeat(3),
        "{}",
        ran.stderr()
    );
    assert_eq!(ran.report["connections"], 3, "{:#}", ran.report);
    assert_eq!(rounds(&capture, 7), [2, 2, 2, 1, 2, 1]);
}
