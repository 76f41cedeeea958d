//! What doctor prints as a fix or as advice, done with the programs that it is about.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use fastopen_lab::Host;
use fastopen_lab::testing::{LabTest, Running, program, test};
use serde_json::Value;

use crate::{FAST_OPEN, lab, levels, listen, report};

pub(crate) fn tests() -> Vec<LabTest> {
    vec![
        test("fixes::nginx_has_settings_of_its_own", || {
            settings_of_its_own("nginx", "listen 80;", "listen 80 fastopen=5;", nginx);
        }),
        test("fixes::haproxy_has_settings_of_its_own", || {
            settings_of_its_own("haproxy", "bind :80", "bind :80 tfo\n backlog 5", haproxy);
        }),
        test("fixes::pdns_recursor_has_settings_of_its_own", || {
            settings_of_its_own("pdns_recursor", "", "tcp-fast-open=5", pdns_recursor);
        }),
        test("fixes::dnsmasq_asks_on_every_machine", || {
            asks_on_every_machine(dnsmasq);
        }),
        test("fixes::unbound_asks_on_every_machine", || {
            asks_on_every_machine(unbound);
        }),
        test(
            "fixes::any_program_works_with_the_bit_for_every_listener",
            any_program_works_with_the_bit_for_every_listener,
        ),
        test("fixes::each_command_can_be_run", each_command_can_be_run),
        test(
            "fixes::a_container_is_told_where_its_settings_are_kept",
            a_container_is_told_where_its_settings_are_kept,
        ),
    ]
}

/// The finding of that kind.
fn finding(host: &Host, id: &str) -> Value {
    let (report, _) = report(host, &[]);
    let findings = report["findings"].as_array().unwrap();
    findings
        .iter()
        .find(|finding| finding["id"] == id)
        .unwrap()
        .clone()
}

/// What the advice says to write into that program's configuration, for port 80.
fn setting(finding: &Value, name: &str) -> String {
    let advice = finding["advice"].as_array().unwrap();
    let mut lines = advice.iter().filter_map(Value::as_str);
    let line = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    line.unwrap_or_else(|| panic!("nothing for {name}: {finding:#}"))
        .replace("PORT", "80")
}

/// A server that doesn't ask is named with its setting; with the setting it asks, and what lengthens its queue does so.
fn settings_of_its_own(name: &str, plain: &str, tiny: &str, start: fn(&Host, &Path, &str) -> Running) {
    let lab = lab("3");
    let server = lab.server().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let begin = |settings: &str| {
        let mut peer = start(server, folder.path(), settings);
        peer.await_port(server, SocketAddr::new(server.ipv4().into(), 80));
        peer
    };
    let peer = begin(plain);
    let unasked = finding(server, "listeners");
    assert_eq!(unasked["level"], "warning", "{unasked:#}");
    drop(peer);

    let peer = begin(&setting(&unasked, name));
    for id in ["listeners", "queues"] {
        let asked = finding(server, id);
        assert_eq!(asked["level"], "ok", "{asked:#}");
    }
    drop(peer);

    let peer = begin(tiny);
    let short = finding(server, "queues");
    assert_eq!(short["level"], "warning", "{short:#}");
    drop(peer);

    let longer = setting(&short, name);
    let longer = if longer.starts_with("backlog") {
        format!("bind :80 tfo\n {longer}")
    } else {
        longer
    };
    let _peer = begin(&longer);
    let long = finding(server, "queues");
    assert!(
        long["sentence"].as_str().unwrap().contains("256 connections"),
        "{long:#}"
    );
}

fn nginx(host: &Host, folder: &Path, listen: &str) -> Running {
    let path = folder.display();
    let config = format!(
        "user root; daemon off; master_process off; pid {path}/pid; error_log {path}/error;
         events {{}}
         http {{
             access_log off;
             client_body_temp_path {path}; proxy_temp_path {path}; fastcgi_temp_path {path};
             uwsgi_temp_path {path}; scgi_temp_path {path};
             server {{ {listen} return 200 hello; }}
         }}"
    );
    fs::write(folder.join("nginx.conf"), config).unwrap();
    let mut nginx = program(host, "nginx");
    nginx
        .arg("-p")
        .arg(folder)
        .args(["-c", "nginx.conf", "-e", "error"]);
    Running::start(nginx)
}

fn haproxy(host: &Host, folder: &Path, frontend: &str) -> Running {
    let config = format!(
        "defaults\n mode http\n timeout client 10s\n timeout server 10s\n timeout connect 10s\n\
         frontend web\n {frontend}\n http-request return status 200\n"
    );
    let file = folder.join("haproxy.cfg");
    fs::write(&file, config).unwrap();
    let mut haproxy = program(host, "haproxy");
    haproxy.args(["-db", "-f"]).arg(&file);
    Running::start(haproxy)
}

fn pdns_recursor(host: &Host, folder: &Path, setting: &str) -> Running {
    let config = format!("local-address=0.0.0.0\nlocal-port=80\nsecurity-poll-suffix=\n{setting}\n");
    fs::write(folder.join("recursor.conf"), config).unwrap();
    let mut recursor = program(host, "pdns_recursor");
    for option in ["--config-dir", "--socket-dir"] {
        recursor.arg(format!("{option}={}", folder.display()));
    }
    // As whoever runs the test.
    recursor.args(["--daemon=no", "--setuid=", "--setgid="]);
    Running::start(recursor)
}

