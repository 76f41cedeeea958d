//! The command line as it is typed, and what comes of mistakes.

#![allow(
    clippy::unwrap_used,
    reason = "clippy knows tests by their attribute, and what they share has none"
)]

use std::fs;
use std::process::{Command, Output};

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use tfo::classic;
use tfo::cli::Cli;

#[test]
fn what_can_be_typed() {
    for line in [
        "tfo serve",
        "tfo serve 8080 --http --queue 0 --json",
        "tfo serve [::1]:80 --discard --idle-timeout 1m30s --handshake-timeout 7s --reuse-port",
        "tfo send host",
        "tfo send host:80 - --json --output answer",
        "tfo send host:80 -e -n3 -4 --policy off --timeout 250ms --delay 1s hello",
        "tfo trace --read a.pcap b.pcapng.gz - --json",
        "tfo trace -r a.pcap --host example.com --port 443",
        "tfo trace",
        "tfo trace -i eth0 --port 443",
        "tfo demo --svg a.svg",
        "tfo trace -r a --ladder --svg a.svg -w a.pcapng",
        "tfo send host:80 -n2 -- -hello",
        "tfo send [::1]:80 hello --source ::1 --interface lo --mark 7 --mptcp -6",
        "tfo probe host 192.0.2.2:53 [::1]:80 https://host/path - --parallel 64 -n5 --json --timeout 2s",
        "tfo probe host:25 --data hello",
        "tfo bench host -n 10 --seed 7 --svg plot.svg --pq",
        "tfo man",
        "tfo man dir",
        "tfo completions fish",
    ] {
        assert!(Cli::try_parse_from(line.split(' ')).is_ok(), "{line}");
    }
    for line in [
        "tcp-fast-open",
        "tcp-fast-open -l -p 80 -s ::1",
        "tcp-fast-open --listen --port 80 --server h",
        "tcp-fast-open -s -p 80",
        "tcp-fast-open --server= --port=80",
    ] {
        assert!(classic::Args::try_parse_from(line.split(' ')).is_ok(), "{line}");
    }
}

#[test]
fn what_cannot() {
    use ErrorKind::*;
    for (line, kind) in [
        ("tfo", DisplayHelpOnMissingArgumentOrSubcommand),
        ("tfo swim", InvalidSubcommand),
        ("tfo serve --http --discard", ArgumentConflict),
        ("tfo serve --key 1-2-3-4 --key-file f", ArgumentConflict),
        ("tfo serve http://host/", ValueValidation),
        ("tfo keys derive", MissingRequiredArgument),
        ("tfo keys derive --secret a --secret-command b", ArgumentConflict),
        (
            "tfo keys rotate --secret a --watch --textfile a.txt",
            ValueValidation,
        ),
        ("tfo keys verify --textfile a.txt 192.0.2.2:443", ValueValidation),
        ("tfo enable --pid 0", ValueValidation),
        ("tfo serve --queue -1", UnknownArgument),
        ("tfo serve --idle-timeout 5", ValueValidation),
        ("tfo serve --idle-timeout 0s", ValueValidation),
        ("tfo serve --handshake-timeout 0s", ValueValidation),
        ("tfo send host:0", ValueValidation),
        ("tfo send 0", ValueValidation),
        ("tfo send host --timeout 0s", ValueValidation),
        ("tfo send host --timeout 1000000years", ValueValidation),
        ("tfo send host --delay 5", ValueValidation),
        ("tfo send", MissingRequiredArgument),
        ("tfo send host:http", ValueValidation),
        ("tfo send host -4 -6", ArgumentConflict),
        ("tfo send host hello -n 0", ValueValidation),
        ("tfo send host hello --policy maybe", InvalidValue),
        ("tfo trace -i eth0 --read a.pcap", ArgumentConflict),
        ("tfo trace --read", InvalidValue),
        ("tfo trace -r a --ladder --json", ArgumentConflict),
        ("tfo trace a.pcap", UnknownArgument),
        ("tfo probe", MissingRequiredArgument),
        ("tfo probe host -n 0", ValueValidation),
        ("tfo probe host --pq --data x", ArgumentConflict),
        ("tfo bench ftp://host", ValueValidation),
        ("tfo completions cmd", InvalidValue),
    ] {
        let error = Cli::try_parse_from(line.split(' ')).unwrap_err();
        assert_eq!(error.kind(), kind, "{line}");
    }
}

