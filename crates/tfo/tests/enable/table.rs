//! Servers in many languages, unchanged: switched on while they run, and started by `tfo run --listen`.
//!
//! CI has those that it installs. The whole table, with a word for each that is missing, is printed by
//! `TFO_SERVERS=all cargo test -p tfo --test enable -- table`; it takes golang-go, nodejs, default-jre-headless and openssh-server, too.

use std::env;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use fastopen::Outcome;
use fastopen_lab::testing::{LabTest, program_path, test};
use fastopen_lab::{Host, Lab};
use serde_json::Value;

use super::support::{Server, TFO, lab, report, second_outcome, start};

/// A server, and what it is asked.
struct Row {
    name: &'static str,
    /// The program, and the Debian package that has it.
    program: &'static str,
    package: &'static str,
    port: u16,
    request: &'static str,
    /// Its arguments, once its files are in the folder.
    arguments: fn(&Path) -> Vec<String>,
}

/// How a server came to Fast Open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Enable,
    RunListen,
}

const HTTP: &str = "GET / HTTP/1.0\r\n\r\n";

const IN_CI: &[Row] = &[
    Row {
        name: "python",
        program: "python3",
        package: "python3",
        port: 8000,
        request: HTTP,
        arguments: |_| words("-m http.server 8000 --bind ::"),
    },
    Row {
        name: "nginx",
        program: "nginx",
        package: "nginx-light",
        port: 80,
        request: HTTP,
        arguments: nginx,
    },
    Row {
        name: "redis",
        program: "redis-server",
        package: "redis-server",
        port: 6379,
        request: "PING\r\n",
        arguments: |_| {
            let mut arguments = words("--port 6379 --bind 0.0.0.0 :: --protected-mode no --save");
            arguments.push(String::new());
            arguments
        },
    },
];

const ON_DEMAND: &[Row] = &[
    Row {
        name: "go, static",
        program: "go",
        package: "golang-go",
        port: 8001,
        request: HTTP,
        arguments: go,
    },
    Row {
        name: "node",
        program: "node",
        package: "nodejs",
        port: 8002,
        request: HTTP,
        arguments: |_| {
            let script =
                "require('http').createServer((request, answer) => answer.end('hello')).listen(8002)";
            vec!["-e".to_owned(), script.to_owned()]
        },
    },
    Row {
        name: "java",
        program: "java",
        package: "default-jre-headless",
        port: 8003,
        request: HTTP,
        arguments: java,
    },
    Row {
        name: "sshd",
        program: "sshd",
        package: "openssh-server",
        port: 22,
        request: "SSH-2.0-test\r\n",
        arguments: sshd,
    },
];

pub(crate) fn tests() -> Vec<LabTest> {
    let mut tests = vec![
        test("python", || in_ci("python")),
        test("nginx", || in_ci("nginx")),
        test("redis", || in_ci("redis")),
    ];
    if env::var_os("TFO_SERVERS").is_some() {
        tests.push(test("table", table));
    }
    tests
}

fn in_ci(name: &str) {
    let row = IN_CI.iter().find(|row| row.name == name).unwrap();
    let program = program_path(row.program);
    for way in [Way::Enable, Way::RunListen] {
        check(row, &program, way);
    }
}

fn table() {
    println!(
        "{:<12} {:<13} {:<10} {:<22} {:<10} open before",
        "server", "way", "before", "then IPv4, IPv6", "probe"
    );
    for row in IN_CI.iter().chain(ON_DEMAND) {
        let found = env::split_paths(&env::var_os("PATH").unwrap())
            .chain(["/usr/sbin".into()])
            .map(|folder| folder.join(row.program))
            .find(|program| program.is_file());
        let Some(program) = found else {
            println!("{:<12} missing: apt-get install {}", row.name, row.package);
            continue;
        };
        for way in [Way::Enable, Way::RunListen] {
            let seen = check(row, &program, way);
            let way = match way {
                Way::Enable => "enable",
                Way::RunListen => "run --listen",
            };
            println!(
                "{:<12} {way:<13} {:<10} {:<22} {:<10} {}",
                row.name, seen.before, seen.after, seen.probe, seen.open_before
            );
        }
    }
}

/// What was seen of a server, in words.
#[derive(Default)]
struct Seen {
    before: String,
    after: String,
    probe: String,
    open_before: &'static str,
}

