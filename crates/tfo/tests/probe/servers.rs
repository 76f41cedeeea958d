//! Real servers, configured to use Fast Open or not at all.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use fastopen_lab::testing::{LabTest, Running, program, program_path, test};
use fastopen_lab::{Host, HostSpec, Lab, Scenario};
use serde_json::Value;

use super::support::{Privilege, causes, first, lab, probe};

pub(crate) fn tests() -> Vec<LabTest> {
    vec![
        test("nginx_with_fastopen", nginx_with_fastopen),
        test("haproxy_with_tfo", haproxy_with_tfo),
        test("python_as_it_comes", || as_it_comes(8000, python)),
        test("redis_as_it_comes", || as_it_comes(6379, redis)),
        test("openssl_as_it_comes", || as_it_comes(443, openssl)),
        test("a_post_quantum_hello", a_post_quantum_hello),
    ]
}

/// Starts it, and waits until it listens.
fn start(host: &Host, command: Command, port: u16) -> Running {
    let mut server = Running::start(command);
    server.await_port(host, SocketAddr::new(host.ipv4().into(), port));
    server
}

/// Long, so that what a busy machine adds is little beside it.
const RTT: Duration = Duration::from_millis(200);

fn lab_with(bits: &str) -> Lab {
    let server = HostSpec::new("server").with_sysctl("net.ipv4.tcp_fastopen", bits);
    lab(&Scenario::new("servers").with_rtt(RTT).with_host(server))
}

/// How many round trips are saved.
fn saved(report: &Value) -> f64 {
    first(report)["saving"]["saved_ms"].as_f64().unwrap() / 1000.0 / RTT.as_secs_f64()
}

/// Probes the server's IPv4 address, and says what is said of it.
fn probed(lab: &Lab, port: u16) -> (Value, i32) {
    let target = SocketAddr::new(lab.server().unwrap().ipv4().into(), port);
    let (mut reports, status) = probe(lab, Privilege::Packets, &[], &[target]);
    (reports.remove(0), status)
}

fn assert_works(lab: &Lab, port: u16) {
    let (report, status) = probed(lab, port);
    assert_eq!((status, &report["verdict"]), (0, &"works".into()), "{report:#}");
    assert!(
        (0.5..1.5).contains(&saved(&report)),
        "one round trip is saved: {report:#}"
    );
}

fn nginx_with_fastopen() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().display();
    let config = format!(
        "user root;\ndaemon off;\nmaster_process off;\npid {dir}/pid;\nerror_log {dir}/error.log;\nevents {{}}\nhttp {{ access_log off; \
         client_body_temp_path {dir}/1; proxy_temp_path {dir}/2; fastcgi_temp_path {dir}/3; uwsgi_temp_path {dir}/4; \
         scgi_temp_path {dir}/5; server {{ listen 80 fastopen=16; listen 81; return 200 hello; }} }}\n"
    );
    fs::write(folder.path().join("nginx.conf"), config).unwrap();
    let lab = lab_with("3");
    let server = lab.server().unwrap();
    let mut command = program(server, "nginx");
    command.arg("-p").arg(folder.path()).args(["-c", "nginx.conf"]);
    let _nginx = start(server, command, 80);
    assert_works(&lab, 80);
    let others = ["tls", "redis", "dns"].map(|scheme| format!("{scheme}://{}:80", server.ipv4()));
    let mut command = super::support::command(lab.client().unwrap(), Privilege::Packets);
    let (reports, status) = super::support::reports(&command.arg("--json").args(others).output().unwrap());
    assert_eq!((reports.len(), status), (3, 0), "{reports:#?}");
    for report in reports {
        let notes = first(&report)["notes"].to_string();
        assert!(
            notes.contains("does not fit it") && notes.contains("another service"),
            "{report:#}"
        );
    }
    let (report, status) = probed(&lab, 81);
    // The cookie of port 80 is good for the whole host.
    assert_eq!(
        (status, &report["verdict"]),
        (1, &"data-ignored".into()),
        "{report:#}"
    );
    assert!(causes(&report).contains(&"listener-off"), "{report:#}");
}

