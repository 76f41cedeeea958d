//! The service: listeners that come, rules that change, what it tells.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use fastopen::Outcome;
use fastopen_lab::Host;
use fastopen_lab::testing::{LabTest, program, test};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use super::support::{TFO, lab, second_outcome, start, tfo};

pub(crate) fn tests() -> Vec<LabTest> {
    vec![
        test(
            "a_server_that_restarts_is_switched_again",
            a_server_that_restarts_is_switched_again,
        ),
        test("an_owner_that_comes_later", an_owner_that_comes_later),
        test("namespaces_that_come_later", namespaces_that_come_later),
        test("no_storm_of_errors", no_storm_of_errors),
    ]
}

/// `tfo enable --watch`, killed in the end.
pub(crate) struct Service {
    child: Child,
    pub(crate) folder: TempDir,
}

impl Service {
    pub(crate) fn start(host: &Host, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::start_in(host, folder, arguments)
    }

    pub(crate) fn start_in(host: &Host, folder: TempDir, arguments: &[&str]) -> Self {
        let file = |name: &str| fs::File::create(folder.path().join(name)).unwrap();
        let child = host
            .command(TFO)
            .unwrap()
            .args(["enable", "--watch", "--json"])
            .args(arguments)
            .current_dir(folder.path())
            .env("NOTIFY_SOCKET", folder.path().join("notify"))
            .stdin(Stdio::null())
            .stdout(file("events"))
            .stderr(file("warnings"))
            .spawn()
            .unwrap();
        Self { child, folder }
    }

    /// What happened so far; each line must fit the schema.
    fn events(&self) -> Vec<Value> {
        let schema = serde_json::from_str(include_str!("../../schemas/enable-watch.json")).unwrap();
        let text = fs::read_to_string(self.folder.path().join("events")).unwrap();
        let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        whole
            .map(|line| {
                let event = serde_json::from_str(line).unwrap();
                jsonschema::validate(&schema, &event).unwrap_or_else(|error| panic!("{error}: {event:#}"));
                event
            })
            .collect()
    }

    pub(crate) fn of(&self, kind: &str) -> Vec<Value> {
        let events = self.events();
        events
            .into_iter()
            .filter(|event| event["event"] == kind)
            .collect()
    }

