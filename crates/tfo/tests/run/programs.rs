//! Further programs as their users run them: clients, proxies towards their upstream, and servers with `--listen`.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use fastopen_lab::Host;
use fastopen_lab::testing::{LabTest, program, program_path, test};

use super::support::{TFO, answers, http, rounds_of, serve, wait_until, world, world_with_server_bits};

pub(crate) fn tests() -> Vec<LabTest> {
    vec![
        test("git_clones_over_http", git_clones_over_http),
        test("openssl_s_client", openssl_s_client),
        test("nginx_towards_its_upstream", || proxy("nginx", nginx)),
        test("haproxy_towards_its_upstream", || proxy("haproxy", haproxy)),
        test("python_listens", || {
            listens("python3", 8000, |_| {
                ["-m", "http.server", "8000", "--bind", "::"]
                    .map(str::to_owned)
                    .to_vec()
            });
        }),
        test("redis_listens", || {
            listens("redis-server", 6379, |_| {
                [
                    "--port",
                    "6379",
                    "--bind",
                    "0.0.0.0",
                    "::",
                    "--protected-mode",
                    "no",
                    "--save",
                    "",
                ]
                .map(str::to_owned)
                .to_vec()
            });
        }),
        test("nginx_listens", || {
            listens("nginx", 80, |folder| {
                nginx_with(folder, "listen 80; listen [::]:80; return 200 hello;")
            });
        }),
    ]
}

/// A process that ends with its test, and what it started.
pub(crate) struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}

pub(crate) fn start(command: &mut Command) -> Running {
    let quiet = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    Running(quiet.spawn().unwrap())
}

pub(crate) fn wait_for(host: &Host, port: u16) {
    let listens = || host.run(|| std::net::TcpStream::connect((host.ipv4(), port)).is_ok());
    wait_until("it listens", listens);
}

pub(crate) fn run_in(folder: &Path, program: &str, arguments: &[&str]) {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
}

/// The protocol without a server of its own: many requests on a few connections.
fn git_clones_over_http() {
    let world = world_with_server_bits("1027");
    let _needed = program_path("git");
    let folder = world.state.path();
    run_in(folder, "git", &["init", "-q", "source"]);
    fs::write(folder.join("source/file"), "hello\n").unwrap();
    let source = folder.join("source");
    run_in(&source, "git", &["add", "file"]);
    run_in(
        &source,
        "git",
        &[
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@example.com",
            "commit",
            "-qm",
            "one",
        ],
    );
    run_in(folder, "git", &["clone", "-q", "--bare", "source", "served.git"]);
    run_in(&folder.join("served.git"), "git", &["update-server-info"]);
    let mut server = program(world.server(), "python3");
    let _server = start(server.current_dir(folder).args(["-m", "http.server", "80"]));
    wait_for(world.server(), 80);
    let capture = world.lab.capture();
    for (name, outcome) in [
        ("bare", None),
        ("first", Some("no-cookie")),
        ("second", Some("accepted")),
    ] {
        let clone = ["git", "clone", "-q", "http://192.0.2.2/served.git", name];
        let output = match outcome {
            None => world.bare(&clone).output().unwrap(),
            Some(_) => {
                let ran = world.run(&[], &clone);
                let rows = ran.report["rows"].as_array().unwrap();
                let has = rows
                    .iter()
                    .any(|row| Some(row["outcome"].as_str().unwrap()) == outcome);
                assert!(has, "{:#}", ran.report);
                ran.output
            }
        };
        assert!(
            output.status.success() && output.stdout.is_empty() && output.stderr.is_empty(),
            "{output:?}"
        );
        assert_eq!(fs::read(folder.join(name).join("file")).unwrap(), b"hello\n");
        let rounds = rounds_of(&answers(&capture, 80));
        match name {
            "second" => assert!(rounds.contains(&1), "{rounds:?}"),
            "bare" => assert!(rounds.iter().all(|round| *round == 2), "{rounds:?}"),
            _ => {}
        }
    }
}

/// The TLS handshake of a client that is unchanged, in the SYN.
fn openssl_s_client() {
    let world = world_with_server_bits("1027");
    let folder = world.state.path();
    let _needed = program_path("openssl");
    let make = [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-subj",
        "/CN=lab",
        "-out",
        "cert.pem",
        "-keyout",
        "key.pem",
    ];
    run_in(folder, "openssl", &make);
    let mut server = program(world.server(), "openssl");
    server.current_dir(folder);
    let _server = start(server.args([
        "s_server", "-quiet", "-accept", "443", "-cert", "cert.pem", "-key", "key.pem",
    ]));
    wait_for(world.server(), 443);
    let capture = world.lab.capture();
    let client = ["openssl", "s_client", "-brief", "-connect", "192.0.2.2:443"];
    let bare = world.bare(&client).output().unwrap();
    assert_eq!(rounds_of(&answers(&capture, 443)), [2]);
    for (outcome, expected) in [("no-cookie", 2), ("accepted", 1)] {
        let ran = world.run(&[], &client);
        assert_eq!(ran.output.status, bare.status);
        assert_eq!(
            (ran.row(443).0, rounds_of(&answers(&capture, 443))),
            (outcome, vec![expected]),
            "{:#}",
            ran.report
        );
        assert!(ran.stderr().contains("Protocol version"), "{}", ran.stderr());
    }
}

