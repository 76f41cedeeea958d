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
        "enable/watch/metrics.rs",
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
    let mut commands = Vec::new();
    for file in files("contrib") {
        let text = read(&file);
        let found = text.lines().filter_map(|line| {
            let line = line.trim();
            if let Some((_, command)) = line.split_once("exec tfo ") {
                return Some((format!("tfo {}", command.trim_end_matches(['"', ']'])), " "));
            }
            let unit = line.strip_prefix("ExecStart=/usr/bin/");
            if let Some(command) = unit.filter(|command| command.starts_with("tfo ")) {
                return Some((command.to_owned(), " "));
            }
            let list = ["command: [", "ENTRYPOINT ["]
                .iter()
                .find_map(|start| line.strip_prefix(start)?.strip_suffix(']'))?;
            let is_ours = list.trim_start_matches('"').starts_with("tfo");
            is_ours.then(|| (list.to_owned(), ", "))
        });
        for (line, between) in found {
            let words = line.split(between).map(|word| word.trim_matches('"').to_owned());
            commands.push((file.clone(), words.collect::<Vec<_>>()));
        }
    }
    for named in ["systemd/", "kubernetes/", "docker/"] {
        assert!(
            commands.iter().any(|(file, _)| file.contains(named)),
            "{named}: {commands:?}"
        );
    }
    for (file, command) in commands {
        assert!(command.len() > 3, "{file}: {command:?}");
        if let Err(error) = Cli::try_parse_from(&command) {
            panic!("{file}: {command:?}: {error}");
        }
    }
}

/// systemd searches the encrypted stores only for LoadCredentialEncrypted=.
#[test]
fn credentials_lie_where_the_unit_looks_for_them() {
    let unit = read("contrib/systemd/tfo-keys.service");
    let (head, settings) = unit.split_once("[Unit]").expect("a unit");
    assert!(settings.contains("\nLoadCredential=tfo.secret\n"), "{settings}");
    let at = |text: &str| head.find(text).unwrap_or_else(|| panic!("{text}: {head}"));
    assert!(at("--secret /etc/credstore/tfo.secret") < at("/etc/credstore.encrypted/"));
    assert!(at("LoadCredential=\n#   LoadCredentialEncrypted=tfo.secret") < at("/etc/credstore.encrypted/"));
}

/// Every file below that folder.
fn files(folder: &str) -> Vec<String> {
    let mut files = Vec::new();
    for entry in fs::read_dir(root().join(folder))
        .expect("contrib is readable")
        .flatten()
    {
        let path = format!(
            "{folder}/{}",
            entry.file_name().into_string().expect("contrib is readable")
        );
        match entry.file_type().expect("contrib is readable").is_dir() {
            true => files.extend(self::files(&path)),
            false => files.push(path),
        }
    }
    files
}
