//! `tfo cookies` as it is run, on hosts of a lab.

#![allow(
    clippy::unwrap_used,
    reason = "clippy knows tests by their attribute, and these have none"
)]

#[path = "common/piped.rs"]
mod piped;

use std::fs::Permissions;
use std::io::Write;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, ExitCode, Output};
use std::time::Duration;

use fastopen::ReplaySafe;
use fastopen_lab::testing::{self, test};
use fastopen_lab::{Host, HostSpec, Lab, OptionState, Rule, Scenario, SegmentKind};
use piped::spawn_piped;
use serde_json::Value;

const TFO: &str = env!("CARGO_BIN_EXE_tfo");
const KEY: &str = "a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4";
const OTHER_KEY: &str = "1-2-3-4";

fn main() -> ExitCode {
    testing::main([
        test(
            "the_cookie_that_a_client_got_is_the_one_that_its_servers_key_makes",
            the_cookie_that_a_client_got_is_the_one_that_its_servers_key_makes,
        ),
        test("cookies_are_shortened", cookies_are_shortened),
        test("lost_syns_are_told", lost_syns_are_told),
        test("nothing_is_told_of_nothing", nothing_is_told_of_nothing),
        test(
            "what_is_deleted_is_gone_or_refused_with_a_reason",
            what_is_deleted_is_gone_or_refused_with_a_reason,
        ),
        test(
            "a_user_namespace_is_told_why_it_may_not",
            a_user_namespace_is_told_why_it_may_not,
        ),
        test("keys_come_from_where_they_are", keys_come_from_where_they_are),
        test(
            "mistakes_are_told_without_the_key",
            mistakes_are_told_without_the_key,
        ),
        test(
            "a_key_that_others_may_read_is_warned_about",
            a_key_that_others_may_read_is_warned_about,
        ),
        test("a_key_needs_no_dashes", a_key_needs_no_dashes),
        test("no_key_file_is_read_without_end", no_key_file_is_read_without_end),
    ])
}

/// A client and a server that makes its cookies with [`KEY`].
fn lab() -> Lab {
    let server = HostSpec::new("server")
        .with_sysctl("net.ipv4.tcp_fastopen", "3")
        .with_sysctl("net.ipv4.tcp_fastopen_key", KEY);
    let scenario = Scenario::new("near")
        .with_rtt(Duration::from_millis(1))
        .with_host(server);
    Lab::new(&scenario).unwrap()
}

/// One connection from the client to each address of the server, which grants a cookie.
fn get_cookies(lab: &Lab) -> [IpAddr; 2] {
    let (client, server) = (lab.client().unwrap(), lab.server().unwrap());
    server.addresses().map(|address| {
        let listener = server.run(|| fastopen::listen((address, 0))).unwrap();
        let address = listener.local_addr().unwrap();
        let connected = client.run(|| fastopen::connect(address, ReplaySafe(b"hello")));
        drop((connected.unwrap(), listener.accept().unwrap()));
        address.ip()
    })
}

fn cookies(host: &Host, arguments: &[&str]) -> Output {
    let mut command = host.command(TFO).unwrap();
    command.arg("cookies").args(arguments).output().unwrap()
}

/// The report, which must fit the schema, and the exit status.
fn report(output: &Output) -> (Value, i32) {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(text.lines().count(), 1, "one object on one line: {output:?}");
    let report = serde_json::from_str(&text).unwrap();
    let schema = serde_json::from_str(include_str!("../schemas/cookies.json")).unwrap();
    jsonschema::validate(&schema, &report).unwrap();
    (report, output.status.code().unwrap())
}