fn tfo(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tfo"))
        .args(arguments)
        .output()
        .unwrap()
}

#[test]
fn mistakes_end_with_status_2_and_say_what_to_do() {
    for (arguments, said) in [
        (&["serve", "nobody.invalid:1"][..], "hint: "),
        (
            &["serve", "192.0.2.1:0"],
            "hint: choose an address that this machine has",
        ),
        (&["serve", "--key-file", "/no/such/file"], "/no/such/file"),
        (
            &["send", "127.0.0.1:9", "-n2", "-"],
            "standard input can be read only once",
        ),
        (&["send", "127.0.0.1:9", "-e", "\\q"], "hint: a backslash itself"),
        (&["send", "-6", "127.0.0.1:9"], "has no IPv6 address"),
        (
            &["send", "127.0.0.1:9", "--output", "/no/such/dir/file"],
            "/no/such/dir/file",
        ),
        (&["man", "/proc/no-such-folder"], "/proc/no-such-folder"),
        (&["man", "/nonexistent/a/b"], "mkdir -p"),
        (&["keys", "set", "1-2-3-4", "1-2-3-4"], "both keys are the same"),
        (&["keys", "set", "--key", "1-2-3-4,1-2-3-4"], "leave it out"),
        (
            &["serve", ":0", "--key", "1-2-3-4,1-2-3-4"],
            "both keys are the same",
        ),
    ] {
        let Output {
            status,
            stdout,
            stderr,
        } = tfo(arguments);
        let errors = String::from_utf8(stderr).unwrap();
        assert_eq!(
            (status.code(), stdout),
            (Some(2), Vec::new()),
            "{arguments:?}: {errors}"
        );
        assert!(errors.starts_with("error: "), "without colour: {errors:?}");
        assert!(errors.contains(said), "{arguments:?}: {errors}");
    }
}

