//! The service: listeners that come, rules that change, what it tells.

use std::fs;
use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
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
        test(
            "rules_are_read_again_and_a_broken_file_changes_nothing",
            rules_are_read_again_and_a_broken_file_changes_nothing,
        ),
        test("an_owner_that_comes_later", an_owner_that_comes_later),
        test("namespaces_that_come_later", namespaces_that_come_later),
        test(
            "rules_in_contrib_and_help_are_read",
            rules_in_contrib_and_help_are_read,
        ),
        test(
            "programs_by_path_and_keys_of_rules",
            programs_by_path_and_keys_of_rules,
        ),
        test(
            "rules_that_only_switch_off_warn_of_nothing",
            rules_that_only_switch_off_warn_of_nothing,
        ),
        test("no_storm_of_errors", no_storm_of_errors),
        test("what_cannot_be_kept_is_refused", what_cannot_be_kept_is_refused),
    ]
}

/// `tfo enable --watch`, killed in the end.
struct Service {
    child: Child,
    folder: TempDir,
}

impl Service {
    fn start(host: &Host, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::start_in(host, folder, arguments)
    }

    fn start_in(host: &Host, folder: TempDir, arguments: &[&str]) -> Self {
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

    fn of(&self, kind: &str) -> Vec<Value> {
        let events = self.events();
        events
            .into_iter()
            .filter(|event| event["event"] == kind)
            .collect()
    }

    fn warnings(&self) -> String {
        fs::read_to_string(self.folder.path().join("warnings")).unwrap()
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    fn eventually(&self, what: &str, is_so: impl Fn() -> bool) {
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

fn queues(host: &Host, port: u16) -> Vec<u32> {
    let listeners = host.run(fastopen_host::listeners::list).unwrap();
    let there = listeners
        .iter()
        .filter(|listener| listener.address.port() == port);
    there.map(|listener| listener.fast_open_queue.unwrap()).collect()
}

fn python(host: &Host, folder: &Path) -> Command {
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

fn rules_are_read_again_and_a_broken_file_changes_nothing() {
    let lab = lab("1");
    let server = lab.server().unwrap();
    let _listeners = [7, 8, 9].map(|port| server.run(|| TcpListener::bind(("::", port)).unwrap()));
    let folder = tempfile::tempdir().unwrap();
    let manager = UnixDatagram::bind(folder.path().join("notify")).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(40))).unwrap();
    // Reads on to the message that has this.
    let told = |text: &str| {
        let mut bytes = [0; 1024];
        loop {
            let length = manager
                .recv(&mut bytes)
                .unwrap_or_else(|error| panic!("{text}: {error}"));
            let message = String::from_utf8_lossy(&bytes[..length]).into_owned();
            if message.contains(text) {
                return message;
            }
        }
    };
    let rules = folder.path().join("enable.toml");
    fs::write(&rules, "[[rule]]\nport = 7\n[[rule]]\nport = '8-9'\nqueue = 0\n").unwrap();
    let service = Service::start_in(server, folder, &["--rules", "enable.toml"]);
    told("STATUS=Fast Open on 1 listener in 1 network namespace");
    told("READY=1");
    told("WATCHDOG=1");
    assert_eq!([7, 8, 9].map(|port| queues(server, port)), [[1024], [0], [0]]);
    let warnings = || {
        service
            .warnings()
            .matches("sysctl -w net.ipv4.tcp_fastopen=3")
            .count()
    };
    assert_eq!(warnings(), 1, "{}", service.warnings());

    for (text, error) in [
        (
            "[[rule]]\nport = 8\nqueu = 5\n",
            "enable.toml:3: rule 1 has no setting \"queu\"",
        ),
        ("", "there is no [[rule]]"),
    ] {
        fs::write(&rules, text).unwrap();
        service.signal(Signal::HUP);
        told("RELOADING=1\nMONOTONIC_USEC=");
        told("READY=1");
        assert!(told("STATUS=The rules from before stay").contains(error));
        assert!(service.warnings().contains(error), "{}", service.warnings());
    }
    assert_eq!([7, 8, 9].map(|port| queues(server, port)), [[1024], [0], [0]]);
    assert_eq!(service.of("rules-refused").len(), 2);

    fs::write(&rules, "[[rule]]\nport = 8\nqueue = 5\n").unwrap();
    service.signal(Signal::HUP);
    told("STATUS=Fast Open on 1 listener");
    assert_eq!(
        [7, 8, 9].map(|port| queues(server, port)),
        [[1024], [5], [0]],
        "what is on stays on"
    );
    assert_eq!(warnings(), 1, "it was told before: {}", service.warnings());
    server.set_sysctl("net.ipv4.tcp_fastopen", "3").unwrap();
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
    // Until the one that can't be switched is told, and a while longer.
    let storm = format!(
        "import socket,time\ndef till(end):\n  while not end(): socket.create_server(('0.0.0.0',8)).close()\n\
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

fn tfo_at_60_columns(host: &Host) -> String {
    let mut command = host.command(TFO).unwrap();
    command.args(["enable", "--help"]).env("COLUMNS", "60");
    String::from_utf8(command.output().unwrap().stdout).unwrap()
}

fn rules_in_contrib_and_help_are_read() {
    let lab = lab("3");
    let server = lab.server().unwrap();
    let contrib = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contrib");
    let read = |file: &str| fs::read_to_string(contrib.join(file)).unwrap();
    let manifest = read("kubernetes/enable/rules.yaml");
    let (_, block) = manifest.split_once("enable.toml: |\n").unwrap();
    // As it is copied from a narrow terminal.
    let help = tfo_at_60_columns(server);
    let (start, _) = help.split_once("\nQueue:").unwrap();
    let in_help = &start[start.find("  [[rule]]").unwrap()..];
    for (text, rules) in [
        (read("systemd/enable.toml"), 3),
        (block.to_owned(), 2),
        (in_help.to_owned(), 3),
    ] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("nginx.key"), "1-2-3-4\n").unwrap();
        fs::write(folder.path().join("rules"), &text).unwrap();
        let service = Service::start_in(server, folder, &["--rules", "rules"]);
        service.eventually("they are read", || !service.of("rules").is_empty());
        assert_eq!(service.of("rules")[0]["rules"], rules, "{text}");
    }
}

/// A link to the program, one that leads nowhere, and a listener whose key is replaced.
fn programs_by_path_and_keys_of_rules() {
    let lab = lab("3");
    let server = lab.server().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("python");
    // The python3 that is found may be a script that looks for another.
    let executable = program(server, "python3")
        .args(["-c", "import sys; print(sys.executable)"])
        .output()
        .unwrap();
    let executable = String::from_utf8(executable.stdout).unwrap();
    std::os::unix::fs::symlink(executable.trim(), &link).unwrap();
    let rules = |key: &str| {
        let path = folder.path();
        fs::write(path.join("a.key"), key).unwrap();
        let (link, none) = (link.display(), path.join("none"));
        format!(
            "[[rule]]\nprogram = '{link}'\nkey_file = 'a.key'\n[[rule]]\nprogram = '{}'\n",
            none.display()
        )
    };
    fs::write(folder.path().join("rules"), rules("1-2-3-4\n")).unwrap();
    let _process = start(server, python(server, folder.path()), "python3", &[8000]);
    let service = Service::start_in(server, folder, &["--rules", "rules"]);
    service.eventually("it is switched", || queues(server, 8000) == [1024]);
    service.eventually("it is told", || service.of("switched").len() == 1);
    let first = service.of("switched").pop().unwrap();
    assert_eq!(
        (&first["rule"], &first["keys_before"]),
        (&1.into(), &Value::Null),
        "{first:#}"
    );
    let none = || {
        service
            .warnings()
            .matches("rule 2: there is no program /")
            .count()
    };
    service.eventually("the program that is missing is told", || none() == 1);

    fs::write(service.folder.path().join("a.key"), "5-6-7-8\n").unwrap();
    service.signal(Signal::HUP);
    service.eventually("it is told", || service.of("switched").len() == 2);
    let second = service.of("switched").pop().unwrap();
    assert_eq!(second["keys_before"], first["keys_now"], "{second:#}");
    assert_ne!(second["keys_before"], second["keys_now"], "{second:#}");
    assert_eq!(none(), 1, "once: {}", service.warnings());
}

fn rules_that_only_switch_off_warn_of_nothing() {
    let lab = lab("3");
    let server = lab.server().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules");
    fs::write(&rules, "[[rule]]\nport = 7\nqueue = 0\n").unwrap();
    let listener = server.run(|| fastopen::listen("0.0.0.0:7")).unwrap();
    let service = Service::start_in(server, folder, &["--rules", "rules"]);
    service.eventually("it is switched off", || queues(server, 7) == [0]);
    assert_eq!(service.warnings(), "");
    fs::write(&rules, "[[rule]]\nport = 7\n").unwrap();
    service.signal(Signal::HUP);
    service.eventually("it is switched on", || queues(server, 7) == [1024]);
    assert!(
        service.warnings().contains("can be delivered twice"),
        "{}",
        service.warnings()
    );
    drop(listener);
}

fn what_cannot_be_kept_is_refused() {
    let lab = lab("3");
    let server = lab.server().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules");
    fs::write(&rules, "[[rule]]\nport = 7\nkey_file = 'none'\n").unwrap();
    let rules = rules.to_str().unwrap();
    for (arguments, told) in [
        (
            &["--watch", "--pid", "1"][..],
            "its number is another's after a restart",
        ),
        (&["--watch", "--netns", "1", "--all"], "only as long as it runs"),
        (&["--watch", "--netns", "blue"], "add --all"),
        (&["--watch", "--rules", rules, ":7"], "--rules stands alone"),
        (
            &["--watch", "--rules", rules, "--queue", "5"],
            "each rule has its own",
        ),
        (&["--watch", "--rules", rules], "reading the key from"),
        (
            &["--watch", "--rules", "/nowhere"],
            "can't read the rules from /nowhere",
        ),
        (&["--rules", rules, ":7"], "--watch"),
        (&["--textfile", "a.prom", ":7"], "--watch"),
        (
            &["--watch", "--textfile", "a.txt", ":7"],
            "only files whose names end in .prom",
        ),
    ] {
        let output = tfo(server, &[&["enable"], arguments].concat());
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(told), "{arguments:?}: {said}");
    }
    let output = tfo(server, &["enable", "--watch", "--json", "--rules", "/nowhere"]);
    let schema = serde_json::from_str(include_str!("../../schemas/enable-watch.json")).unwrap();
    let failed = serde_json::from_slice(&output.stdout).unwrap();
    jsonschema::validate(&schema, &failed).unwrap_or_else(|error| panic!("{error}: {failed}"));
}
