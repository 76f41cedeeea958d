//! Signals that are sent to many processes, where one stands for the program: they reach it once.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use fastopen_lab::testing::{LabTest, test};

use super::front::{Program, has_state, is_gone};
use super::support::{TFO, World, processes, signal, wait_until, world};

pub(crate) fn tests() -> Vec<LabTest> {
    vec![
        test("signals_to_a_group", signals_to_a_group),
        test("signals_in_a_row", signals_in_a_row),
        test("signals_to_a_unit", signals_to_a_unit),
        test("signals_to_what_looks_like_tfo", signals_to_what_looks_like_tfo),
        test("a_witness_is_stopped_or_killed", a_witness_is_stopped_or_killed),
    ]
}

/// Counts SIGRTMIN, of which none is merged with another, and says how many there were since the last SIGUSR2.
const COUNTS: &str = "
import os, signal, sys
all = [signal.SIGRTMIN, signal.SIGUSR2]
signal.pthread_sigmask(signal.SIG_BLOCK, all)
if sys.argv[1:]: os.setpgid(0, 0)
print('ready', flush=True)
count = 0
while True:
    if signal.sigwait(all) == signal.SIGRTMIN: count += 1
    else:
        print(count, flush=True)
        count = 0
";

impl Program {
    fn counts(world: &World, arguments: &[&str]) -> Self {
        let mut program = Self::start(world, &[&["python3", "-c", COUNTS], arguments].concat());
        assert_eq!(program.read(), "ready");
        program
    }

    /// How many signals have reached the program since the last time, with time for those that are held back.
    fn count(&mut self, world: &World) -> String {
        std::thread::sleep(Duration::from_millis(300));
        signal(world.only("python3"), "-USR2");
        self.read()
    }

    fn kill_group(&self, name: &str) {
        let pid = i32::try_from(self.front.id()).unwrap();
        let group = format!("-{pid}");
        let status = Command::new("kill").args([name, "--", &group]).status();
        assert!(status.unwrap().success());
    }
}

fn signals_to_a_group() {
    let world = world();
    let mut program = Program::counts(&world, &[]);
    program.kill_group("-RTMIN");
    assert_eq!(program.count(&world), "1", "to the group");
    signal(program.front.id(), "-RTMIN");
    assert_eq!(program.count(&world), "1", "to the front alone");
    // A shell that is in the group.
    drop(program);
    let script = format!(
        "trap : 34; {TFO} run -- python3 -c \"$0\" & sleep 2; kill -34 0; sleep 1; pkill -USR2 -x python3 -g 0; wait; wait"
    );
    let mut shell = world.bare(&["setsid", "sh", "-c", &script, COUNTS]);
    let mut shell = shell
        .env("XDG_STATE_HOME", world.state.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(shell.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "ready");
    assert_eq!(lines.next().unwrap().unwrap(), "1", "kill 0");
    signal(world.only("python3"), "-KILL");
    shell.wait().unwrap();
    // What is sent to the front's group is not sent to a program that has left it.
    let mut program = Program::counts(&world, &["leaves"]);
    program.kill_group("-RTMIN");
    assert_eq!(program.count(&world), "1", "to the group that it has left");
    // Nothing is left of the group.
    let front = program.front.id();
    signal(world.only("python3"), "-KILL");
    program.wait();
    let left = Command::new("kill")
        .args(["-0", "--", &format!("-{front}")])
        .output();
    assert!(!left.unwrap().status.success());
}

fn signals_in_a_row() {
    let world = world();
    let mut program = Program::counts(&world, &[]);
    for _ in 0..5 {
        signal(program.front.id(), "-RTMIN");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(program.count(&world), "5");
    for _ in 0..5 {
        program.kill_group("-RTMIN");
        std::thread::sleep(Duration::from_millis(50));
        signal(program.front.id(), "-RTMIN");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(program.count(&world), "10");
}

/// Signals these processes one by one, without being kept from the processor in between, and lives on as a service manager does.
fn signal_each(world: &World, name: &str, processes: &[u32]) {
    let script = "
import os, signal, sys, time
try: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
except PermissionError: pass
open('/proc/self/comm', 'w').write(sys.argv[1])
for pid in sys.argv[2:]: os.kill(int(pid), signal.SIGRTMIN)
time.sleep(0.3)
";
    let pids: Vec<_> = processes.iter().map(u32::to_string).collect();
    let mut line = vec!["python3", "-c", script, name];
    line.extend(pids.iter().map(String::as_str));
    assert!(world.bare(&line).status().unwrap().success());
}

/// As systemd stops a unit (KillMode=control-group).
fn signals_to_a_unit() {
    for arguments in [&[][..], &["leaves"]] {
        let world = world();
        let mut program = Program::counts(&world, arguments);
        let (front, python) = (program.front.id(), world.only("python3"));
        wait_until("there are two witnesses", || {
            ours("tfo-witness", &world).len() == 2
        });
        let mut all = ours("tfo-witness", &world);
        all.extend([python, world.only("tfo-guardian"), world.only("tfo-supervisor")]);
        // The main process first, as systemd does; in other orders; and that one alone (KillMode=mixed).
        let first = [&[front][..], &all].concat();
        let last = [&all[..], &[front]].concat();
        let between = [&all[..1], &[front], &all[1..]].concat();
        for (order, reached) in [(&first, "1"), (&last, "1"), (&between, "1"), (&vec![front], "1")] {
            signal_each(&world, "systemd", order);
            assert_eq!(program.count(&world), reached, "{order:?} {all:?} {front}");
        }
    }
}

/// Nobody but a service manager is known to signal the program as well.
fn signals_to_what_looks_like_tfo() {
    let world = world();
    let mut program = Program::counts(&world, &[]);
    let mut all = vec![
        program.front.id(),
        world.only("tfo-guardian"),
        world.only("tfo-supervisor"),
    ];
    all.extend(ours("tfo-witness", &world));
    signal_each(&world, "pkill", &all);
    assert_eq!(program.count(&world), "1");
}

fn a_witness_is_stopped_or_killed() {
    let world = world();
    let mut program = Program::counts(&world, &[]);
    let front = program.front.id();
    // Shells stop and continue whole groups.
    program.kill_group("-STOP");
    wait_until("the front stops", || has_state(front, 'T'));
    signal(front, "-CONT");
    wait_until("the front goes on", || has_state(front, 'S'));
    program.kill_group("-RTMIN");
    assert_eq!(program.count(&world), "1");
    for witness in ours("tfo-witness", &world) {
        signal(witness, "-STOP");
        signal(front, "-RTMIN");
        assert_eq!(program.count(&world), "1", "one is stopped");
    }
    signal(ours("tfo-witness", &world)[0], "-KILL");
    signal(front, "-RTMIN");
    assert_eq!(program.count(&world), "1", "one is gone");
    wait_until("so is the other", || ours("tfo-witness", &world).is_empty());
}

fn ours(name: &str, world: &World) -> Vec<u32> {
    let all = processes(name, world.state.path());
    all.into_iter().filter(|pid| !is_gone(*pid)).collect()
}