fn haproxy_with_tfo() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("haproxy.cfg");
    let config = "defaults\n  mode http\n  timeout client 5s\n  timeout server 5s\n  timeout connect 5s\n\
                  frontend web\n  bind :80 tfo\n  bind :81\n  http-request return status 200\n";
    fs::write(&file, config).unwrap();
    let lab = lab_with("3");
    let server = lab.server().unwrap();
    let mut command = program(server, "haproxy");
    command.arg("-db").arg("-f").arg(&file);
    let _haproxy = start(server, command, 80);
    assert_works(&lab, 80);
    let (report, status) = probed(&lab, 81);
    assert_eq!(
        (status, &report["verdict"]),
        (1, &"data-ignored".into()),
        "{report:#}"
    );
    let causes = causes(&report);
    assert!(
        causes.len() > 1 && causes.contains(&"proxy-ends-it"),
        "{report:#}"
    );
}

/// A server that knows nothing of Fast Open: without it, and with the kernel's bit for every listener (0x400).
fn as_it_comes(port: u16, command: fn(&Host, &Path) -> Command) {
    let folder = tempfile::tempdir().unwrap();
    for (bits, works) in [("3", false), ("1027", true)] {
        let lab = lab_with(bits);
        let server = lab.server().unwrap();
        let command = command(server, folder.path());
        let _server = start(server, command, port);
        if works {
            assert_works(&lab, port);
        } else {
            let (report, status) = probed(&lab, port);
            assert_eq!(
                (status, &report["verdict"]),
                (1, &"no-cookie".into()),
                "{report:#}"
            );
            assert!(causes(&report).contains(&"listener-off"), "{report:#}");
        }
    }
}

fn python(host: &Host, folder: &Path) -> Command {
    let mut command = program(host, "python3");
    command
        .args(["-m", "http.server", "8000", "--directory"])
        .arg(folder);
    command
}

fn redis(host: &Host, folder: &Path) -> Command {
    let mut command = program(host, "redis-server");
    command.current_dir(folder);
    command
}

fn openssl(host: &Host, folder: &Path) -> Command {
    let key = folder.join("key.pem");
    if !key.exists() {
        let made = Command::new(program_path("openssl"))
            .args([
                "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=lab", "-out",
            ])
            .args([&folder.join("cert.pem"), Path::new("-keyout"), &key])
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
    }
    let mut command = program(host, "openssl");
    command.current_dir(folder);
    command.args([
        "s_server", "-accept", "443", "-cert", "cert.pem", "-key", "key.pem", "-quiet",
    ]);
    command
}

fn a_post_quantum_hello() {
    let folder = tempfile::tempdir().unwrap();
    for (mtu, fits) in [(1500, true), (1400, false)] {
        let scenario = Scenario::new("post-quantum")
            .with_rtt(RTT)
            .with_host(HostSpec::new("client").with_mtu(mtu))
            .with_host(HostSpec::new("server").with_sysctl("net.ipv4.tcp_fastopen", "1027"));
        let lab = lab(&scenario);
        let server = lab.server().unwrap();
        let command = openssl(server, folder.path());
        let _server = start(server, command, 443);
        let target = SocketAddr::new(server.ipv4().into(), 443);
        let (reports, status) = probe(&lab, Privilege::Packets, &["--pq"], &[target]);
        let report = &reports[0];
        assert_eq!((status, &report["verdict"]), (0, &"works".into()), "{report:#}");
        assert_eq!(first(report)["fits"], fits, "{report:#}");
        assert_eq!(report["first_bytes"] == syn_bytes(report), fits, "{report:#}");
        assert_eq!(
            saved(report) > 0.5,
            fits,
            "a round trip is saved if the server has all of it: {report:#}"
        );
    }
}

fn syn_bytes(report: &Value) -> u64 {
    let connections = first(report)["connections"].as_array().unwrap();
    let bytes = connections
        .iter()
        .map(|connection| connection["syn_bytes"].as_u64().unwrap());
    bytes.max().unwrap()
}
