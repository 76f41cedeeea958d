//! Connections of every kind, and `tfo watch` to look at them.

use std::io::{BufRead, BufReader};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use fastopen::ReplaySafe;
use fastopen_host::sockets::{self, Filter, State};
use fastopen_lab::{Host, HostSpec, Lab, Moment, Rule, Scenario, SegmentKind};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

pub(crate) const TFO: &str = env!("CARGO_BIN_EXE_tfo");

pub(crate) fn lab() -> Lab {
    let server = HostSpec::new("server").with_sysctl("net.ipv4.tcp_fastopen", "3");
    let scenario = Scenario::new("near")
        .with_rtt(Duration::from_millis(1))
        .with_host(server);
    Lab::new(&scenario).unwrap()
}

pub(crate) fn listen(host: &Host, address: IpAddr) -> TcpListener {
    host.run(|| fastopen::listen((address, 0))).unwrap()
}

pub(crate) fn connect_fast(host: &Host, to: IpAddr, port: u16) -> TcpStream {
    let (stream, _) = host
        .run(|| fastopen::connect((to, port), ReplaySafe(b"hello")))
        .unwrap()
        .into();
    stream
}

/// Four connections: one that gets a cookie, a fast one, a fast one whose last ACK never comes, a plain one in the same state.
pub(crate) fn connect_in_every_way(lab: &Lab, to: IpAddr, port: u16) -> Vec<TcpStream> {
    let client = lab.client().unwrap();
    let mut streams = vec![connect_fast(client, to, port), connect_fast(client, to, port)];
    wait_until_confirmed(lab.server().unwrap());
    let rule = Rule::hold(Moment::Released)
        .from("client")
        .on(SegmentKind::HandshakeAck);
    lab.set_rules([rule]).unwrap();
    streams.push(connect_fast(client, to, port));
    streams.push(client.run(|| TcpStream::connect((to, port))).unwrap());
    streams
}

/// A client's connection stands before its last ACK has arrived.
fn wait_until_confirmed(server: &Host) {
    let half_open = Filter::new().with_states([State::SynRecv]);
    while !server.run(|| sockets::list(&half_open)).unwrap().is_empty() {
        thread::sleep(Duration::from_millis(1));
    }
}

/// `tfo watch` on a host, killed in the end.
pub(crate) struct Watch(pub(crate) Child);

impl Watch {
    pub(crate) fn start(host: &Host, arguments: &[&str]) -> Self {
        Self::run(host.command(TFO).unwrap().arg("watch").args(arguments))
    }

    pub(crate) fn run(command: &mut Command) -> Self {
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        Self(child.unwrap())
    }

    pub(crate) fn lines(&mut self) -> impl Iterator<Item = String> + use<> {
        let lines = BufReader::new(self.0.stdout.take().unwrap()).lines();
        lines.map(Result::unwrap)
    }

    /// Its objects, each of which must fit the schema.
    pub(crate) fn reports(&mut self) -> impl Iterator<Item = Value> + use<> {
        let schema = serde_json::from_str(include_str!("../../schemas/watch.json")).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        self.lines().map(move |line| {
            let report = serde_json::from_str(&line).unwrap();
            validator.validate(&report).unwrap();
            report
        })
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