/// With Fast Open it takes a client's data from the SYN, by IPv4 and IPv6, and `tfo probe` agrees. Switched on while it runs it is the
/// same process, and a connection that was open before is still served; switched off it is what it was.
fn check(row: &Row, program: &Path, way: Way) -> Seen {
    let mut seen = Seen::default();
    let folder = tempfile::tempdir().unwrap();
    let lab = lab("3");
    let (client, server) = (lab.client().unwrap(), lab.server().unwrap());
    let mut process = serve(row, program, server, folder.path(), way);
    let outcomes = |lab: &Lab| {
        lab.server()
            .unwrap()
            .addresses()
            .map(|address| second_outcome(lab, address, row.port, row.request.as_bytes()))
    };
    let mut open_before = None;
    if way == Way::Enable {
        let before = outcomes(&lab);
        assert_eq!(before, [Outcome::NoCookie; 2], "{}", row.name);
        seen.before = before[0].to_string();
        open_before = Some(client.run(|| TcpStream::connect((server.ipv4(), row.port)).unwrap()));
        enable(row, server, process.0.id());
    }
    let after = outcomes(&lab);
    assert_eq!(after, [Outcome::Accepted; 2], "{} {way:?}", row.name);
    seen.after = after.map(|outcome| outcome.to_string()).join(", ");
    for address in server.addresses() {
        let target = std::net::SocketAddr::new(address, row.port).to_string();
        let mut probe = client.command(TFO).unwrap();
        let probed = probe
            .args(["probe", "--json", "--data", row.request, &target])
            .output()
            .unwrap();
        let report: Value = serde_json::from_slice(&probed.stdout).unwrap();
        assert_eq!(report["verdict"], "works", "{} {way:?}: {report:#}", row.name);
        seen.probe = report["verdict"].as_str().unwrap().to_owned();
    }
    assert!(
        process.0.try_wait().unwrap().is_none(),
        "{}: it runs as before",
        row.name
    );
    let Some(mut open_before) = open_before else {
        return seen;
    };
    open_before.write_all(row.request.as_bytes()).unwrap();
    assert!(
        open_before.read(&mut [0; 512]).unwrap() > 0,
        "{}: it is still served",
        row.name
    );
    seen.open_before = "served, same process";
    let (switched, status) = report(server, &["disable", &row.port.to_string()]);
    assert_eq!((status, &switched["listeners"][0]["before"]), (0, &1024.into()));
    // Its cookies are good for the host, and the data that comes with one is ignored.
    assert_eq!(outcomes(&lab), [Outcome::Ignored; 2]);
    seen
}

fn serve(row: &Row, program: &Path, host: &Host, folder: &Path, way: Way) -> Server {
    let arguments = (row.arguments)(folder);
    // What go builds is the server itself.
    let built = folder.join("server");
    let program = if built.exists() { built.as_path() } else { program };
    let mut command: Command = match way {
        Way::Enable => host.command(program).unwrap(),
        Way::RunListen => {
            let mut command = host.command(TFO).unwrap();
            command.args(["run", "--listen", "--"]).arg(program);
            command
        }
    };
    command
        .args(arguments)
        .current_dir(folder)
        .env("XDG_STATE_HOME", folder);
    start(host, command, row.package, &[row.port])
}

fn enable(row: &Row, host: &Host, pid: u32) {
    let (switched, status) = report(host, &["enable", &row.port.to_string()]);
    assert_eq!((status, &switched["works"]), (0, &true.into()), "{switched:#}");
    for listener in switched["listeners"].as_array().unwrap() {
        assert_eq!((&listener["before"], &listener["now"]), (&0.into(), &1024.into()));
        let owners = listener["processes"].as_array().unwrap();
        assert!(owners.iter().any(|owner| owner["pid"] == pid), "{switched:#}");
    }
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

fn nginx(folder: &Path) -> Vec<String> {
    super::servers::write_nginx_config(
        folder,
        "daemon off; master_process off;",
        "listen 80; listen [::]:80;",
    );
    vec![
        "-p".to_owned(),
        folder.display().to_string(),
        "-c".to_owned(),
        "nginx.conf".to_owned(),
    ]
}

fn go(folder: &Path) -> Vec<String> {
    let source = "package main\nimport (\"net/http\"; \"io\")\nfunc main() {\n\thttp.HandleFunc(\"/\", func(w http.ResponseWriter, r *http.Request) \
                  { io.WriteString(w, \"hello\") })\n\tpanic(http.ListenAndServe(\":8001\", nil))\n}\n";
    fs::write(folder.join("server.go"), source).unwrap();
    let mut build = Command::new("go");
    build
        .args(["build", "-o", "server", "server.go"])
        .current_dir(folder);
    // The cache lies on a disk that is there for the next run, too.
    let built = build
        .env("CGO_ENABLED", "0")
        .env("GO111MODULE", "off")
        .env("GOCACHE", env::temp_dir().join("tfo-go"))
        .output()
        .unwrap();
    assert!(built.status.success(), "{built:?}");
    Vec::new()
}

fn java(folder: &Path) -> Vec<String> {
    let source = "import java.net.*;\npublic class Hello {\n  public static void main(String[] arguments) throws Exception {\n    \
                  ServerSocket listener = new ServerSocket(8003);\n    while (true) {\n      Socket stream = listener.accept();\n      \
                  new Thread(() -> { try (stream) { if (stream.getInputStream().read() < 0) return; \
                  stream.getOutputStream().write(\"HTTP/1.0 200 OK\\r\\n\\r\\nhello\".getBytes()); } catch (Exception ended) {} }).start();\n    }\n  }\n}\n";
    fs::write(folder.join("Hello.java"), source).unwrap();
    words("-Xmx64m Hello.java")
}

fn sshd(folder: &Path) -> Vec<String> {
    let key = folder.join("key");
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(&key)
        .status()
        .unwrap();
    assert!(made.success());
    // Its privilege separation wants it.
    fs::create_dir_all("/run/sshd").unwrap();
    // Probes end without logging in, which it would come to penalize.
    let mut arguments = words("-D -e -f /dev/null -p 22 -o MaxStartups=1000 -h");
    arguments.push(key.display().to_string());
    arguments
}
