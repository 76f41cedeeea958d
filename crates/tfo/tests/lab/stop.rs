//! How the commands end: on a stop request, and when nobody reads what they print.

use std::fs::OpenOptions;
use std::io::{PipeReader, Read, Write, pipe};
use std::net::TcpListener;
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use clap::CommandFactory;
use fastopen_lab::Lab;
use fastopen_lab::testing::{LabTest, test};
use rustix::pipe::fcntl_getpipe_size;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::programs::{PATIENCE, Program, Server, client, connect, echo, near, server, target, wait};

pub(crate) fn tests() -> Vec<LabTest> {
    vec![
        test("ctrl_c_lets_connections_end", ctrl_c_lets_connections_end),
        test("a_second_ctrl_c_cuts_them_off", a_second_ctrl_c_cuts_them_off),
        test("a_summary_for_people", a_summary_for_people),
        test(
            "serve_ends_quietly_with_its_reader",
            it_ends_quietly_with_its_reader,
        ),
        test("every_verb_is_tried", every_verb_is_tried),
        test("a_signal_ends_what_nobody_reads", a_signal_ends_what_nobody_reads),
        test(
            "the_second_signal_ends_what_no_error_can_leave",
            the_second_signal_ends_what_no_error_can_leave,
        ),
    ]
}

fn ctrl_c_lets_connections_end() {
    let lab = near();
    let mut tfo = Server::start(server(&lab), &[]);
    let address = server(&lab).ipv4();
    let mut stream = connect(client(&lab), address.into(), tfo.port);
    echo(&mut stream, b"before");
    tfo.next("arrived");
    tfo.program.signal(Signal::TERM);
    while client(&lab)
        .run(|| std::net::TcpStream::connect((address, tfo.port)))
        .is_ok()
    {}
    echo(&mut stream, b"after");
    assert!(
        tfo.program.child().try_wait().unwrap().is_none(),
        "it waits for the connection"
    );
    drop(stream);
    let (lines, errors, status) = tfo.program.end();
    assert_eq!(status.code(), Some(0));
    assert!(errors.contains("waiting for 1 open connection"), "{errors}");
    let summary: serde_json::Value = serde_json::from_str(lines.last().unwrap()).unwrap();
    assert_eq!(
        (&summary["event"], &summary["received"]),
        (&"summary".into(), &11.into())
    );
}

