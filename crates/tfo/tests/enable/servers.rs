//! Real servers, unchanged and not restarted.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;

use fastopen::Outcome;
use fastopen_lab::Host;
use fastopen_lab::testing::{LabTest, test};

use super::support::{lab, report, second_outcome, start, tfo};

pub(crate) fn tests() -> Vec<LabTest> {
    vec![
        test("python", || is_switched(8000, b"GET / HTTP/1.0\r\n\r\n", python)),
        test("what_doctor_prints_works", what_doctor_prints_works),
        test("redis", || is_switched(6379, b"PING\r\n", redis)),
        test("nginx", || is_switched(80, b"GET / HTTP/1.0\r\n\r\n", nginx)),
        test(
            "nginx_with_workers_and_reuseport",
            nginx_with_workers_and_reuseport,
        ),
    ]
}

/// Switched on it takes a client's data from the SYN, by IPv4 and IPv6; a connection that was open before is still served, and
/// switched off it is what it was.
fn is_switched(port: u16, request: &[u8], command: fn(&Host, &Path) -> (Command, &'static str)) {
    let folder = tempfile::tempdir().unwrap();
    let lab = lab("3");
    let server = lab.server().unwrap();
    let (command, package) = command(server, folder.path());
    let mut process = start(server, command, package, &[port]);
    let addresses = server.addresses();
    for address in addresses {
        assert_eq!(second_outcome(&lab, address, port, request), Outcome::NoCookie);
    }
    let client = lab.client().unwrap();
    let mut open_before = client.run(|| TcpStream::connect((server.ipv4(), port)).unwrap());

    let place = format!(":{port}");
    let (switched, status) = report(server, &["enable", &place]);
    assert_eq!((status, &switched["works"]), (0, &true.into()), "{switched:#}");
    for listener in switched["listeners"].as_array().unwrap() {
        assert_eq!((&listener["before"], &listener["now"]), (&0.into(), &1024.into()));
        let processes = listener["processes"].as_array().unwrap();
        assert!(
            processes.iter().any(|owner| owner["pid"] == process.0.id()),
            "{switched:#}"
        );
    }
    for address in addresses {
        assert_eq!(
            second_outcome(&lab, address, port, request),
            Outcome::Accepted,
            "{address}"
        );
    }
    open_before.write_all(request).unwrap();
    assert!(open_before.read(&mut [0; 512]).unwrap() > 0, "it is still served");

    let (switched, status) = report(server, &["disable", &place]);
    assert_eq!((status, &switched["listeners"][0]["before"]), (0, &1024.into()));
    // Its cookies are good for the host, and the data that comes with one is ignored.
    assert_eq!(
        second_outcome(&lab, addresses[0], port, request),
        Outcome::Ignored
    );
    assert!(process.0.try_wait().unwrap().is_none(), "it runs as before");
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

fn redis(host: &Host, folder: &Path) -> (Command, &'static str) {
    let mut command = host.command("redis-server").unwrap();
    command.current_dir(folder).args([
        "--port",
        "6379",
        "--bind",
        "0.0.0.0",
        "::",
        "--protected-mode",
        "no",
        "--save",
        "",
    ]);
    (command, "redis-server")
}

fn nginx(host: &Host, folder: &Path) -> (Command, &'static str) {
    configured_nginx(
        host,
        folder,
        "daemon off; master_process off;",
        "listen 80; listen [::]:80;",
    )
}

fn configured_nginx(host: &Host, folder: &Path, main: &str, server: &str) -> (Command, &'static str) {
    let dir = folder.display();
    let config = format!(
        "user root; {main} pid {dir}/pid; error_log {dir}/error.log; events {{}} http {{ access_log off; \
         client_body_temp_path {dir}/1; proxy_temp_path {dir}/2; fastcgi_temp_path {dir}/3; uwsgi_temp_path {dir}/4; \
         scgi_temp_path {dir}/5; server {{ {server} return 200 hello; }} }}\n"
    );
    fs::write(folder.join("nginx.conf"), config).unwrap();
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
