//! The command line, as people type it.

use std::process::Output;

use fastopen_lab::testing::{LabTest, test};

use super::support::{TFO, World, world};

pub(crate) fn tests() -> Vec<LabTest> {
    vec![
        test(
            "the_programs_options_are_its_own",
            the_programs_options_are_its_own,
        ),
        test(
            "the_reports_file_has_an_equals_sign",
            the_reports_file_has_an_equals_sign,
        ),
        test("rules_that_are_none", rules_that_are_none),
    ]
}

fn tfo_run(world: &World, arguments: &[&str]) -> Output {
    let mut command = world.bare(&[&[TFO, "run"], arguments].concat());
    command.env("XDG_STATE_HOME", world.state.path());
    command.output().unwrap()
}

/// As below env, nice and sudo: the first word that is no option begins the program.
fn the_programs_options_are_its_own() {
    let world = world();
    for (arguments, expected) in [
        (&["echo", "-n", "--all", "--", "-x"][..], "--all -- -x"),
        (&["--", "echo", "-n", "--", "a"], "-- a"),
        (
            &["--all", "sh", "-c", "echo $0 $1", "--report", "--require"],
            "--report --require\n",
        ),
    ] {
        let ran = tfo_run(&world, arguments);
        assert_eq!(String::from_utf8_lossy(&ran.stdout), expected, "{ran:?}");
        assert!(ran.stderr.is_empty(), "{ran:?}");
    }
    // An option that there is not is no program.
    let ran = tfo_run(&world, &["--verbos", "echo", "a"]);
    assert!(ran.status.code() == Some(2) && ran.stdout.is_empty(), "{ran:?}");
}

fn the_reports_file_has_an_equals_sign() {
    let world = world();
    let ran = tfo_run(&world, &["--report", "echo", "hello"]);
    assert_eq!(ran.stdout, b"hello\n", "{ran:?}");
    assert!(ran.stderr.starts_with(b"tfo: no TCP connection"), "{ran:?}");
    // Standard output is the program's.
    let ran = tfo_run(&world, &["--report=-", "echo", "hello"]);
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(
        ran.status.code() == Some(2) && ran.stdout.is_empty() && said.contains("hint: --report alone"),
        "{said}"
    );
    assert!(!world.state.path().join("-").exists());
    let ran = tfo_run(&world, &["--report", "file.json", "echo"]);
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(
        ran.status.code() == Some(127) && said.contains("--report=FILE.json"),
        "{said}"
    );
}

fn rules_that_are_none() {
    let world = world();
    for (rule, expected) in [
        (
            "",
            "it is empty; a rule names hosts, ports or both, as in example.com",
        ),
        (",", "it is empty"),
        (":", "it is empty"),
        (
            "example.com:99999",
            "'99999' is no port; ports are numbers from 1 to 65535",
        ),
        ("a.example,b.example:80", "'a.example,b.example' is no host"),
        (
            "http://example.com/",
            "'http://example.com/' is no host; a rule names one, as in example.com:443",
        ),
        ("80", "'80' is no host; for ports: did you mean :80?"),
        ("192.0.2.0/40", "'192.0.2.0/40' is no network"),
    ] {
        for option in ["--only", "--except"] {
            let ran = tfo_run(&world, &[option, rule, "echo", "hello"]);
            let said = String::from_utf8_lossy(&ran.stderr);
            assert!(
                ran.status.code() == Some(2) && said.contains(expected),
                "{rule} {said}"
            );
        }
    }
    // As the help has it.
    let ran = tfo_run(&world, &["--only", "[2001:db8::]/32:443", "echo", "hello"]);
    assert_eq!(ran.stdout, b"hello\n", "{ran:?}");
}