fn a_second_ctrl_c_cuts_them_off() {
    let lab = near();
    let tfo = Server::start(server(&lab), &[]);
    let mut stream = connect(client(&lab), server(&lab).ipv4().into(), tfo.port);
    echo(&mut stream, b"hello");
    tfo.next("arrived");
    tfo.program.signal(Signal::INT);
    while client(&lab)
        .run(|| std::net::TcpStream::connect((server(&lab).ipv4(), tfo.port)))
        .is_ok()
    {}
    tfo.program.signal(Signal::INT);
    let (lines, errors, status) = tfo.program.end();
    assert_eq!(status.code(), Some(0), "{errors}");
    let cut_off = lines
        .iter()
        .filter(|line| line.contains(r#""end":"cut-off""#))
        .count();
    assert!(cut_off >= 1, "{lines:?}");
    assert!(lines.last().unwrap().contains(r#""event":"summary""#));
    assert_eq!(
        stream.read(&mut [0; 1]).unwrap_or(0),
        0,
        "the connection is closed"
    );
}

fn a_summary_for_people() {
    let lab = near();
    let mut command = server(&lab).command(env!("CARGO_BIN_EXE_tfo")).unwrap();
    command.args(["serve", ":2222"]);
    let program = Program::start(command);
    assert_eq!(
        program.next_line(),
        "listening on [::]:2222 (echo), room for 1024 unconfirmed fast connections"
    );
    drop(connect(client(&lab), server(&lab).ipv4().into(), 2222));
    let client = client(&lab).ipv4();
    assert!(program.next_line().starts_with(&format!("    1  {client}:")));
    assert!(
        program
            .next_line()
            .starts_with("    1  received 0 bytes, sent 0 bytes, closed after ")
    );
    program.signal(Signal::INT);
    let (lines, _, status) = program.end();
    assert_eq!(
        lines,
        ["1 connection: 0 fast, 0 cookie-requested, 1 plain; received 0 bytes, sent 0 bytes"]
    );
    assert_eq!(status.code(), Some(0));
}

fn it_ends_quietly_with_its_reader() {
    let lab = near();
    let mut command = server(&lab).command(env!("CARGO_BIN_EXE_tfo")).unwrap();
    command
        .args(["serve", ":2222"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut [0; 9]).unwrap();
    drop(stdout);
    // Each connection makes it print.
    while child.try_wait().unwrap().is_none() {
        let _ = client(&lab).run(|| std::net::TcpStream::connect((server(&lab).ipv4(), 2222)));
    }
    assert_eq!(wait(&mut child).code(), Some(0));
    let mut errors = String::new();
    child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    assert_eq!(errors, "");
}

/// Verbs that print nothing on standard output.
const SILENT: &[&str] = &["man"];

/// The command lines that are tried of every other verb. In each, TARGET is an echo server, LISTENER a listener of the test's own, and
/// SECRET a file.
const LINES: &[&str] = &[
    // Before the others, so that it sees their connections.
    "trace",
    "trace --json",
    "watch --interval 100ms",
    "watch --interval 100ms --json",
    "demo",
    "doctor",
    "serve :0",
    "serve --json :0",
    "cookies",
    "cookies mint 192.0.2.1 192.0.2.2 --key 0a1b2c3d-4e5f6071-8293a4b5-c6d7e8f9",
    "cookies check 192.0.2.1 192.0.2.2 3021b9d889017eeb --key 0a1b2c3d-4e5f6071-8293a4b5-c6d7e8f9",
    "cookies delete 192.0.2.9 --json",
    "cookies flush --json",
    "send TARGET hello",
    "send --json TARGET hello",
    "probe TARGET",
    "probe --json TARGET TARGET",
    "bench -n 1 TARGET",
    "run -- yes",
    "enable LISTENER",
    "enable LISTENER --watch",
    "disable LISTENER --json",
    "keys generate",
    "keys set 0a1b2c3d-4e5f6071-8293a4b5-c6d7e8f9",
    "keys show",
    "keys fingerprint --json",
    "keys derive --secret SECRET",
    "keys rotate --secret SECRET --watch",
    "keys rotate --secret SECRET",
    "keys verify --secret SECRET TARGET",
    "completions bash",
];

/// No verb can be forgotten: the list is held to the command's definition.
fn every_verb_is_tried() {
    fn leaves(command: &clap::Command, name: &str, all: &mut Vec<String>) {
        let name = |sub: &clap::Command| format!("{name} {}", sub.get_name()).trim().to_owned();
        for sub in command.get_subcommands() {
            if !sub.is_subcommand_required_set() {
                all.push(name(sub));
            }
            leaves(sub, &name(sub), all);
        }
    }
    let mut verbs = Vec::new();
    leaves(&tfo::cli::Cli::command(), "", &mut verbs);
    assert!(verbs.contains(&"keys rotate".to_owned()), "{verbs:?}");
    for verb in verbs {
        let tried = LINES
            .iter()
            .any(|line| format!("{line} ").starts_with(&format!("{verb} ")));
        assert!(
            tried || SILENT.contains(&verb.as_str()),
            "{verb} is not among LINES"
        );
    }
}

/// Every verb that prints, each blocked on an output that is full and that nobody reads.
struct Blocked {
    children: Vec<(String, Child)>,
    _reader: PipeReader,
    _server: Server,
    _listener: TcpListener,
    _folder: TempDir,
}

impl Blocked {
    fn start(lab: &Lab, errors_too: bool) -> Self {
        let (reader, mut writer) = pipe().unwrap();
        let size = fcntl_getpipe_size(&writer).unwrap();
        writer.write_all(&vec![b'\n'; size]).unwrap();
        let echo = Server::start(server(lab), &[]);
        let target = target(server(lab).ipv4().into(), echo.port);
        let listener = client(lab).run(|| TcpListener::bind("127.0.0.1:0")).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("secret");
        let mut file = OpenOptions::new();
        let file = file.write(true).create_new(true).mode(0o600).open(&secret);
        let bytes: [u8; 32] = std::array::from_fn(|i| i as u8);
        file.unwrap().write_all(&bytes).unwrap();
        // Who runs the tests may ignore SIGINT, as shells do for what they start in the background.
        let command = |program| {
            let mut command = client(lab).command("env").unwrap();
            command.arg("--default-signal=INT").arg(program);
            command
        };
        let tfo = |line: &&str| {
            let mut command = command(env!("CARGO_BIN_EXE_tfo"));
            let line = line
                .replace("TARGET", &target)
                .replace("LISTENER", &listener.local_addr().unwrap().to_string())
                .replace("SECRET", secret.to_str().unwrap());
            command.args(line.split_whitespace());
            (line, command)
        };
        let mut classic = command(env!("CARGO_BIN_EXE_tcp-fast-open"));
        classic.args(["-l", "-p", "0"]);
        let classic = ("tcp-fast-open -l -p 0".to_owned(), classic);
        let commands = LINES.iter().map(tfo).chain([classic]);
        let start = |(line, mut command): (String, Command)| {
            command.stdin(Stdio::null()).stdout(writer.try_clone().unwrap());
            match errors_too {
                true => command.stderr(writer.try_clone().unwrap()),
                false => command.stderr(Stdio::null()),
            };
            let child = command.spawn().unwrap();
            if line.starts_with("trace") {
                thread::sleep(Duration::from_millis(300));
            }
            (line, child)
        };
        let children = commands.map(start).collect();
        // They connect, and print what came of it.
        thread::sleep(Duration::from_secs(3));
        let mut blocked = Self {
            children,
            _reader: reader,
            _server: echo,
            _listener: listener,
            _folder: folder,
        };
        blocked.run();
        blocked
    }

    /// All of them still run.
    fn run(&mut self) {
        for (line, child) in &mut self.children {
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none(), "{line} did not wait for its output: {ended:?}");
        }
    }

    /// Sends one of the signals to each in turn.
    fn signal(&self, signals: &[Signal]) {
        for ((_, child), signal) in self.children.iter().zip(signals.iter().cycle()) {
            // One that has ended is a zombie, and takes the signal.
            kill_process(Pid::from_child(child), *signal).unwrap();
        }
    }

    fn end(&mut self) {
        let start = Instant::now();
        for (line, child) in &mut self.children {
            while child.try_wait().unwrap().is_none() {
                assert!(start.elapsed() < PATIENCE, "{line} does not end");
                thread::sleep(Duration::from_millis(20));
            }
        }
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        for (_, child) in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn a_signal_ends_what_nobody_reads() {
    let lab = near();
    let mut blocked = Blocked::start(&lab, false);
    blocked.signal(&[Signal::INT, Signal::TERM]);
    blocked.end();
}

fn the_second_signal_ends_what_no_error_can_leave() {
    let lab = near();
    let mut blocked = Blocked::start(&lab, true);
    for signals in [[Signal::INT, Signal::TERM], [Signal::TERM, Signal::INT]] {
        blocked.signal(&signals);
    }
    blocked.end();
}
