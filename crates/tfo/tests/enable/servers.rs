//! Real servers, unchanged and not restarted.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use fastopen::Outcome;
use fastopen_lab::Host;
use fastopen_lab::testing::{LabTest, test};

use super::support::{lab, report, second_outcome, start, tfo};

pub(crate) fn tests() -> Vec<LabTest> {
    vec![
        test("what_doctor_prints_works", what_doctor_prints_works),
        test(
            "nginx_with_workers_and_reuseport",
            nginx_with_workers_and_reuseport,
        ),
    ]
}

/// The command in `tfo doctor`'s advice, as a shell takes it, on a server that runs.
fn what_doctor_prints_works() {
    let folder = tempfile::tempdir().unwrap();
    let lab = lab("3");
    let server = lab.server().unwrap();
    let (command, package) = python(server, folder.path());
    let _process = start(server, command, package, &[8000]);
    let doctor = || String::from_utf8(tfo(server, &["doctor", "--json"]).stdout).unwrap();
    let report: serde_json::Value = serde_json::from_str(&doctor()).unwrap();
    let findings = report["findings"].as_array().unwrap();
    let finding = findings
        .iter()
        .find(|finding| finding["id"] == "listeners")
        .unwrap();
    let advice: Vec<_> = finding["advice"].as_array().unwrap().iter().collect();
    let printed = advice
        .iter()
        .filter_map(|advice| advice.as_str()?.split_once("socket: ")?.1.split_once(" ("))
        .map(|(command, _)| command)
        .next()
        .unwrap_or_else(|| panic!("{finding:#}"));
    assert!(printed.ends_with("tfo enable '[::]:8000'"), "{printed}");
    // sudo may not be installed here, and is not needed.
    let script = format!("sudo() {{ \"$@\"; }}\n{printed}");
    let folder = Path::new(super::support::TFO).parent().unwrap().display();
    let path = format!("{folder}:{}", std::env::var("PATH").unwrap());
    let ran = server
        .command("sh")
        .unwrap()
        .args(["-c", &script])
        .env("PATH", path)
        .output()
        .unwrap();
    assert!(ran.status.success(), "{ran:?}");
    for address in server.addresses() {
        assert_eq!(
            second_outcome(&lab, address, 8000, b"GET / HTTP/1.0\r\n\r\n"),
            Outcome::Accepted
        );
    }
    assert!(!doctor().contains("tfo enable"), "there is nothing left to do");
}

fn python(host: &Host, folder: &Path) -> (Command, &'static str) {
    let mut command = host.command("python3").unwrap();
    command
        .current_dir(folder)
        .args(["-m", "http.server", "8000", "--bind", "::"]);
    (command, "python3")
}

pub(crate) fn write_nginx_config(folder: &Path, main: &str, server: &str) {
    let dir = folder.display();
    let config = format!(
        "user root; {main} pid {dir}/pid; error_log {dir}/error.log; events {{}} http {{ access_log off; \
         client_body_temp_path {dir}/1; proxy_temp_path {dir}/2; fastcgi_temp_path {dir}/3; uwsgi_temp_path {dir}/4; \
         scgi_temp_path {dir}/5; server {{ {server} return 200 hello; }} }}\n"
    );
    fs::write(folder.join("nginx.conf"), config).unwrap();
}

fn configured_nginx(host: &Host, folder: &Path, main: &str, server: &str) -> (Command, &'static str) {
    write_nginx_config(folder, main, server);
    let mut command = host.command("nginx").unwrap();
    command.arg("-p").arg(folder).args(["-c", "nginx.conf"]);
    (command, "nginx")
}

/// Four sockets at one address, held by a master and four workers; and one with a queue of its own, which stays.
fn nginx_with_workers_and_reuseport() {
    let folder = tempfile::tempdir().unwrap();
    let lab = lab("3");
    let server = lab.server().unwrap();
    let (command, package) = configured_nginx(
        server,
        folder.path(),
        "daemon off; worker_processes 4;",
        "listen 80 reuseport; listen 81 fastopen=16;",
    );
    let master = start(server, command, package, &[80, 81]);
    let (switched, status) = report(server, &["enable", "80", "81"]);
    assert_eq!(status, 0, "{switched:#}");
    let queues = |port: u16| -> Vec<(u64, u64)> {
        let listeners = switched["listeners"].as_array().unwrap();
        let at = |address: &str| address.parse::<SocketAddr>().unwrap().port() == port;
        let number = |value: &serde_json::Value| value.as_u64().unwrap();
        listeners
            .iter()
            .filter(|listener| at(listener["address"].as_str().unwrap()))
            .map(|listener| (number(&listener["before"]), number(&listener["now"])))
            .collect()
    };
    assert_eq!(queues(80), [(0, 1024); 4]);
    assert_eq!(queues(81), [(16, 16)], "it has a queue already");
    for port in [80, 81] {
        let outcome = second_outcome(&lab, server.ipv4().into(), port, b"GET / HTTP/1.0\r\n\r\n");
        assert_eq!(outcome, Outcome::Accepted, "{port}");
    }

    // With a queue that is asked for, both; and what is printed brings back what was before.
    let output = tfo(server, &["enable", "--queue", "5", "80", "81"]);
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(
        told.contains("queue 5 (it was 1024)") && told.contains("4 sockets"),
        "{told}"
    );
    assert!(told.contains("tfo enable --queue 16 0.0.0.0:81"), "{told}");
    assert!(told.contains("can be delivered twice"), "{told}");
    // The workers die with their master, and it is killed with its test.
    end(master.0.id());
}

/// Lets nginx end its workers.
fn end(pid: u32) {
    let ended = Command::new("kill").args(["-TERM", &pid.to_string()]).status();
    assert!(ended.unwrap().success());
    while Path::new(&format!("/proc/{pid}/task/{pid}/children")).exists()
        && fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))
            .is_ok_and(|children| !children.trim().is_empty())
    {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}
