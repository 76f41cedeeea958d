//! The programs of the table, each with the server that it talks to.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use super::super::programs::{Running, haproxy_config, nginx_config, run_in, start, wait_for};
use super::super::support::{World, http, serve};

/// Who speaks first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum First {
    Client,
    Server,
}

/// A row of the table.
pub(super) struct Case {
    pub(super) name: &'static str,
    /// Whether every run of the tests makes it.
    pub(super) is_usual: bool,
    /// What must be installed.
    pub(super) programs: &'static [&'static str],
    pub(super) port: u16,
    pub(super) options: &'static [&'static str],
    pub(super) first: First,
    /// Whether its exit status is not 0, also without us.
    pub(super) fails: bool,
    pub(super) serve: fn(&World) -> Option<Running>,
    pub(super) client: fn(&World) -> Vec<String>,
}

const HTTP: Case = Case {
    name: "",
    is_usual: false,
    programs: &[],
    port: 80,
    options: &[],
    first: First::Client,
    fails: false,
    serve: |world| {
        serve(world.server(), 80, http);
        None
    },
    client: |_| Vec::new(),
};

pub(super) const CASES: &[Case] = &[
    Case {
        name: "curl",
        is_usual: true,
        programs: &["curl"],
        client: |_| words("curl -s http://192.0.2.2/"),
        ..HTTP
    },
    Case {
        name: "wget",
        is_usual: true,
        programs: &["wget"],
        client: |_| words("wget -q -O - http://192.0.2.2/"),
        ..HTTP
    },
    Case {
        name: "git clone, http",
        is_usual: true,
        programs: &["git", "python3"],
        serve: git_server,
        client: |_| {
            script(
                "d=$(mktemp -d) && git clone -q http://192.0.2.2/served.git $d/c && cat $d/c/file; rm -rf $d",
            )
        },
        ..HTTP
    },
    Case {
        name: "python urllib",
        is_usual: true,
        programs: &["python3"],
        client: |_| python("import urllib.request as r; print(r.urlopen('http://192.0.2.2/').read())"),
        ..HTTP
    },
    Case {
        name: "python requests",
        is_usual: true,
        programs: &["python3"],
        client: |_| python("import requests; print(requests.get('http://192.0.2.2/').text)"),
        ..HTTP
    },
    Case {
        name: "node http",
        programs: &["node"],
        client: |_| {
            let code = "require('http').get('http://192.0.2.2/', r => r.pipe(process.stdout))";
            ["node", "-e", code].map(str::to_owned).to_vec()
        },
        ..HTTP
    },
    Case {
        name: "node fetch",
        programs: &["node"],
        client: |_| {
            let code = "fetch('http://192.0.2.2/').then(r => r.text()).then(console.log)";
            ["node", "-e", code].map(str::to_owned).to_vec()
        },
        ..HTTP
    },
    Case {
        name: "go, static",
        programs: &["go"],
        client: |_| vec![go_client()],
        ..HTTP
    },
    Case {
        name: "java HttpClient",
        programs: &["java"],
        client: |world| {
            let code = "var client = java.net.http.HttpClient.newBuilder().version(java.net.http.HttpClient.Version.HTTP_1_1).build();
                var request = java.net.http.HttpRequest.newBuilder(java.net.URI.create(\"http://192.0.2.2/\")).build();
                System.out.print(client.send(request, java.net.http.HttpResponse.BodyHandlers.ofString()).body());";
            java(world, code)
        },
        ..HTTP
    },
    Case {
        name: "java URLConnection",
        programs: &["java"],
        client: |world| {
            let code = "new java.net.URL(\"http://192.0.2.2/\").openStream().transferTo(System.out); System.out.flush();";
            java(world, code)
        },
        ..HTTP
    },
    Case {
        name: "java Socket",
        programs: &["java"],
        client: |world| {
            let code = "var socket = new java.net.Socket(\"192.0.2.2\", 80);
                socket.getOutputStream().write(\"GET / HTTP/1.0\\r\\n\\r\\n\".getBytes());
                socket.getInputStream().transferTo(System.out); System.out.flush();";
            java(world, code)
        },
        ..HTTP
    },
    Case {
        name: "openssl s_client",
        is_usual: true,
        programs: &["openssl"],
        port: 443,
        serve: tls_server,
        client: |_| {
            script("echo hello | openssl s_client -quiet -no_ign_eof -connect 192.0.2.2:443 2>/dev/null")
        },
        ..HTTP
    },
    Case {
        name: "redis-cli",
        is_usual: true,
        programs: &["redis-cli", "redis-server"],
        port: 6379,
        options: &["--only", ":6379"],
        serve: |world| {
            let words = "--port 6379 --bind 0.0.0.0 --protected-mode no --save";
            let mut command = server(world, "redis-server");
            command.args(words.split(' ')).arg("");
            Some(started(world, command, 6379))
        },
        client: |_| words("redis-cli -h 192.0.2.2 ping"),
        ..HTTP
    },
    Case {
        name: "psql",
        programs: &["psql"],
        port: 5432,
        serve: postgres,
        client: |_| words("psql -X -h 192.0.2.2 -U postgres -d postgres -tAc values(42)"),
        ..HTTP
    },
    Case {
        name: "ssh, key exchange",
        programs: &["ssh", "sshd"],
        port: 22,
        options: &["--all"],
        // Both send their versions at once.
        fails: true,
        serve: sshd,
        client: |_| {
            words(
                "ssh -F none -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR \
                 -o PreferredAuthentications=none nobody@192.0.2.2",
            )
        },
        ..HTTP
    },
    Case {
        name: "python smtplib",
        is_usual: true,
        programs: &["python3"],
        port: 25,
        options: &["--all"],
        first: First::Server,
        serve: |world| {
            serve(world.server(), 25, smtp);
            None
        },
        client: |_| {
            python("import smtplib\nwith smtplib.SMTP('192.0.2.2') as s: print(s.ehlo('lab'), s.noop())")
        },
        ..HTTP
    },
    Case {
        name: "nginx, upstream",
        is_usual: true,
        programs: &["nginx", "curl"],
        client: |world| {
            nginx_config(world.state.path());
            proxied("nginx -p . -c nginx.conf 2>/dev/null")
        },
        ..HTTP
    },
    Case {
        name: "haproxy, upstream",
        is_usual: true,
        programs: &["haproxy", "curl"],
        client: |world| {
            haproxy_config(world.state.path());
            proxied("haproxy -db -f haproxy.cfg 2>/dev/null >&2")
        },
        ..HTTP
    },
];

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn script(text: &str) -> Vec<String> {
    ["sh", "-c", text].map(str::to_owned).to_vec()
}

fn python(text: &str) -> Vec<String> {
    // One that root has installed for himself is of no use to others.
    let of_all = "/usr/bin/python3";
    let python = if Path::new(of_all).is_file() {
        of_all
    } else {
        "python3"
    };
    [python, "-c", text].map(str::to_owned).to_vec()
}

/// A program without a C library, which is built once.
fn go_client() -> String {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("go-client");
    let program = folder.join("client");
    if !program.is_file() {
        fs::create_dir_all(&folder).unwrap();
        let text = "package main\nimport (\"io\"; \"net/http\"; \"os\")\nfunc main() {\n\
                    r, err := http.Get(\"http://192.0.2.2/\"); if err != nil { panic(err) }\nio.Copy(os.Stdout, r.Body)\n}\n";
        fs::write(folder.join("client.go"), text).unwrap();
        let built = Command::new("go")
            .args(["build", "-o", "client", "client.go"])
            .current_dir(&folder)
            .envs([("CGO_ENABLED", "0"), ("GOFLAGS", "-mod=mod")])
            .env("GOCACHE", folder.join("cache"))
            .status();
        assert!(built.unwrap().success());
    }
    program.display().to_string()
}

/// A program of one file, which java compiles as it starts.
fn java(world: &World, body: &str) -> Vec<String> {
    let file = world.state.path().join("Client.java");
    let text = format!(
        "public class Client {{ public static void main(String[] a) throws Exception {{ {body} }} }}\n"
    );
    fs::write(&file, text).unwrap();
    [
        "java",
        "-XX:TieredStopAtLevel=1",
        "-XX:-UsePerfData",
        &file.display().to_string(),
    ]
    .map(str::to_owned)
    .to_vec()
}

/// Starts a proxy, asks it once, and ends it.
fn proxied(proxy: &str) -> Vec<String> {
    script(&format!(
        "{proxy} & p=$!; until curl -s http://127.0.0.1:8080/; do sleep 0.1; done; kill $p; wait $p 2>/dev/null; true"
    ))
}

/// A program on the server, whose listeners take data in SYNs without asking.
fn server(world: &World, program: &str) -> Command {
    world
        .server()
        .set_sysctl("net.ipv4.tcp_fastopen", "1027")
        .unwrap();
    let mut command = world.server().command(super::find(program).unwrap()).unwrap();
    command.current_dir(world.state.path());
    command
}

fn started(world: &World, mut command: Command, port: u16) -> Running {
    let running = start(&mut command);
    wait_for(world.server(), port);
    running
}

fn git_server(world: &World) -> Option<Running> {
    let folder = world.state.path();
    run_in(folder, "git", &["init", "-q", "source"]);
    fs::write(folder.join("source/file"), "hello\n").unwrap();
    let source = folder.join("source");
    run_in(&source, "git", &["add", "file"]);
    let commit = [
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@example.com",
        "commit",
        "-qm",
        "one",
    ];
    run_in(&source, "git", &commit);
    run_in(folder, "git", &["clone", "-q", "--bare", "source", "served.git"]);
    run_in(&folder.join("served.git"), "git", &["update-server-info"]);
    let mut command = server(world, "python3");
    command.args(["-m", "http.server", "80"]);
    Some(started(world, command, 80))
}

fn tls_server(world: &World) -> Option<Running> {
    let make = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=lab -out cert.pem -keyout key.pem";
    run_in(
        world.state.path(),
        "openssl",
        &make.split(' ').collect::<Vec<_>>(),
    );
    let mut command = server(world, "openssl");
    command.args("s_server -rev -accept 443 -cert cert.pem -key key.pem".split(' '));
    Some(started(world, command, 443))
}

/// A real one, which does not run as root.
fn postgres(world: &World) -> Option<Running> {
    let newest = |name: &str| {
        let versions = fs::read_dir("/usr/lib/postgresql").unwrap().flatten();
        versions
            .map(|version| version.path().join("bin").join(name))
            .find(|file| file.is_file())
            .unwrap()
    };
    let data = world.state.path().join("data");
    let become_postgres = ["--reuid", "postgres", "--regid", "postgres", "--clear-groups"];
    let made = Command::new("setpriv")
        .args(become_postgres)
        .arg(newest("initdb"))
        .args(["--auth=trust", "--no-sync", "-U", "postgres", "-D"])
        .arg(&data)
        .stdout(Stdio::null())
        .status();
    assert!(made.unwrap().success());
    fs::write(data.join("pg_hba.conf"), "host all all all trust\n").unwrap();
    let mut command = server(world, "setpriv");
    command
        .args(become_postgres)
        .arg(newest("postgres"))
        .arg("-D")
        .arg(&data);
    command.args(["-c", "listen_addresses=*", "-c", "unix_socket_directories="]);
    Some(started(world, command, 5432))
}

fn sshd(world: &World) -> Option<Running> {
    let folder = world.state.path().join("sshd");
    fs::create_dir(&folder).unwrap();
    run_in(
        &folder,
        "ssh-keygen",
        &["-q", "-t", "ed25519", "-N", "", "-f", "key"],
    );
    fs::create_dir_all("/run/sshd").unwrap();
    let mut command = server(world, "sshd");
    command
        .args(["-D", "-f", "/dev/null", "-o", "PidFile=none", "-h"])
        .arg(folder.join("key"));
    Some(started(world, command, 22))
}

/// As much of a mail server as its clients' greetings take.
fn smtp(mut stream: TcpStream) -> std::io::Result<()> {
    stream.write_all(b"220 lab ready\r\n")?;
    let lines = BufReader::new(stream.try_clone()?).lines();
    for line in lines {
        match line?.as_str() {
            "quit" | "QUIT" => return stream.write_all(b"221 bye\r\n"),
            _ => stream.write_all(b"250 ok\r\n")?,
        }
    }
    Ok(())
}
