//! A supervisor above the program, as under Yama: the process that was started stands for the program, and does as that does.

use std::io::{BufRead, BufReader};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdout, ExitStatus, Stdio};
use std::time::Duration;

use fastopen_lab::testing::{LabTest, test};

use super::support::{TFO, World, http, processes, serve, signal, wait_until, world};

pub(crate) fn tests() -> Vec<LabTest> {
    vec![
        test("signals_are_passed_on_once", signals_are_passed_on_once),
        test("a_timer_that_was_set_before", a_timer_that_was_set_before),
        test("who_tells_of_the_end", who_tells_of_the_end),
        test("who_tells_of_a_stop", who_tells_of_a_stop),
        test("the_front_is_killed", the_front_is_killed),
        test("orphans_are_reaped", orphans_are_reaped),
        test("a_group_of_its_own", a_group_of_its_own),
    ]
}

pub(super) struct Program {
    pub(super) front: Child,
    lines: BufReader<ChildStdout>,
}

impl Program {
    /// A program in a process group of its own, as a shell starts a job.
    pub(super) fn start(world: &World, program: &[&str]) -> Self {
        let mut command = world.under(&["--all"], program);
        command.process_group(0).stdout(Stdio::piped());
        let mut front = command.spawn().unwrap();
        let lines = BufReader::new(front.stdout.take().unwrap());
        Self { front, lines }
    }

    pub(super) fn read(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    pub(super) fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        wait_until("the front ends", || {
            status = self.front.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.front.kill();
        let _ = self.front.wait();
    }
}

pub(super) fn is_gone(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.is_empty() || stat.contains(") Z ")
}

pub(super) fn has_state(pid: u32, state: char) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().unwrap().starts_with(state)
}

/// Each signal that is sent to the front's number, with its value if there is one.
fn signals_are_passed_on_once() {
    let world = world();
    let names = [
        "TERM", "HUP", "INT", "QUIT", "USR1", "USR2", "WINCH", "ALRM", "CONT", "TSTP", "RTMIN",
    ];
    let script = format!(
        "import signal\nall = [getattr(signal, 'SIG' + name) for name in {names:?}]\n\
         signal.pthread_sigmask(signal.SIG_BLOCK, all)\nprint('ready', flush=True)\n\
         while True: print(signal.Signals(signal.sigwait(all)).name, flush=True)"
    );
    let mut program = Program::start(&world, &["python3", "-c", &script]);
    assert_eq!(program.read(), "ready");
    // A program that is not stopped is not continued.
    for name in names.into_iter().filter(|name| *name != "CONT") {
        signal(program.front.id(), &format!("-{name}"));
        assert_eq!(program.read(), format!("SIG{name}"));
    }
    signal(program.front.id(), "-KILL");
    assert_eq!(program.wait().signal(), Some(libc::SIGKILL));
}

/// Timers stay with the process through exec(2), and are not inherited.
fn a_timer_that_was_set_before() {
    let world = world();
    let script = "import os, signal, sys\nsignal.alarm(1)\nos.execv(sys.argv[1], sys.argv[1:])";
    let line = ["python3", "-c", script, TFO, "run", "--", "sleep", "60"];
    let status = world.bare(&line).status().unwrap();
    assert_eq!(status.signal(), Some(libc::SIGALRM));
}

/// The supervisor does, or who takes its place.
fn who_tells_of_the_end() {
    for killed in [
        &["tfo-supervisor"][..],
        &["tfo-guardian"],
        &["tfo-guardian", "tfo-supervisor"],
    ] {
        for (ending, code, by) in [("-USR1", Some(7), None), ("-SEGV", None, Some(libc::SIGSEGV))] {
            let world = world();
            let script = "ulimit -c 0; trap 'exit 7' USR1; echo ready; while :; do sleep 0.1; done";
            let mut program = Program::start(&world, &["sh", "-c", script]);
            assert_eq!(program.read(), "ready");
            for name in killed {
                let pid = world.only(name);
                signal(pid, "-KILL");
                wait_until("it is gone", || {
                    !std::path::Path::new(&format!("/proc/{pid}")).exists()
                });
            }
            signal(program.front.id(), ending);
            let status = program.wait();
            assert_eq!((status.code(), status.signal()), (code, by), "{killed:?}");
            wait_until("nobody is left", || {
                processes("tfo-guardian", world.state.path()).is_empty()
                    && processes("tfo-supervisor", world.state.path()).is_empty()
            });
        }
    }
}

fn who_tells_of_a_stop() {
    for killed in [&[][..], &["tfo-supervisor"], &["tfo-guardian", "tfo-supervisor"]] {
        let world = world();
        let mut program = Program::start(&world, &["sh", "-c", "echo ready; exec sleep 60"]);
        assert_eq!(program.read(), "ready");
        let (front, sleep) = (program.front.id(), world.only("sleep"));
        for name in killed {
            let pid = world.only(name);
            signal(pid, "-KILL");
            wait_until("it is gone", || {
                !std::path::Path::new(&format!("/proc/{pid}")).exists()
            });
        }
        for stop in ["-TSTP", "-STOP", "-TTIN"] {
            // To the program, and on by its front.
            signal(sleep, stop);
            wait_until("both stop", || has_state(sleep, 'T') && has_state(front, 'T'));
            signal(front, "-CONT");
            wait_until("both go on", || has_state(sleep, 'S') && has_state(front, 'S'));
        }
        // To the program and not by its front.
        if killed.len() < 2 {
            signal(sleep, "-STOP");
            wait_until("both stop", || has_state(sleep, 'T') && has_state(front, 'T'));
            signal(sleep, "-CONT");
            wait_until("both go on", || has_state(sleep, 'S') && has_state(front, 'S'));
            // It can end while it is stopped.
            signal(sleep, "-STOP");
            wait_until("both stop", || has_state(sleep, 'T') && has_state(front, 'T'));
        }
        signal(sleep, "-KILL");
        assert_eq!(program.wait().signal(), Some(libc::SIGKILL), "{killed:?}");
    }
}

/// SIGKILL can't be passed on by the front: the supervisor, or the guardian in its place, does. What the program started lives on.
fn the_front_is_killed() {
    for kills_supervisor in [false, true] {
        let world = world();
        serve(world.server(), 80, http);
        let script = "sh -c 'sleep 2; curl -s http://192.0.2.2/; exec sleep 60' & echo ready; exec sleep 61";
        let mut program = Program::start(&world, &["sh", "-c", script]);
        assert_eq!(program.read(), "ready");
        wait_until("it has begun", || {
            processes("sleep", world.state.path()).len() == 2
        });
        let group = |pid: &u32| {
            std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.ends_with(b"61\0"))
        };
        let sleep = processes("sleep", world.state.path())
            .into_iter()
            .find(group)
            .unwrap();
        if kills_supervisor {
            let pid = world.only("tfo-supervisor");
            signal(pid, "-KILL");
            wait_until("it is gone", || is_gone(pid));
        }
        signal(program.front.id(), "-KILL");
        assert_eq!(program.wait().signal(), Some(libc::SIGKILL));
        wait_until("the program is killed", || is_gone(sleep));
        assert_eq!(program.read(), "hello from the lab");
        signal(world.only("sleep"), "-KILL");
        wait_until("nobody is left", || {
            processes("tfo-guardian", world.state.path()).is_empty()
        });
    }
}

