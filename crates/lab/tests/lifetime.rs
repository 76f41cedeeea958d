//! A lab leaves nothing behind, however it ends, needs no privilege, and touches nothing of the machine's.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use fastopen_lab::testing::{self, test};
use fastopen_lab::{Lab, Scenario};

/// What this binary does when a test starts it again.
const ROLE: &str = "FASTOPEN_LAB_TEST_ROLE";
const NOBODY: u32 = 65_534;

fn main() -> ExitCode {
    if let Ok(role) = std::env::var(ROLE) {
        return play(&role);
    }
    testing::main([
        test("a_dropped_lab_is_gone_at_once", a_dropped_lab_is_gone_at_once),
        test("a_panic_takes_the_lab_with_it", a_panic_takes_the_lab_with_it),
        test("nothing_survives_a_kill", || nothing_survives("KILL")),
        test("nothing_survives_ctrl_c", || nothing_survives("INT")),
        test(
            "the_machine_s_own_network_is_left_alone",
            the_machine_s_own_network_is_left_alone,
        ),
        test("an_ordinary_user_has_a_lab", an_ordinary_user_has_a_lab),
        test("entering_too_late_says_so", entering_too_late_says_so),
        test(
            "a_lab_without_entering_is_an_error",
            a_lab_without_entering_is_an_error,
        ),
        test(
            "without_a_lab_its_tests_fail_unless_it_is_off",
            without_a_lab_its_tests_fail_unless_it_is_off,
        ),
    ])
}

fn play(role: &str) -> ExitCode {
    match role {
        "live" => live(),
        "late" => {
            thread::spawn(thread::park);
            println!("{}", fastopen_lab::enter().unwrap_err());
        }
        "not-entered" => println!("{}", Lab::new(&Scenario::new("x")).unwrap_err()),
        "harness" => {
            // A second thread, so that an ordinary user can't enter.
            thread::spawn(thread::park);
            return testing::main([test("needs_a_lab", || {})]);
        }
        other => panic!("no such role: {other}"),
    }
    ExitCode::SUCCESS
}

/// Has a lab with a thread and a program in it, says which namespaces they are, and waits for its end.
fn live() -> ! {
    fastopen_lab::enter().unwrap();
    let lab = Lab::new(&Scenario::new("live")).unwrap();
    let server = lab.server().unwrap();
    server.spawn(thread::park);
    #[expect(clippy::zombie_processes, reason = "it is killed as this process is")]
    let child = server.command("sleep").unwrap().arg("1000").spawn().unwrap();
    for host in lab.hosts() {
        println!("{}", host.run(own_namespace));
    }
    println!("{}", child.id());
    // Parking may end by itself.
    loop {
        thread::park();
    }
}

fn own_namespace() -> String {
    fs::read_link("/proc/thread-self/ns/net")
        .unwrap()
        .display()
        .to_string()
}

/// The network namespaces that any process on the machine holds: by a thread, a descriptor or a mount.
fn held_namespaces() -> BTreeSet<String> {
    let mut held = BTreeSet::new();
    let processes = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    for process in processes.filter(|path| path.join("task").exists()) {
        let tasks = entries(&process.join("task")).map(|task| task.join("ns/net"));
        held.extend(
            tasks
                .chain(entries(&process.join("fd")))
                .filter_map(|link| fs::read_link(link).ok()),
        );
    }
    let links = held.into_iter().map(|link: PathBuf| link.display().to_string());
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let mounted = mounts
        .split_whitespace()
        .filter(|word| word.starts_with("net:["))
        .map(str::to_owned);
    links
        .filter(|link| link.starts_with("net:["))
        .chain(mounted)
        .collect()
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
}

