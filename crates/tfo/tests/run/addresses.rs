//! What a program gives to connect(2) is read from its memory: whatever that is, the call ends as it does without `tfo run`.

use fastopen_lab::testing::{LabTest, test};

use super::support::{World, echo, serve, world};

pub(crate) fn tests() -> Vec<LabTest> {
    vec![
        test("addresses_that_are_none", addresses_that_are_none),
        test("an_address_that_changes", an_address_that_changes),
    ]
}

const CALLS: &str = "
import ctypes, mmap, os, random, socket, struct, sys, threading, time
libc = ctypes.CDLL(None, use_errno=True)
PAGE = mmap.PAGESIZE
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
libc.syscall.restype = ctypes.c_long
start = libc.mmap(None, 3 * PAGE, 3, 0x22, -1, 0)
libc.munmap(start + PAGE, PAGE)
CONNECT = 42 if os.uname().machine == 'x86_64' else 203
def call(s, at, length):
    done = libc.syscall(ctypes.c_long(CONNECT), ctypes.c_long(s.fileno()), ctypes.c_void_p(at), ctypes.c_ulong(length))
    return 0 if done == 0 else ctypes.get_errno()
def address(port): return struct.pack('=H', 2) + struct.pack('>H', port) + bytes([192, 0, 2, 2]) + bytes(8)
";

/// Of every length, at the end of a page before one that is not mapped, and of families that there are not.
fn addresses_that_are_none() {
    let world = world();
    serve(world.server(), 7, echo);
    let script = format!(
        "{CALLS}
six = struct.pack('=H', 10) + struct.pack('>H', 7) + bytes(4) + bytes(10) + b'\\xff\\xff' + bytes([192, 0, 2, 2]) + bytes(4)
chance = random.Random(4711)
cases = []
lengths = [*range(0, 33), 110, 127, 128, 129, 4096, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**32 + 16, 2**63]
for whole in [address(7), six]:
    for length in lengths:
        for left in [len(whole), len(whole) - 1, 16, 8, 2, 1, 0, PAGE]: cases.append((whole, left, length))
for _ in range(300):
    family = chance.choice([0, 1, 2, 10, 16, 17, 40, 255, 0xffff, chance.randrange(65536)])
    garbage = struct.pack('=H', family) + b'\\0\\7' + chance.randbytes(chance.randrange(40))
    if family in (2, 10): continue
    cases.append((garbage, chance.choice([len(garbage), 1, PAGE]), chance.choice([len(garbage), *lengths])))
def run(whole, left, length, family):
    ctypes.memset(start, 0, PAGE)
    ctypes.memmove(start + PAGE - left, whole[:left], min(left, len(whole)))
    with socket.socket(family, socket.SOCK_STREAM) as s:
        s.setblocking(False)
        error = call(s, start + PAGE - left, length)
        # EFAULT and EINVAL: the kernel has taken no address, and the socket is as it was.
        is_touched = family == socket.AF_INET and error in (14, 22) and s.getsockopt(6, 30) != 0
        return 'touched' if is_touched else error
for case in cases:
    for family in [socket.AF_INET, socket.AF_INET6, socket.AF_UNIX]:
        result = run(*case, family)
        # With Fast Open a connection is deferred, which is success.
        print(*case[1:], family, 0 if result == 115 else result)
with socket.socket() as s:
    for at in [0, 1, 2**47 - 8, 2**64 - 8, start + PAGE, start + 2 * PAGE - 8]: print(at % PAGE, call(s, at, 16))
"
    );
    let line = ["python3", "-c", &script];
    let bare = world.bare(&line).output().unwrap();
    assert!(bare.status.success(), "{bare:?}");
    let under = world.under(&["--all"], &line).output().unwrap();
    assert!(under.status.success(), "{under:?}");
    let lines = |output: &std::process::Output| {
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let (bare, under) = (lines(&bare), lines(&under));
    assert!(bare.len() > 2000 && bare.len() == under.len());
    for (bare, under) in bare.iter().zip(&under) {
        assert_eq!(bare, under, "what remains of the page, length, family, error");
    }
    assert_goes_on(&world);
}

/// Another thread writes to it during the call.
fn an_address_that_changes() {
    let world = world();
    serve(world.server(), 7, echo);
    let script = format!(
        "{CALLS}
sys.setswitchinterval(1e-5)
over = False
forms = [address(7), address(9), struct.pack('=H', 0x7fff) + address(7)[2:]]
def write():
    while not over:
        for form in forms: ctypes.memmove(start, form, 16)
thread = threading.Thread(target=write)
thread.start()
other = socket.socket()
for _ in range(150):
    with socket.socket() as s:
        s.setblocking(False)
        # What the kernel read is what happened, whatever the supervisor read: EINPROGRESS, deferred, EAFNOSUPPORT.
        error = call(s, start, 16)
        assert error in (0, 115, 97), error
        assert s.getsockopt(6, 11, 1)[0] in ((2,) if error == 115 else (7,) if error == 97 else (2, 1)), error
assert other.getsockopt(6, 11, 1)[0] == 7 and other.getsockopt(6, 30) == 0, 'a socket that was not connected'
over = True
thread.join()
"
    );
    let under = world
        .under(&["--all"], &["python3", "-c", &script])
        .output()
        .unwrap();
    assert!(under.status.success(), "{under:?}");
    assert_goes_on(&world);
}

/// Who has met all that supervises as before.
fn assert_goes_on(world: &World) {
    let script = "import socket\nwith socket.create_connection(('192.0.2.2', 7)) as s:\n s.sendall(b'x')\n s.shutdown(1)\n print(s.makefile().read())";
    let ran = world.run(&["--all"], &["python3", "-c", script]);
    assert_eq!(ran.stdout(), "1 bytes: x\n", "{}", ran.stderr());
}