/// Two hundred whose parents end before them.
fn orphans_are_reaped() {
    let world = world();
    let script = "
import os, time
for n in range(200):
    if os.fork() == 0:
        if os.fork() == 0: time.sleep(0.2)
        os._exit(0)
    os.wait()
print('ready', flush=True)
time.sleep(60)
";
    let mut program = Program::start(&world, &["python3", "-c", script]);
    assert_eq!(program.read(), "ready");
    let supervisor = world.only("tfo-supervisor");
    wait_until("one child is left", || {
        let file = format!("/proc/{supervisor}/task/{supervisor}/children");
        std::fs::read_to_string(file).unwrap().split_whitespace().count() == 1
    });
    signal(program.front.id(), "-TERM");
    assert_eq!(program.wait().signal(), Some(libc::SIGTERM));
}

/// As an interactive shell's: the program leaves the group that it was started in, and the front keeps that.
fn a_group_of_its_own() {
    let world = world();
    let script = "import os, time\nos.setpgid(0, 0)\nprint('ready', flush=True)\ntime.sleep(60)";
    let mut program = Program::start(&world, &["python3", "-c", script]);
    assert_eq!(program.read(), "ready");
    let (front, python) = (program.front.id(), world.only("python3"));
    signal(python, "-STOP");
    wait_until("both stop", || has_state(python, 'T') && has_state(front, 'T'));
    // A shell's fg.
    let group = format!("-{front}");
    let status = world.bare(&["kill", "-CONT", "--", &group]).status().unwrap();
    assert!(status.success());
    wait_until("both go on", || has_state(python, 'S') && has_state(front, 'S'));
    std::thread::sleep(Duration::from_millis(50));
    let status = world.bare(&["kill", "-TERM", "--", &group]).status().unwrap();
    assert!(status.success());
    assert_eq!(program.wait().signal(), Some(libc::SIGTERM));
}
