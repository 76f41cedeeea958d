//! `tfo serve` with more connections than usual, and with more than it can have.

use std::fs;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use fastopen_lab::Lab;
use fastopen_lab::testing::{LabTest, test};

use crate::programs::{Server, client, connect, echo, near, send, server, target};

pub(crate) fn tests() -> Vec<LabTest> {
    vec![
        test(
            "two_thousand_connections_at_once",
            two_thousand_connections_at_once,
        ),
        test("without_descriptors_it_waits", without_descriptors_it_waits),
    ]
}

fn two_thousand_connections_at_once() {
    const MANY: usize = 2000;
    allow_descriptors();
    let lab = near();
    let tfo = server_after(&lab, "ulimit -Sn 1024");
    let to = server(&lab).ipv4().into();
    let mut streams: Vec<TcpStream> = client(&lab).run(|| {
        (0..MANY)
            .map(|_| TcpStream::connect((server(&lab).ipv4(), tfo.port)).unwrap())
            .collect()
    });
    for stream in &mut streams {
        echo(stream, b"hello");
    }
    // While they are open, a fast connection is still accepted.
    assert_eq!(send(client(&lab), &["-n2", &target(to, tfo.port), "hello"]).1, 0);
    drop(streams);
    let summary = tfo.stop();
    assert_eq!(summary["connections"], MANY + 2);
    assert_eq!(summary["received"], 5 * (MANY + 2));
    assert_eq!(summary["fast"], 1);
}

fn without_descriptors_it_waits() {
    const MANY: usize = 100;
    let lab = near();
    let mut tfo = server_after(&lab, "ulimit -n 64");
    let to = server(&lab).ipv4().into();
    let mut streams: Vec<TcpStream> = (0..MANY).map(|_| connect(client(&lab), to, tfo.port)).collect();
    thread::sleep(Duration::from_secs(1));
    let busy = cpu_time(tfo.program.child().id());
    assert!(
        busy < Duration::from_millis(300),
        "it waits, and does not spin: {busy:?}"
    );
    let begin = Instant::now();
    // As each ends another gets its turn.
    for mut stream in streams.drain(..) {
        echo(&mut stream, b"hello");
    }
    assert!(begin.elapsed() < Duration::from_secs(15));
    // It is over when nothing has failed for a while.
    thread::sleep(Duration::from_secs(3));
    tfo.program.signal(rustix::process::Signal::INT);
    let (_, errors, status) = tfo.program.end();
    let lines: Vec<_> = errors.lines().collect();
    assert_eq!(lines.len(), 2, "{errors}");
    assert!(
        lines[0].contains("no further connection can be accepted: Too many open files"),
        "{errors}"
    );
    assert!(
        lines[1].starts_with("connections are accepted again, after "),
        "{errors}"
    );
    assert_eq!(status.code(), Some(0));
}

/// A server whose limits a shell has set.
fn server_after(lab: &Lab, shell_command: &str) -> Server {
    let mut command = server(lab).command("sh").unwrap();
    let tfo = env!("CARGO_BIN_EXE_tfo");
    command.args([
        "-c",
        &format!("{shell_command}; exec {tfo} serve --json --idle-timeout 5m :0"),
    ]);
    Server::from_command(command)
}

/// The processor time that a program has used.
fn cpu_time(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let after_name = stat.rsplit_once(')').unwrap().1;
    let ticks: u64 = after_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|field| field.parse::<u64>().unwrap())
        .sum();
    Duration::from_millis(ticks * 10)
}

fn allow_descriptors() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let current = limit.maximum;
    setrlimit(Resource::Nofile, Rlimit { current, ..limit }).unwrap();
}
