//! What stands in `contrib/` fits the command as it is.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser;
use tfo::cli::Cli;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The names of metrics in a text. Recorded ones, such as `job:fastopen_fast:rate5m`, are made in it and are no metrics of ours.
fn metrics(text: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    text.split(|c| !is_name(c))
        .filter(|word| word.starts_with("fastopen_") && !word.contains(':'))
        .map(str::to_owned)
        .collect()
}

#[test]
fn rules_and_dashboard_use_metrics_that_exist() {
    let exported: BTreeSet<String> = [
        "watch/prometheus/metrics.rs",
        "keys/rotate/metrics.rs",
        "keys/verify/mod.rs",
    ]
    .iter()
    .flat_map(|file| metrics(&read(&format!("crates/tfo/src/{file}"))))
    .collect();
    for file in ["rules.yml", "rules_test.yml", "dashboard.json"] {
        let used = metrics(&read(&format!("contrib/prometheus/{file}")));
        let unknown: Vec<_> = used.difference(&exported).collect();
        assert!(!used.is_empty() && unknown.is_empty(), "{file}: {unknown:?}");
    }
}

#[test]
fn recorded_names_are_recorded() {
    let rules = read("contrib/prometheus/rules.yml");
    let dashboard = read("contrib/prometheus/dashboard.json");
    let words = dashboard.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'));
    let recorded: Vec<_> = words.filter(|word| word.contains(":fastopen_")).collect();
    assert!(!recorded.is_empty());
    for name in recorded {
        assert!(rules.contains(&format!("- record: {name}\n")), "{name}");
    }
}

#[test]
fn units_and_manifests_run_a_command_that_exists() {
    let unit = "contrib/systemd/tfo-keys.service";
    let all = "contrib/systemd/tfo-keys.service.d/all-namespaces.conf";
    let mut commands = Vec::new();
    for file in [unit, all] {
        let text = read(file);
        let lines = text
            .lines()
            .filter_map(|line| line.strip_prefix("ExecStart=/usr/bin/"));
        commands.extend(lines.map(|line| line.split(' ').map(str::to_owned).collect::<Vec<_>>()));
    }
    let manifest = read("contrib/kubernetes/daemonset.yaml");
    let command = manifest
        .lines()
        .find_map(|line| line.trim().split_once("exec tfo ")?.1.strip_suffix("\"]"));
    let words = command.into_iter().flat_map(|command| command.split(' '));
    commands.push(["tfo"].into_iter().chain(words).map(str::to_owned).collect());
    assert_eq!(commands.len(), 3);
    for command in commands {
        assert!(command.len() > 3, "{command:?}");
        if let Err(error) = Cli::try_parse_from(&command) {
            panic!("{command:?}: {error}");
        }
    }
}
