//! Servers for unchanged programs, and the programs with and without `tfo run`.

use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use fastopen_lab::testing::need;
use fastopen_lab::{Capture, Host, HostSpec, Lab, Point, Scenario};
use serde_json::Value;
use tempfile::TempDir;

pub(crate) const TFO: &str = env!("CARGO_BIN_EXE_tfo");
/// Long against what a program takes on a busy machine.
pub(crate) const RTT: Duration = Duration::from_millis(200);
const BODY: &str = "hello from the lab\n";

/// A client, a server, a state of its own for what is learnt.
pub(crate) struct World {
    /// `--above`, or nothing.
    pub(crate) placement: &'static [&'static str],
    pub(crate) lab: Lab,
    pub(crate) state: TempDir,
}

thread_local! {
    static PLACEMENT: Cell<&'static [&'static str]> = const { Cell::new(&[]) };
}

/// From here on this thread's worlds have the supervisor above the program.
pub(crate) fn place_above() {
    PLACEMENT.set(&["--above"]);
}

/// What a program printed, and what `tfo run` said of it.
pub(crate) struct Ran {
    pub(crate) output: Output,
    pub(crate) report: Value,
}

pub(crate) fn world() -> World {
    world_with(HostSpec::new("client"))
}

/// With a server that has these bits, for programs that do or do not ask themselves.
pub(crate) fn world_with_server_bits(bits: &str) -> World {
    let world = world();
    world.server().set_sysctl("net.ipv4.tcp_fastopen", bits).unwrap();
    world
}

pub(crate) fn world_with(client: HostSpec) -> World {
    world_on(client, RTT)
}

/// On a path with this round-trip time.
pub(crate) fn world_on(client: HostSpec, rtt: Duration) -> World {
    let scenario = Scenario::new("run").with_rtt(rtt).with_host(client);
    World {
        placement: PLACEMENT.get(),
        lab: Lab::new(&scenario).unwrap(),
        state: tempfile::tempdir().unwrap(),
    }
}

impl World {
    pub(crate) fn server(&self) -> &Host {
        self.lab.server().unwrap()
    }

    /// A program on the client, without `tfo run`.
    pub(crate) fn bare(&self, program: &[&str]) -> Command {
        need(program[0]);
        let mut command = self.lab.client().unwrap().command(program[0]).unwrap();
        command
            .args(&program[1..])
            .current_dir(self.state.path())
            .stdin(Stdio::null());
        command
    }

    /// The same with it.
    pub(crate) fn under(&self, options: &[&str], program: &[&str]) -> Command {
        program.iter().take(1).for_each(need);
        let arguments = [&[TFO, "run"], self.placement, options, &["--"], program].concat();
        let mut command = self.bare(&arguments);
        command.env("XDG_STATE_HOME", self.state.path());
        command
    }

    /// Whether the program has another number than the process that was started.
    pub(crate) fn is_above(&self) -> bool {
        !self.placement.is_empty()
    }

    /// The program of that name, when there is one.
    pub(crate) fn only(&self, name: &str) -> u32 {
        let found = || processes(name, self.state.path());
        wait_until(name, || found().len() == 1);
        found()[0]
    }

    /// Runs it with `tfo run` to its end, and until nobody supervises it any more.
    pub(crate) fn run(&self, options: &[&str], program: &[&str]) -> Ran {
        let file = self.state.path().join("report.json");
        let _ = std::fs::remove_file(&file);
        let report = format!("--report={}", file.display());
        let output = self
            .under(&[options, &[&report]].concat(), program)
            .output()
            .unwrap();
        Ran {
            output,
            report: read_report(&file),
        }
    }
}

pub(crate) fn read_report(file: &Path) -> Value {
    let schema = serde_json::from_str(include_str!("../../schemas/run.json")).unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let text = std::fs::read_to_string(file).unwrap();
        if let Ok(report) = serde_json::from_str::<Value>(&text)
            && report["complete"] == true
        {
            jsonschema::validate(&schema, &report).unwrap_or_else(|error| panic!("{error}: {report:#}"));
            return report;
        }
        assert!(
            Instant::now() < deadline,
            "nobody wrote a complete report: {text}"
        );
        thread::sleep(Duration::from_millis(5));
    }
}

