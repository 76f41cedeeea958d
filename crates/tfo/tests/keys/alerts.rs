//! The recording rules and alerts in `contrib/prometheus`, by promtool.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::CommandFactory;
use fastopen_lab::testing::program_path;
use tfo::cli::Cli;

pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contrib/prometheus")
}

pub(crate) fn rules_are_sound_and_pass_their_tests() {
    for (action, file) in [("check", "rules.yml"), ("test", "rules_test.yml")] {
        let output = Command::new(program_path("promtool"))
            .args([action, "rules", file])
            .current_dir(folder())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    }
}

/// What stands behind `key: ` in a file, in order.
fn values<'a>(text: &'a str, key: &'a str) -> impl Iterator<Item = &'a str> {
    text.lines().filter_map(move |line| {
        let line = line.trim().trim_start_matches("- ");
        line.strip_prefix(key)?.strip_prefix(": ")
    })
}

pub(crate) fn every_alert_is_tested_and_its_runbook_names_a_command() {
    let rules = fs::read_to_string(folder().join("rules.yml")).unwrap();
    let tests = fs::read_to_string(folder().join("rules_test.yml")).unwrap();
    let alerts: Vec<&str> = values(&rules, "alert").collect();
    // A case of several lines expects the alert to fire; one of a single line that it doesn't.
    let fires: BTreeSet<&str> = values(&tests, "alertname").collect();
    let quiet = |alert: &str| tests.contains(&format!("alertname: {alert}, exp_alerts: []"));
    for alert in &alerts {
        assert!(
            fires.contains(alert) && quiet(alert),
            "{alert} is not tested both ways"
        );
    }
    for record in values(&rules, "record") {
        assert!(tests.contains(record), "{record} is not tested");
    }
    let runbooks: Vec<&str> = values(&rules, "runbook").collect();
    assert_eq!((alerts.len(), runbooks.len()), (17, 17));
    for runbook in runbooks {
        let commands: Vec<&str> = runbook.split("tfo ").skip(1).collect();
        assert!(!commands.is_empty(), "{runbook}");
        for command in commands {
            let mut known = Cli::command();
            let words = command.split(|c: char| !c.is_ascii_lowercase());
            let verb = words.clone().next().unwrap();
            known = known
                .find_subcommand(verb)
                .unwrap_or_else(|| panic!("{runbook}: {verb}"))
                .clone();
            if known.has_subcommands() {
                let action = words.clone().nth(1).unwrap();
                assert!(known.find_subcommand(action).is_some(), "{runbook}: {action}");
            }
        }
    }
}