    pub(crate) fn warnings(&self) -> String {
        fs::read_to_string(self.folder.path().join("warnings")).unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub(crate) fn eventually(&self, what: &str, is_so: impl Fn() -> bool) {
        let began = Instant::now();
        while !is_so() {
            assert!(
                began.elapsed() < Duration::from_secs(40),
                "{what}: {:#?} {}",
                self.events(),
                self.warnings()
            );
            sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn queues(host: &Host, port: u16) -> Vec<u32> {
    let listeners = host.run(fastopen_host::listeners::list).unwrap();
    let there = listeners
        .iter()
        .filter(|listener| listener.address.port() == port);
    there.map(|listener| listener.fast_open_queue.unwrap()).collect()
}

pub(crate) fn python(host: &Host, folder: &Path) -> Command {
    let mut command = program(host, "python3");
    command
        .current_dir(folder)
        .args(["-m", "http.server", "8000", "--bind", "::"]);
    command
}

fn a_server_that_restarts_is_switched_again() {
    let lab = lab("3");
    let server = lab.server().unwrap();
    let other = server.run(|| TcpListener::bind("0.0.0.0:22").unwrap());
    let mut service = Service::start(server, &[":8000", "--queue", "7", "--textfile", "tfo.prom"]);
    let metrics =
        |service: &Service| fs::read_to_string(service.folder.path().join("tfo.prom")).unwrap_or_default();
    for restarts in 1..=2 {
        let process = start(server, python(server, service.folder.path()), "python3", &[8000]);
        service.eventually("it is switched", || queues(server, 8000) == [7]);
        service.eventually("it is told", || service.of("switched").len() == restarts);
        let switched = service.of("switched").pop().unwrap();
        assert_eq!(
            (&switched["before"], &switched["now"], &switched["rule"]),
            (&0.into(), &7.into(), &1.into())
        );
        assert_eq!(switched["processes"][0]["pid"], process.0.id());
        for address in server.addresses() {
            assert_eq!(
                second_outcome(&lab, address, 8000, b"GET / HTTP/1.0\r\n\r\n"),
                Outcome::Accepted
            );
        }
        service.eventually("metrics", || {
            metrics(&service).contains("fastopen_enable_listeners 1\n")
                && metrics(&service).contains(&format!("fastopen_enable_switched_total {restarts}\n"))
        });
    }
    service.eventually("the last one is gone", || {
        metrics(&service).contains("fastopen_enable_listeners 0\n")
    });
    assert_eq!(queues(server, 22), [0], "it was not named");
    drop(other);

    // What somebody switches off stays off until the server opens it again, and what is on stays on when the service ends.
    let process = start(server, python(server, service.folder.path()), "python3", &[8000]);
    service.eventually("it is switched", || queues(server, 8000) == [7]);
    assert!(tfo(server, &["disable", ":8000"]).status.success());
    // Long enough for two looks.
    sleep(Duration::from_millis(2500));
    assert_eq!(queues(server, 8000), [0]);
    drop(process);
    let _process = start(server, python(server, service.folder.path()), "python3", &[8000]);
    service.eventually("it is switched", || queues(server, 8000) == [7]);
    service.signal(Signal::TERM);
    assert_eq!(service.child.wait().unwrap().code(), Some(0));
    assert_eq!(queues(server, 8000), [7]);
    assert_eq!(service.of("failed"), Vec::<Value>::new());
    assert!(service.warnings().contains("can be delivered twice"));
}

/// As with systemd's socket activation: the server gets its socket from another process, which keeps it.
fn an_owner_that_comes_later() {
    let lab = lab("3");
    let server = lab.server().unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("rules"), "[[rule]]\nprogram = 'sleep'\n").unwrap();
    let service = Service::start_in(server, folder, &["--rules", "rules"]);
    let script = "import socket,subprocess,sys\ns=socket.create_server(('0.0.0.0',7))\nsys.stdin.readline()\n\
                  subprocess.run(['sleep','60'],pass_fds=[s.fileno()])";
    let mut holder = program(server, "python3");
    holder.args(["-c", script]).stdin(Stdio::piped());
    let mut holder = Holder(holder.spawn().unwrap());
    service.eventually("it listens", || queues(server, 7) == [0]);
    // Long enough for a look that finds nothing.
    sleep(Duration::from_secs(2));
    assert_eq!(queues(server, 7), [0]);
    std::io::Write::write_all(holder.0.stdin.as_mut().unwrap(), b"\n").unwrap();
    service.eventually("it is switched", || queues(server, 7) == [1024]);
    service.eventually("it is told", || !service.of("switched").is_empty());
    let switched = service.of("switched").pop().unwrap();
    assert_eq!(switched["processes"].as_array().unwrap().len(), 2, "{switched:#}");
    assert_eq!(service.of("failed"), Vec::<Value>::new());
    holder.end();
}

/// A process whose children end with it.
struct Holder(Child);

impl Holder {
    fn end(&mut self) {
        let _ = Command::new("pkill")
            .args(["-P", &self.0.id().to_string()])
            .status();
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.end();
    }
}

/// In a process namespace of its own the service sees no other network namespaces than those of this test.
fn namespaces_that_come_later() {
    let lab = lab("3");
    let client = lab.client().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().display();
    fs::write(folder.path().join("rules"), "[[rule]]\nport = 7\nnetns = 'all'\n").unwrap();
    fs::write(
        folder.path().join("listen.py"),
        "import socket,time\ns=socket.create_server(('0.0.0.0',7))\n\
         for i in range(400):\n  time.sleep(.1)\n  q=s.getsockopt(6,23)\n  if q: break\nprint(q)\n",
    )
    .unwrap();
    let script = format!(
        "mount -t tmpfs none /run || exit; {TFO} enable --watch --json --rules {dir}/rules > {dir}/events & service=$!; sleep 2; \
         unshare --net python3 {dir}/listen.py > {dir}/queue; sleep 2; kill $service; wait"
    );
    let mut command = program(client, "unshare");
    command.args([
        "--pid",
        "--fork",
        "--mount-proc",
        "--kill-child",
        "--mount",
        "sh",
        "-c",
        &script,
    ]);
    let output = command.output().unwrap();
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    assert_eq!(read("queue").trim(), "1024", "{output:?} {}", read("events"));
    let events = read("events");
    let switched = events.lines().find(|line| line.contains("\"switched\"")).unwrap();
    assert!(
        switched.contains("\"netns\":\"network namespace of process "),
        "{switched}"
    );
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("nsenter --net -t ") && said.contains("sysctl -w net.ipv4.tcp_fastopen=3"),
        "{said}"
    );
}

/// Servers that come and go faster than they can be switched, and one that can't be: each is told at most once.
fn no_storm_of_errors() {
    let lab = lab("3");
    let server = lab.server().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().display();
    // Its owner is outside of the service's process namespace.
    let _unseen = server.run(|| TcpListener::bind("0.0.0.0:7").unwrap());
    // Until the one that can't be switched is told, and a while longer. The port is in use as long as the service has a duplicate.
    let storm = format!(
        "import socket,time\ndef till(end):\n  while not end():\n    try: socket.create_server(('0.0.0.0',8)).close()\n    except OSError: pass\n\
         late=time.time()+60\ntill(lambda: '\"failed\"' in open('{dir}/events').read() or time.time()>late)\n\
         more=time.time()+4\ntill(lambda: time.time()>more)\n"
    );
    fs::write(folder.path().join("storm.py"), storm).unwrap();
    let script = format!(
        "{TFO} enable --watch --json :7 :8 > {dir}/events & service=$!; python3 {dir}/storm.py; kill $service; wait"
    );
    let mut command = program(server, "unshare");
    command.args([
        "--pid",
        "--fork",
        "--mount-proc",
        "--kill-child",
        "sh",
        "-c",
        &script,
    ]);
    let output = command.output().unwrap();
    let events = fs::read_to_string(folder.path().join("events")).unwrap();
    let failed: Vec<_> = events
        .lines()
        .filter(|line| line.contains("\"failed\""))
        .collect();
    assert_eq!(failed.len(), 1, "{events} {output:?}");
    assert!(
        failed[0].contains("0.0.0.0:7") && failed[0].contains("another PID namespace"),
        "{events}"
    );
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said.lines().count(), 1, "the caveat alone: {said}");
}