fn text(output: Output) -> String {
    assert!(output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Runs it with the key on standard input.
fn with_key(keys: &str, arguments: &[&str]) -> Output {
    let mut child = spawn_piped(
        Command::new(TFO)
            .arg("cookies")
            .args(arguments)
            .args(["--key-file", "-"]),
    );
    // It does not read the key where the arguments are wrong already.
    let _ = writeln!(child.stdin.take().unwrap(), "{keys}");
    child.wait_with_output().unwrap()
}

fn the_cookie_that_a_client_got_is_the_one_that_its_servers_key_makes() {
    let lab = lab();
    let client = lab.client().unwrap();
    let servers = get_cookies(&lab);
    let (listed, status) = report(&cookies(client, &["--full", "--json"]));
    let entries = listed["entries"].as_array().unwrap();
    assert_eq!((status, entries.len()), (0, 2));
    for (entry, server) in entries.iter().zip(servers) {
        let (here, there) = (client.address_like(server).to_string(), server.to_string());
        assert_eq!(
            (&entry["destination"], &entry["source"]),
            (&there.clone().into(), &here.clone().into())
        );
        let cookie = entry["cookie"].as_str().unwrap();
        assert_eq!(
            text(with_key(KEY, &["mint", &here, &there])),
            format!("{cookie}\n")
        );

        let both = format!("{OTHER_KEY},{KEY}");
        for (keys, matches, status) in [(KEY, "primary", 0), (&both, "backup", 0), (OTHER_KEY, "none", 1)] {
            let checked = with_key(keys, &["check", &here, &there, cookie, "--json"]);
            let (checked, code) = report(&checked);
            assert_eq!(
                (checked["matches"].as_str(), code),
                (Some(matches), status),
                "{checked}"
            );
        }
    }
}

fn cookies_are_shortened() {
    let lab = lab();
    let client = lab.client().unwrap();
    get_cookies(&lab);
    let (whole, _) = report(&cookies(client, &["--full", "--json"]));
    let (short, _) = report(&cookies(client, &["--json"]));
    let listed = text(cookies(client, &[]));
    for (whole, short) in std::iter::zip(
        whole["entries"].as_array().unwrap(),
        short["entries"].as_array().unwrap(),
    ) {
        let (whole, short) = (
            whole["cookie"].as_str().unwrap(),
            short["cookie"].as_str().unwrap(),
        );
        assert!(whole.starts_with(short.trim_end_matches('…')) && short.len() < whole.len());
        assert!(listed.contains(short) && !listed.contains(whole), "{listed}");
        assert!(text(cookies(client, &["--full"])).contains(whole));
    }
}

fn lost_syns_are_told() {
    let lab = lab();
    get_cookies(&lab);
    let rule = Rule::drop()
        .from("client")
        .on(SegmentKind::Syn)
        .with_option(OptionState::Cookie);
    lab.set_rules([rule]).unwrap();
    let (client, server) = (lab.client().unwrap(), lab.server().unwrap());
    let listener = server.run(|| fastopen::listen((server.ipv4(), 0))).unwrap();
    // So long that the fast SYN is not raced by a plain one.
    let connector = fastopen::Connector::new().with_delay(Duration::from_secs(30));
    let connected = client.run(|| connector.connect(listener.local_addr().unwrap(), ReplaySafe(b"hello")));
    drop(connected.unwrap());
    let (listed, _) = report(&cookies(client, &["--json"]));
    let entry = &listed["entries"][0];
    assert_eq!(entry["syn_drops"], 1);
    assert!(entry["last_syn_drop_ms"].as_u64().unwrap() < 60_000, "{entry}");
    assert!(text(cookies(client, &[])).contains("1 in a row"));
}

fn nothing_is_told_of_nothing() {
    let lab = lab();
    let output = cookies(lab.client().unwrap(), &[]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(output).starts_with("There are no cookies"));
}

fn what_is_deleted_is_gone_or_refused_with_a_reason() {
    let lab = lab();
    let client = lab.client().unwrap();
    let [ipv4, ipv6] = get_cookies(&lab).map(|address| address.to_string());
    let entries = || {
        report(&cookies(client, &["--json"])).0["entries"]
            .as_array()
            .unwrap()
            .len()
    };
    if has_users_of_its_own() {
        for arguments in [&["delete", &ipv4][..], &["flush"]] {
            is_refused(&cookies(client, arguments));
        }
        assert_eq!(entries(), 2);
        return;
    }
    for (found, status) in [(true, 0), (false, 1)] {
        let (deleted, code) = report(&cookies(client, &["delete", &ipv4, "--json"]));
        assert_eq!((deleted["found"].as_bool(), code), (Some(found), status));
    }
    assert_eq!(entries(), 1);
    assert!(text(cookies(client, &[])).contains(&ipv6));
    assert_eq!(report(&cookies(client, &["flush", "--json"])).1, 0);
    assert_eq!(entries(), 0);
}

/// Whether the lab had to make a user namespace, as it does for whoever is not root.
fn has_users_of_its_own() -> bool {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap();
    map.split_ascii_whitespace().last() != Some("4294967295")
}

fn is_refused(output: &Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("is in a user namespace"), "{said}");
    assert!(
        said.contains("hint: run it outside") && said.contains("sudo nsenter"),
        "{said}"
    );
    if !output.stdout.is_empty() {
        let (failed, _) = report(output);
        assert_eq!(failed["report"], "failed");
        let error = failed["error"].as_str().unwrap();
        assert!(error.contains("is in a user namespace"), "{error}");
    }
}

fn a_user_namespace_is_told_why_it_may_not() {
    for arguments in [&["delete", "192.0.2.2"][..], &["flush"], &["flush", "--json"]] {
        let mut command = Command::new("unshare");
        command.args(["-Urn", TFO, "cookies"]).args(arguments);
        let output = command.output().unwrap();
        let as_json = arguments.contains(&"--json");
        assert_eq!(output.stdout.is_empty(), !as_json, "{output:?}");
        is_refused(&output);
    }
}

fn a_key_that_others_may_read_is_warned_about() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    std::fs::write(path, KEY).unwrap();
    for (mode, warned) in [(0o600, false), (0o640, false), (0o644, true), (0o604, true)] {
        std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        let mut mint = Command::new(TFO);
        let output = mint
            .args(["cookies", "mint", "--key-file", path, "192.0.2.1", "192.168.0.1"])
            .output()
            .unwrap();
        assert_eq!(output.stdout, b"3021b9d889017eeb\n");
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(
            said.contains(&format!("chmod o= {path}")),
            warned,
            "{mode:o}: {said}"
        );
        assert_eq!(said.is_empty(), !warned, "{said}");
    }
}