#[test]
fn the_classic_program_points_to_its_options() {
    for (arguments, said) in [
        (&["-s", "127.0.0.1:80"][..], "-s 127.0.0.1 -p 80"),
        (&["-server=[::1]:80"], "-s ::1 -p 80"),
        (&["-p", "0"], "hint: give the server's port with -p"),
        (&["-s", "no..body", "-p", "9"], "no..body could not be resolved"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_tcp-fast-open"))
            .args(arguments)
            .output()
            .unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {errors}");
        assert!(errors.contains(said), "{arguments:?}: {errors}");
    }
}

#[test]
fn a_mistyped_key_is_not_shown() {
    let output = tfo(&["serve", "--key", "0badcafe-0badcafe-0badcafe"]);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(!errors.contains("0badcafe"), "{errors}");
}

#[test]
fn every_manual_page_is_written() {
    let dir = tempfile::tempdir().unwrap();
    assert!(tfo(&["man", dir.path().to_str().unwrap()]).status.success());
    let pages: Vec<_> = fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    for page in ["tfo.1", "tfo-serve.1", "tfo-send.1", "tcp-fast-open.1"] {
        assert!(
            pages.iter().any(|name| name == page),
            "{page} is not in {pages:?}"
        );
    }
    let page = String::from_utf8(tfo(&["man"]).stdout).unwrap();
    assert!(page.contains(".TH TFO 1"), "{page}");
}

#[test]
fn completions_are_printed() {
    for shell in ["bash", "zsh", "fish"] {
        let script = String::from_utf8(tfo(&["completions", shell]).stdout).unwrap();
        assert!(script.contains("serve") && script.contains("send"), "{shell}");
    }
}

/// Command lines that fail before there is anything to report, one at least for each verb that has `--json`, and their exit status.
const FAILING: &[(&str, i32)] = &[
    ("demo --svg /nonexistent/x", 2),
    ("serve --key-file /nonexistent :0", 2),
    ("send --output /nonexistent/x 127.0.0.1:1 hello", 2),
    ("send -6 127.0.0.1:1 hello", 2),
    ("probe --data-file /nonexistent 127.0.0.1:1", 2),
    ("bench --data-file /nonexistent 127.0.0.1:1", 2),
    ("bench --svg /nonexistent/x 127.0.0.1:1", 2),
    ("bench no-such-name.invalid", 2),
    ("trace --read /nonexistent", 2),
    ("trace --interface no-such-one", 2),
    ("trace --host no-such-name.invalid", 2),
    ("watch --netns /nonexistent", 2),
    ("cookies mint 192.0.2.1 192.0.2.2 --key-file /nonexistent", 2),
    (
        "cookies check 192.0.2.1 192.0.2.2 3021b9d889017eeb --key-file /nonexistent",
        2,
    ),
    ("enable --netns /nonexistent :1", 2),
    ("disable --netns /nonexistent :1", 2),
    ("keys generate --secret /nonexistent/x", 2),
    ("keys show --netns /nonexistent", 2),
    ("keys set --netns /nonexistent 1-2-3-4", 2),
    ("keys derive --secret /nonexistent", 2),
    ("keys fingerprint --netns /nonexistent", 2),
    ("keys rotate --secret /nonexistent", 2),
    ("keys verify --secret /nonexistent 127.0.0.1:1", 2),
];

/// These can't be made to fail without harm, or without a system that lacks something.
const CANNOT_FAIL: &[&str] = &["doctor", "cookies", "cookies delete", "cookies flush"];

#[test]
fn each_failure_is_an_object_where_json_was_asked_for() {
    for (line, status) in FAILING {
        let output = tfo(&[line.split(' ').collect(), vec!["--json"]].concat());
        let printed = String::from_utf8(output.stdout).unwrap();
        let objects: Vec<serde_json::Value> = printed
            .lines()
            .map(|object| serde_json::from_str(object).unwrap_or_else(|error| panic!("{line}: {error}")))
            .collect();
        let [object] = &objects[..] else {
            panic!("{line}: {printed}")
        };
        let verb = line.split(' ').next().unwrap().replace("disable", "enable");
        let schema = format!("{}/schemas/{verb}.json", env!("CARGO_MANIFEST_DIR"));
        let schema = serde_json::from_str(&fs::read_to_string(schema).unwrap()).unwrap();
        jsonschema::validate(&schema, object).unwrap_or_else(|error| panic!("{line}: {error}: {object}"));
        assert_eq!(output.status.code(), Some(*status), "{line}: {object}");
        assert!(object["error"].is_string(), "{line}: {object}");
    }
}

#[test]
fn each_verb_with_json_is_made_to_fail() {
    fn with_json(command: &clap::Command, name: &str, all: &mut Vec<String>) {
        for sub in command.get_subcommands() {
            let name = format!("{name} {}", sub.get_name()).trim().to_owned();
            if sub.get_arguments().any(|argument| argument.get_id() == "json") {
                all.push(name.clone());
            }
            with_json(sub, &name, all);
        }
    }
    let mut verbs = Vec::new();
    with_json(&Cli::command(), "", &mut verbs);
    assert!(verbs.len() > 12, "{verbs:?}");
    for verb in verbs {
        let fails = FAILING
            .iter()
            .any(|(line, _)| line.starts_with(&format!("{verb} ")));
        assert!(
            fails || CANNOT_FAIL.contains(&verb.as_str()),
            "{verb} is not among FAILING"
        );
    }
}

/// What has no end must not be read for ever, nor be kept.
#[test]
fn endless_input_ends_in_an_error() {
    for line in [
        "probe --data-file /dev/zero 127.0.0.1:1",
        "bench --data-file /dev/zero 127.0.0.1:1",
        "enable --watch --rules /dev/zero",
        "keys verify - < /dev/zero",
        "keys verify - < /dev/null",
        "probe - < /dev/null",
        "probe - --json < /dev/null",
    ] {
        // A tenth of what would be read in a second, and far more than the program needs.
        let command = format!("ulimit -v 2000000; exec timeout 20 \"$0\" {line}");
        let output = Command::new("sh")
            .args(["-c", &command, env!("CARGO_BIN_EXE_tfo")])
            .output()
            .unwrap();
        let said = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stderr),
            String::from_utf8_lossy(&output.stdout)
        );
        assert_eq!(output.status.code(), Some(2), "{line}: {said}");
        let reason = match line.contains("/dev/null") {
            true => "there is no target",
            false => "more than 64 KiB|longer than|not a regular file",
        };
        assert!(
            reason.split('|').any(|reason| said.contains(reason)),
            "{line}: {said}"
        );
    }
}

