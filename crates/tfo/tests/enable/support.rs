//! Servers that know nothing of Fast Open, and the commands as they are run beside them.

use std::net::{IpAddr, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use fastopen::{Outcome, ReplaySafe};
use fastopen_lab::testing::need;
use fastopen_lab::{Host, HostSpec, Lab, Scenario};
use serde_json::Value;

pub(crate) const TFO: &str = env!("CARGO_BIN_EXE_tfo");

/// A client and a server with these bits.
pub(crate) fn lab(server_bits: &str) -> Lab {
    let server = HostSpec::new("server").with_sysctl("net.ipv4.tcp_fastopen", server_bits);
    let scenario = Scenario::new("enable")
        .with_rtt(Duration::from_millis(4))
        .with_host(server);
    Lab::new(&scenario).unwrap()
}

/// A server that ends with its test.
pub(crate) struct Server(pub(crate) Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts it on a host, and waits until it listens at these ports.
pub(crate) fn start(host: &Host, mut command: Command, package: &str, ports: &[u16]) -> Server {
    need(command.get_program());
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let mut server = Server(child.unwrap_or_else(|error| {
        panic!(
            "{:?}: {error}; it comes with: apt-get install {package}",
            command.get_program()
        )
    }));
    let deadline = Instant::now() + Duration::from_secs(20);
    for port in ports {
        while host.run(|| TcpStream::connect((host.ipv4(), *port)).is_err()) {
            let ended = server.0.try_wait().unwrap();
            assert!(ended.is_none(), "{package} ended: {ended:?}");
            assert!(Instant::now() < deadline, "{package} does not listen at {port}");
            sleep(Duration::from_millis(20));
        }
    }
    server
}

pub(crate) fn tfo(host: &Host, arguments: &[&str]) -> Output {
    host.command(TFO).unwrap().args(arguments).output().unwrap()
}

/// The report, which must fit the schema, and the exit status.
pub(crate) fn report(host: &Host, arguments: &[&str]) -> (Value, i32) {
    let output = tfo(host, &[arguments, &["--json"]].concat());
    let said = String::from_utf8_lossy(&output.stderr);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), 1, "one object on one line: {text} {said}");
    let report: Value = serde_json::from_str(&text).unwrap();
    let schema = serde_json::from_str(include_str!("../../schemas/enable.json")).unwrap();
    jsonschema::validate(&schema, &report).unwrap_or_else(|error| panic!("{error}: {report:#}"));
    (report, output.status.code().unwrap())
}

/// What becomes of a client's second connection to that port, by which time it would have a cookie.
pub(crate) fn second_outcome(lab: &Lab, address: IpAddr, port: u16, first_bytes: &[u8]) -> Outcome {
    let client = lab.client().unwrap();
    let connect = || {
        fastopen::connect((address, port), ReplaySafe(first_bytes))
            .unwrap()
            .into()
    };
    client.run(|| {
        let (_, _): (TcpStream, Outcome) = connect();
        let (_, outcome): (TcpStream, Outcome) = connect();
        outcome
    })
}
