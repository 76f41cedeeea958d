//! The programs under test, started on hosts of a lab.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::piped::spawn_piped;
use fastopen_lab::{Host, Lab, Scenario};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

const SERVE_SCHEMA: &str = include_str!("../../schemas/serve.json");
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A client and a server with Fast Open, at this distance.
pub(crate) fn lab(rtt: Duration) -> Lab {
    Lab::new(&Scenario::new("test").with_rtt(rtt)).unwrap()
}

pub(crate) fn near() -> Lab {
    lab(Duration::from_millis(2))
}

pub(crate) fn client(lab: &Lab) -> &Host {
    lab.client().unwrap()
}

pub(crate) fn server(lab: &Lab) -> &Host {
    lab.server().unwrap()
}

/// A program that runs, and its standard output line by line.
pub(crate) struct Program {
    child: Child,
    lines: Receiver<String>,
}

impl Program {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = spawn_piped(&mut command);
        let lines = read_lines(child.stdout.take().unwrap());
        Self { child, lines }
    }

    pub(crate) fn next_line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("another line")
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Waits for its end; the lines that nobody has read, what stands on standard error, and the exit status.
    pub(crate) fn end(mut self) -> (Vec<String>, String, ExitStatus) {
        drop(self.child.stdin.take());
        let status = wait(&mut self.child);
        let mut errors = String::new();
        let mut stderr = self.child.stderr.take().unwrap();
        stderr.read_to_string(&mut errors).unwrap();
        (self.lines.iter().collect(), errors, status)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for the end, but not for ever.
pub(crate) fn wait(child: &mut Child) -> ExitStatus {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        assert!(start.elapsed() < PATIENCE, "it does not end");
        thread::sleep(Duration::from_millis(5));
    }
}

fn read_lines(stdout: ChildStdout) -> Receiver<String> {
    let (sender, lines) = channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines() {
            if sender.send(line.unwrap()).is_err() {
                return;
            }
        }
    });
    lines
}

/// `tfo serve --json` on a port of its own.
pub(crate) struct Server {
    pub(crate) program: Program,
    pub(crate) port: u16,
    pub(crate) listening: Value,
}

impl Server {
    pub(crate) fn start(host: &Host, arguments: &[&str]) -> Self {
        let mut command = host.command(env!("CARGO_BIN_EXE_tfo")).unwrap();
        command.args(["serve", "--json"]).args(arguments);
        if !arguments.iter().any(|argument| argument.starts_with(':')) {
            command.arg(":0");
        }
        Self::from_command(command)
    }

    pub(crate) fn from_command(command: Command) -> Self {
        let program = Program::start(command);
        let listening = event(&program.next_line(), "listening");
        let address: SocketAddr = listening["address"].as_str().unwrap().parse().unwrap();
        Self {
            program,
            port: address.port(),
            listening,
        }
    }

    /// The next line, which must be such an event.
    pub(crate) fn next(&self, name: &str) -> Value {
        event(&self.program.next_line(), name)
    }

    /// The next line, whatever happened.
    pub(crate) fn next_of_any_kind(&self) -> Value {
        fits(&self.program.next_line(), SERVE_SCHEMA)
    }

    /// Ctrl-C, the end and the summary.
    pub(crate) fn stop(self) -> Value {
        self.program.signal(Signal::INT);
        let (lines, errors, status) = self.program.end();
        assert_eq!(status.code(), Some(0), "{errors}");
        event(lines.last().unwrap(), "summary")
    }
}

pub(crate) fn event(line: &str, name: &str) -> Value {
    let event = fits(line, SERVE_SCHEMA);
    assert_eq!(event["event"], name, "{event}");
    event
}

/// The object on that line, which must fit the schema.
fn fits(line: &str, schema: &str) -> Value {
    let object = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
    let schema = serde_json::from_str(schema).unwrap();
    jsonschema::validate(&schema, &object).unwrap_or_else(|error| panic!("{error}: {line}"));
    object
}

pub(crate) fn target(host: IpAddr, port: u16) -> String {
    SocketAddr::new(host, port).to_string()
}

pub(crate) fn tfo_send(host: &Host, arguments: &[&str]) -> Command {
    let mut command = host.command(env!("CARGO_BIN_EXE_tfo")).unwrap();
    command.arg("send").args(arguments).stdin(Stdio::null());
    command
}

/// `tfo send --json`: the reports and the exit status.
pub(crate) fn send(host: &Host, arguments: &[&str]) -> (Vec<Value>, i32) {
    let output = tfo_send(host, &[&["--json"], arguments].concat())
        .output()
        .unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    let reports = lines.lines().map(send_report).collect();
    let status = output.status.code().unwrap_or_else(|| panic!("{errors}"));
    (reports, status)
}

pub(crate) fn send_report(line: &str) -> Value {
    fits(line, include_str!("../../schemas/send.json"))
}

/// An ordinary connection from that host.
pub(crate) fn connect(from: &Host, to: IpAddr, port: u16) -> TcpStream {
    let stream = from.run(|| TcpStream::connect((to, port))).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Says something and gets it back.
pub(crate) fn echo(stream: &mut TcpStream, text: &[u8]) {
    stream.write_all(text).unwrap();
    let mut back = vec![0; text.len()];
    stream.read_exact(&mut back).unwrap();
    assert_eq!(back, text);
}

pub(crate) fn milliseconds(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no time"))
}