fn a_key_needs_no_dashes() {
    let keys = format!("{},{OTHER_KEY}", KEY.replace('-', ""));
    let minted = with_key(&keys, &["mint", "192.0.2.1", "192.168.0.1"]);
    assert_eq!(text(minted), "3021b9d889017eeb\n");
}

fn no_key_file_is_read_without_end() {
    for path in ["/dev/zero", "/dev/full"] {
        let mut mint = Command::new(TFO);
        let output = mint
            .args([
                "cookies",
                "mint",
                "--json",
                "--key-file",
                path,
                "192.0.2.1",
                "192.168.0.1",
            ])
            .output()
            .unwrap();
        let (failed, status) = report(&output);
        assert_eq!((&failed["report"], status), (&"failed".into(), 2));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("tfo keys generate"), "{said}");
    }
}

fn keys_come_from_where_they_are() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("{KEY}\n")).unwrap();
    let mint = |options: &[&str], variable: Option<&str>| {
        let mut command = Command::new(TFO);
        command
            .args(["cookies", "mint", "192.0.2.1", "192.168.0.1"])
            .args(options);
        command.envs(variable.map(|key| ("TFO_KEY", key)));
        text(command.output().unwrap())
    };
    let path = file.path().to_str().unwrap();
    for minted in [
        mint(&["--key", KEY], None),
        mint(&["--key-file", path], None),
        mint(&[], Some(KEY)),
        mint(&["--key", KEY], Some(OTHER_KEY)),
        text(with_key(KEY, &["mint", "192.0.2.1", "192.168.0.1"])),
    ] {
        assert_eq!(minted, "3021b9d889017eeb\n");
    }
}

fn mistakes_are_told_without_the_key() {
    for (keys, arguments, told) in [
        (
            KEY,
            &["mint", "192.0.2.1", "2001:db8::2"][..],
            "two IPv4 addresses or two IPv6 addresses",
        ),
        (
            "a1a1a1a1-b2b2",
            &["mint", "192.0.2.1", "192.0.2.2"],
            "standard input holds no key",
        ),
        (
            KEY,
            &["check", "192.0.2.1", "192.0.2.2", "3021b9"],
            "4 to 16 bytes",
        ),
        (
            KEY,
            &["--full", "mint", "192.0.2.1", "192.0.2.2"],
            "cannot be used with",
        ),
    ] {
        let output = with_key(keys, arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(told) && !said.contains("a1a1"), "{said}");
    }
    let mut without = Command::new(TFO);
    let output = without
        .args(["cookies", "mint", "192.0.2.1", "192.0.2.2"])
        .env_remove("TFO_KEY")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(said.contains("hint: give it with --key-file"), "{said}");
}