#[test]
fn a_target_without_a_port_is_told_what_is_missing() {
    for (target, missing) in [
        ("127.0.0.1", "has no port"),
        ("::1", "has no port"),
        (":443", "has no host"),
        ("[::1]:0", "no usable port"),
    ] {
        let output = tfo(&["keys", "verify", target]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{target}: {said}");
        assert!(
            said.contains(missing) && said.contains("192.0.2.2:443"),
            "{target}: {said}"
        );
    }
}

/// Nobody who types a command knows what a non-zero type is.
#[test]
fn values_are_refused_in_plain_words() {
    for (line, said) in [
        ("probe -n 0 host", "from 1 to 65535"),
        ("probe -n 99999999999999999999 host", "from 1 to 65535"),
        ("probe --parallel 0 host", "from 1 to 10000"),
        ("bench -n 0 host", "from 1 to 1000000"),
        ("bench --seed x host", "a number from 0"),
        ("send -n 0 host", "from 1 to 1000000"),
        ("send --mark 4294967296 host", "from 0 to 4294967295"),
        ("send --source x host", "192.0.2.2"),
        ("send --timeout x host", "250ms"),
        ("serve --queue x", "from 0 to"),
        ("enable --queue 99999999999999999999 :1", "from 1 to"),
        ("enable --pid 99999999999999999999", "from 1 to"),
        ("demo --rtt foo", "between 5ms and 500ms"),
        ("trace --port 65536", "from 1 to 65535"),
        ("keys verify -n 1001 host:1", "from 1 to 1000"),
        ("keys verify --translated x host:1", "192.0.2.2"),
        ("cookies mint x 192.0.2.2", "192.0.2.2"),
        ("cookies delete x", "192.0.2.2"),
    ] {
        let output = tfo(&line.split(' ').collect::<Vec<_>>());
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{line}: {error}");
        assert!(error.contains(said), "{line}: {error}");
        for programmers in [
            "non-zero",
            "target type",
            "expected number",
            "invalid digit",
            "syntax",
        ] {
            assert!(!error.contains(programmers), "{line}: {error}");
        }
    }
}

#[test]
fn help_can_be_asked_for_by_a_word() {
    for (words, option) in [
        (&["help"][..], &["--help"][..]),
        (&["help", "run"], &["run", "--help"]),
        (&["help", "keys", "set"], &["keys", "set", "--help"]),
        (&["keys", "help", "set"], &["keys", "set", "--help"]),
        (&["keys", "help"], &["keys", "--help"]),
    ] {
        let output = tfo(words);
        assert_eq!(output.status.code(), Some(0), "{words:?}");
        assert_eq!(output.stdout, tfo(option).stdout, "{words:?}");
    }
    let wrong = tfo(&["help", "swim"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("swim"));
    // A program's name is the user's.
    let program = tfo(&["run", "help"]);
    assert!(!String::from_utf8_lossy(&program.stdout).contains("Usage"));
}