/// A proxy on the client, its upstream on the server: what it asks of that goes into the SYN.
fn proxy(name: &'static str, arguments: fn(&Path) -> Vec<String>) {
    let world = world();
    serve(world.server(), 80, http);
    let program = program_path(name);
    let arguments = arguments(world.state.path());
    let mut under: Vec<&str> = vec![program.to_str().unwrap()];
    under.extend(arguments.iter().map(String::as_str));
    let log = world.state.path().join("log");
    let mut command = world.under(&["--verbose"], &under);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let _proxy = Running(command.stderr(fs::File::create(&log).unwrap()).spawn().unwrap());
    let client = world.lab.client().unwrap();
    wait_for(client, 8080);
    let capture = world.lab.capture();
    let mut rounds = Vec::new();
    for _ in 0..5 {
        let output = world
            .bare(&["curl", "-s", "http://127.0.0.1:8080/"])
            .output()
            .unwrap();
        assert_eq!(output.stdout, b"hello from the lab\n", "{output:?}");
        rounds.extend(rounds_of(&answers(&capture, 80)));
    }
    // A proxy that gets no processor for a round trip is released, and the supervisor says so: once may be this machine's load.
    let said = fs::read_to_string(log).unwrap();
    let late = said.matches("the program did not write at once").count();
    let slow = rounds[1..].iter().filter(|rounds| **rounds != 1).count();
    assert!(
        rounds.len() == 5 && rounds[0] == 2 && slow == late && late <= 1,
        "{rounds:?} {said}"
    );
}

fn nginx(folder: &Path) -> Vec<String> {
    nginx_config(folder);
    vec![
        "-p".into(),
        folder.display().to_string(),
        "-c".into(),
        "nginx.conf".into(),
    ]
}

/// As a proxy, in `nginx.conf`.
pub(crate) fn nginx_config(folder: &Path) {
    nginx_with(
        folder,
        "listen 127.0.0.1:8080; listen 192.0.2.1:8080; location / { proxy_pass http://192.0.2.2; }",
    );
}

fn nginx_with(folder: &Path, server: &str) -> Vec<String> {
    let dir = folder.display();
    let config = format!(
        "user root; daemon off; worker_processes 2; pid {dir}/pid; error_log {dir}/error.log; events {{}} http {{ access_log off; \
         client_body_temp_path {dir}/1; proxy_temp_path {dir}/2; fastcgi_temp_path {dir}/3; uwsgi_temp_path {dir}/4; \
         scgi_temp_path {dir}/5; server {{ {server} }} }}\n"
    );
    fs::write(folder.join("nginx.conf"), config).unwrap();
    vec!["-p".into(), dir.to_string(), "-c".into(), "nginx.conf".into()]
}

fn haproxy(folder: &Path) -> Vec<String> {
    haproxy_config(folder);
    let file = folder.join("haproxy.cfg");
    vec!["-db".into(), "-f".into(), file.display().to_string()]
}

/// As a proxy, in `haproxy.cfg`.
pub(crate) fn haproxy_config(folder: &Path) {
    let config = "defaults\n mode http\n timeout connect 9s\n timeout client 9s\n timeout server 9s\nlisten lab\n bind :8080\n \
                  http-reuse never\n server upstream 192.0.2.2:80\n";
    fs::write(folder.join("haproxy.cfg"), config).unwrap();
}

/// A server that has no setting for it, or none here, takes data in the SYN.
fn listens(name: &'static str, port: u16, arguments: fn(&Path) -> Vec<String>) {
    let world = world_with_server_bits("3");
    let server = world.server();
    let program = program_path(name);
    let mut command = server.command(TFO).unwrap();
    command
        .current_dir(world.state.path())
        .env("XDG_STATE_HOME", world.state.path());
    command
        .args(["run", "--listen", "--"])
        .arg(program)
        .args(arguments(world.state.path()));
    let _server = start(&mut command);
    wait_for(server, port);
    for address in server.addresses() {
        let place = std::net::SocketAddr::from((address, port)).to_string();
        let output = world.bare(&[TFO, "probe", "--json", &place]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}");
        assert!(said.contains("accepted"), "{said}");
    }
}