impl Ran {
    pub(crate) fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.output.stdout).into_owned()
    }

    pub(crate) fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }

    /// The outcome and the note of the only row there is to this port.
    pub(crate) fn row(&self, port: u16) -> (&str, &str) {
        let rows = self.report["rows"].as_array().unwrap();
        let to_port = |row: &&Value| {
            row["destination"]
                .as_str()
                .is_some_and(|to| to.ends_with(&format!(":{port}")))
        };
        let rows: Vec<_> = rows.iter().filter(to_port).collect();
        let [row] = rows[..] else {
            panic!("{:#} {}", self.report, self.stderr())
        };
        (
            row["outcome"].as_str().unwrap(),
            row["note"].as_str().unwrap_or(""),
        )
    }
}

/// Takes each connection on a thread of its own.
pub(crate) fn serve(
    host: &Host,
    port: u16,
    converse: impl Fn(TcpStream) -> std::io::Result<()> + Copy + Send + 'static,
) {
    let listener = host
        .run(|| fastopen::listen((IpAddr::from([0_u16; 8]), port)))
        .unwrap();
    host.spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || converse(stream));
        }
    });
}

/// Answers a request as HTTP/1.0 does.
pub(crate) fn http(mut stream: TcpStream) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut part = [0; 4096];
        match stream.read(&mut part)? {
            0 => return Ok(()),
            read => request.extend_from_slice(&part[..read]),
        }
    }
    let length = BODY.len();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{BODY}"
    )
}

/// Speaks first, as mail servers do, then says what it has read.
pub(crate) fn banner(mut stream: TcpStream) -> std::io::Result<()> {
    stream.write_all(b"220 ready\r\n")?;
    echo(stream)
}

/// Says at the end how much it has read, and what.
pub(crate) fn echo(mut stream: TcpStream) -> std::io::Result<()> {
    let mut read = Vec::new();
    stream.read_to_end(&mut read)?;
    write!(stream, "{} bytes: {}", read.len(), String::from_utf8_lossy(&read))
}

/// A connection, until the server's first byte.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    client: SocketAddr,
    begun: Duration,
    pub(crate) rounds: u32,
    server_spoke_last: bool,
    /// From the first SYN to the server's first byte, both as they leave; none before there was one.
    pub(crate) took: Option<Duration>,
}

/// The connections to that port which were answered, in the order of their SYNs.
pub(crate) fn answers(capture: &Capture, port: u16) -> Vec<Answer> {
    let mut answers: Vec<Answer> = Vec::new();
    for frame in capture.take().iter().filter(|frame| frame.point == Point::Sent) {
        let Ok(segment) = frame.segment() else { continue };
        let is_to_server = segment.destination.port() == port;
        let client = if is_to_server {
            segment.source
        } else {
            segment.destination
        };
        let known = answers.iter_mut().find(|answer| answer.client == client);
        match known {
            None if is_to_server && segment.flags.syn => answers.push(Answer {
                client,
                begun: frame.at,
                rounds: 1,
                server_spoke_last: false,
                took: None,
            }),
            // Another flight of the client's: what acknowledges only does not count, since the server does not wait for it.
            Some(answer) if is_to_server && segment.payload_len > 0 && answer.took.is_none() => {
                answer.rounds += u32::from(std::mem::take(&mut answer.server_spoke_last));
            }
            Some(answer) if !is_to_server => {
                answer.server_spoke_last = true;
                if segment.payload_len > 0 {
                    answer.took.get_or_insert(frame.at - answer.begun);
                }
            }
            _ => {}
        }
    }
    answers.retain(|answer| answer.took.is_some());
    answers
}

/// After how many round trips each of them had the server's first byte: by the order of the packets, since a busy machine's programs
/// may be late by more than a round trip.
pub(crate) fn rounds(capture: &Capture, port: u16) -> Vec<u32> {
    rounds_of(&answers(capture, port))
}

pub(crate) fn rounds_of(answers: &[Answer]) -> Vec<u32> {
    answers.iter().map(|answer| answer.rounds).collect()
}

/// Waits until a condition holds.
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// The processes of that name which were started with this state.
pub(crate) fn processes(name: &str, state: &Path) -> Vec<u32> {
    let is_it = |pid: u32| {
        let read = |file: &str| std::fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
        let environment = read("environ");
        let state = state.to_str().unwrap().as_bytes();
        read("comm") == format!("{name}\n").as_bytes()
            && environment.windows(state.len()).any(|part| part == state)
    };
    let folder = std::fs::read_dir("/proc").unwrap().flatten();
    folder
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| is_it(*pid))
        .collect()
}

pub(crate) fn signal(pid: u32, signal: &str) {
    let status = Command::new("kill").args([signal, &pid.to_string()]).status();
    assert!(status.unwrap().success());
}