/// Programs that ask without having been told to: a desktop with libvirt has one of them, and is as fine a client as any.
fn asks_on_every_machine(start: fn(&Host, &Path) -> Running) {
    let lab = lab("1");
    let server = lab.server().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut peer = start(server, folder.path());
    peer.await_port(server, SocketAddr::new(server.ipv4().into(), 53));
    let (report, status) = report(server, &["--fix"]);
    assert_eq!(status, 0);
    let listeners = report["listeners"].as_array().unwrap();
    assert!(listeners.iter().all(|listener| listener["fast_open_queue"] == 5));
    assert!(!listeners.is_empty());
    for level in ["warning", "problem"] {
        assert_eq!(levels(&report, level), [""; 0], "{report:#}");
    }
    assert_eq!(server.sysctl(FAST_OPEN).unwrap(), "1", "nobody asked for it");
}

fn dnsmasq(host: &Host, _: &Path) -> Running {
    let mut dnsmasq = program(host, "dnsmasq");
    dnsmasq.args([
        "--no-daemon",
        "--no-resolv",
        "--no-hosts",
        "--conf-file=/dev/null",
        "--pid-file=",
    ]);
    Running::start(dnsmasq)
}

fn unbound(host: &Host, folder: &Path) -> Running {
    let config = format!(
        "server:\n interface: 0.0.0.0\n username: \"\"\n chroot: \"\"\n directory: \"{}\"\n pidfile: \"\"\n use-syslog: no\n \
         module-config: \"iterator\"\nremote-control:\n control-enable: no\n",
        folder.display()
    );
    let file = folder.join("unbound.conf");
    fs::write(&file, config).unwrap();
    let mut unbound = program(host, "unbound");
    unbound.args(["-d", "-c"]).arg(&file);
    Running::start(unbound)
}

fn any_program_works_with_the_bit_for_every_listener() {
    let lab = lab("3");
    let server = lab.server().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let begin = || {
        let mut python = program(server, "python3");
        python.args(["-m", "http.server", "80", "--directory"]);
        python.arg(folder.path());
        let mut peer = Running::start(python);
        peer.await_port(server, SocketAddr::new(server.ipv4().into(), 80));
        peer
    };
    let peer = begin();
    let unasked = finding(server, "listeners");
    assert!(
        unasked["reason"].as_str().unwrap().contains("(python3)"),
        "{unasked:#}"
    );
    run(server, &unasked["fix"]["command"]);
    let opened_before = finding(server, "listeners");
    let advice = &opened_before["advice"];
    assert_eq!(advice[0], "Restart python3.", "{opened_before:#}");
    let without_restart = advice[1].as_str().unwrap();
    assert!(
        without_restart.contains("tfo enable 0.0.0.0:80 "),
        "{opened_before:#}"
    );
    drop(peer);
    let _peer = begin();
    let asked = finding(server, "listeners");
    assert_eq!(asked["level"], "ok", "{asked:#}");
}

/// Runs a command as it is printed, by whoever is root here.
fn run(host: &Host, command: &Value) {
    let mut words = command.as_str().unwrap().split(' ').peekable();
    words.next_if_eq(&"sudo");
    assert_eq!(words.next(), Some("sysctl"), "{command}");
    let output = program(host, "sysctl").args(words).output().unwrap();
    assert!(output.status.success(), "{command}: {output:?}");
}

fn each_command_can_be_run() {
    let lab = lab("1540");
    let server = lab.server().unwrap();
    let _listener = listen(server);
    server.set_sysctl("net.ipv4.tcp_syncookies", "2").unwrap();
    let (faulty, status) = report(server, &[]);
    assert_eq!(status, 1, "{faulty:#}");
    let mut done = 0;
    // Each fix is right for the settings as they were when it was printed, so they are printed again.
    while let Some(command) = first_fix(&report(server, &[]).0) {
        run(server, &command);
        done += 1;
        assert!(done < 10, "the fixes undo each other: {command}");
    }
    assert!(done >= 2, "{faulty:#}");
    let (fixed, status) = report(server, &[]);
    assert_eq!((status, fixed["ready"].as_bool()), (0, Some(true)), "{fixed:#}");
    assert_eq!(server.sysctl(FAST_OPEN).unwrap(), "1027");
}

fn first_fix(report: &Value) -> Option<Value> {
    let findings = report["findings"].as_array().unwrap();
    let mut faults = findings.iter().filter(|finding| finding["level"] != "note");
    faults.find_map(|finding| Some(finding.get("fix")?["command"].clone()))
}

fn a_container_is_told_where_its_settings_are_kept() {
    let lab = lab("1");
    let server = lab.server().unwrap();
    let _listener = listen(server);
    let doctor = |environment: Option<&str>| {
        let mut command: Command = server.command(env!("CARGO_BIN_EXE_tfo")).unwrap();
        command
            .arg("doctor")
            .env_remove("KUBERNETES_SERVICE_HOST")
            .envs(environment.map(|name| (name, "192.0.2.1")));
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    let pod = doctor(Some("KUBERNETES_SERVICE_HOST"));
    for told in [
        "sysctls: [{name: net.ipv4.tcp_fastopen, value: \"3\"}]",
        "--allowed-unsafe-sysctls=net.ipv4.tcp_fastopen",
        "after a redeployment",
        "net.ipv4.tcp_fastopen_key",
    ] {
        assert!(pod.contains(told), "{told} in\n{pod}");
    }
    for text in [pod, doctor(None)] {
        assert!(
            !text.contains("boot") && !text.contains("sysctl.d"),
            "it lasts as long as the network namespace:\n{text}"
        );
    }
}
