//! The rules of the service: read, read again, refused.

use std::fs;
use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

use fastopen_lab::Host;
use fastopen_lab::testing::{LabTest, program, test};
use rustix::process::Signal;
use serde_json::Value;

use super::support::{TFO, lab, start, tfo};
use super::watch::{Service, python, queues};

pub(crate) fn tests() -> Vec<LabTest> {
    vec![
        test(
            "rules_are_read_again_and_a_broken_file_changes_nothing",
            rules_are_read_again_and_a_broken_file_changes_nothing,
        ),
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
        test("what_cannot_be_kept_is_refused", what_cannot_be_kept_is_refused),
    ]
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