fn wait_until(what: &str, done: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !done() {
        assert!(Instant::now() < deadline, "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A process that another test is just about to start holds them for a moment, until it is another program.
fn wait_until_gone(namespaces: &[String]) {
    wait_until("the namespaces are gone", || {
        let held = held_namespaces();
        !namespaces.iter().any(|namespace| held.contains(namespace))
    });
}

fn a_dropped_lab_is_gone_at_once() {
    let lab = Lab::new(&Scenario::new("dropped")).unwrap();
    let namespaces: Vec<String> = lab.hosts().iter().map(|host| host.run(own_namespace)).collect();
    assert!(
        namespaces
            .iter()
            .all(|namespace| held_namespaces().contains(namespace))
    );
    let start = Instant::now();
    drop(lab);
    assert!(
        start.elapsed() < Duration::from_millis(500),
        "{:?}",
        start.elapsed()
    );
    assert!(
        !namespaces
            .iter()
            .any(|namespace| held_namespaces().contains(namespace))
    );
}

fn a_panic_takes_the_lab_with_it() {
    let namespace = thread::spawn(|| {
        let lab = Lab::new(&Scenario::new("panicking")).unwrap();
        // Without the message of a panic that nobody expects.
        std::panic::resume_unwind(Box::new(lab.server().unwrap().run(own_namespace)));
    })
    .join()
    .unwrap_err()
    .downcast::<String>()
    .unwrap();
    wait_until_gone(&[*namespace]);
}

fn nothing_survives(signal: &str) {
    let mut process = myself("live").stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap);
    let namespaces: Vec<String> = lines.by_ref().take(2).collect();
    let program = lines.next().expect("the process has its lab");
    assert!(
        namespaces
            .iter()
            .all(|namespace| held_namespaces().contains(namespace))
    );
    let kill = Command::new("kill")
        .args([&format!("-{signal}"), &process.id().to_string()])
        .status()
        .unwrap();
    assert!(kill.success());
    process.wait().unwrap();
    wait_until("the program is killed", || {
        !Path::new("/proc").join(&program).exists()
    });
    wait_until_gone(&namespaces);
}

fn the_machine_s_own_network_is_left_alone() {
    let seen = || {
        let read = |path| fs::read_to_string(path).unwrap();
        let links: BTreeSet<String> = read("/proc/thread-self/net/dev")
            .lines()
            .filter_map(|line| Some(line.split_once(':')?.0.trim().to_owned()))
            .collect();
        (
            links,
            read("/proc/sys/net/ipv4/tcp_fastopen"),
            read("/proc/thread-self/net/route"),
        )
    };
    let before = seen();
    let _lab = Lab::new(&Scenario::new("aside")).unwrap();
    assert_eq!(seen(), before);
}

/// This binary again, in another role. Ctrl-C ends it, also where the tests are a shell's background job and ignore it.
fn myself(role: &str) -> Command {
    let mut command = Command::new("env");
    command
        .arg("--default-signal=INT")
        .arg(fs::read_link("/proc/self/exe").unwrap());
    command.env(ROLE, role).env_remove("RUST_BACKTRACE");
    command
}

/// This binary again without any capability, which is what an ordinary user has; also where the tests are root of a namespace.
fn myself_unprivileged(role: &str) -> Command {
    let mut command = Command::new("setpriv");
    let myself = fs::read_link("/proc/self/exe").unwrap();
    command
        .args(["--bounding-set=-all", "--inh-caps=-all", "--"])
        .arg(myself);
    command.env(ROLE, role).env_remove("RUST_BACKTRACE");
    command
}

fn output(mut command: Command) -> (bool, String) {
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

fn an_ordinary_user_has_a_lab() {
    if !is_root_of_the_machine() {
        // These tests are run by one.
        drop(Lab::new(&Scenario::new("own")).unwrap());
        return;
    }
    // The user `nobody` may not be able to execute the original.
    let copy = std::env::temp_dir().join(format!("fastopen-lab-{}", std::process::id()));
    fs::copy("/proc/self/exe", &copy).unwrap();
    let mut command = Command::new(&copy);
    command
        .env(ROLE, "live")
        .current_dir("/")
        .uid(NOBODY)
        .gid(NOBODY)
        .stdout(Stdio::piped());
    let started = command.spawn();
    fs::remove_file(&copy).unwrap();
    let mut process = started.unwrap();
    let lines = BufReader::new(process.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap);
    let namespaces: Vec<String> = lines.take(2).collect();
    process.kill().unwrap();
    process.wait().unwrap();
    assert!(
        namespaces.len() == 2 && namespaces[0] != namespaces[1],
        "{namespaces:?}"
    );
}

fn is_root_of_the_machine() -> bool {
    const EVERYBODY: &str = "4294967295";
    fs::read_to_string("/proc/self/uid_map")
        .unwrap()
        .split_whitespace()
        .last()
        == Some(EVERYBODY)
}

fn entering_too_late_says_so() {
    let (_, said) = output(myself_unprivileged("late"));
    assert!(
        said.contains("2 threads already") && said.contains("first thing in main"),
        "{said}"
    );
}

fn a_lab_without_entering_is_an_error() {
    let (_, said) = output(myself_unprivileged("not-entered"));
    assert!(
        said.starts_with("unshare a network namespace") && said.contains("permitted"),
        "{said}"
    );
}

fn without_a_lab_its_tests_fail_unless_it_is_off() {
    let (passed, said) = output(myself_unprivileged("harness"));
    assert!(
        !passed && said.contains("no lab: the process has 2 threads"),
        "{said}"
    );
    let mut off = myself_unprivileged("harness");
    off.env("FASTOPEN_LAB", "off");
    let (passed, said) = output(off);
    assert!(
        passed && said.contains("1 ignored") && said.contains("skipping"),
        "{said}"
    );
}
