//! The files that are written: when, over which files, with which owner and mode.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use fastopen_lab::testing::{LabTest, test};
use fastopen_lab::{Lab, Scenario};
use rustix::process::{Pid, Signal, kill_process};

use crate::packets::{capture, syn};
use crate::support::tfo_trace;

pub(crate) fn tests() -> impl Iterator<Item = LabTest> {
    [
        test(
            "outputs::what_can_not_be_read_empties_nothing",
            what_can_not_be_read_empties_nothing,
        ),
        test(
            "outputs::other_verbs_empty_nothing_either",
            other_verbs_empty_nothing_either,
        ),
        test(
            "outputs::a_path_given_twice_is_refused",
            a_path_given_twice_is_refused,
        ),
        test(
            "outputs::a_full_disk_is_told_at_once",
            a_full_disk_is_told_at_once,
        ),
        test(
            "outputs::live_it_gives_up_its_privileges",
            live_it_gives_up_its_privileges,
        ),
        test(
            "outputs::hostile_names_are_not_obeyed",
            hostile_names_are_not_obeyed,
        ),
    ]
    .into_iter()
}

/// A folder with a capture, and two files that somebody still needs.
struct Folder(tempfile::TempDir);

const PRECIOUS: &str = "yesterday's";

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        fs::write(folder.path("a.pcap"), capture(101, &[syn()])).unwrap();
        for name in ["packets", "picture"] {
            fs::write(folder.path(name), PRECIOUS).unwrap();
        }
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn name(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn is_untouched(&self) -> bool {
        let same = |name| fs::read_to_string(self.path(name)).unwrap() == PRECIOUS;
        same("packets") && same("picture") && !self.path("new").exists()
    }
}

fn errors(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

fn what_can_not_be_read_empties_nothing() {
    let folder = Folder::new();
    fs::write(folder.path("garbage"), "GET / HTTP/1.1\r\n\r\n").unwrap();
    fs::write(folder.path("empty"), "").unwrap();
    let mut later = capture(101, &[syn()]);
    later[4] = 9;
    fs::write(folder.path("later"), later).unwrap();
    let [good, missing, garbage, empty, later] =
        ["a.pcap", "missing", "garbage", "empty", "later"].map(|name| folder.name(name));
    for source in [
        &["-r", &missing][..],
        &["-r", &good, &missing],
        &["-r", &garbage],
        &["-r", &empty],
        &["-r", &later],
        &["-r", "/"],
        &["-i", "no such interface"],
    ] {
        for packets in ["packets", "new"] {
            let (packets, picture) = (folder.name(packets), folder.name("picture"));
            let output = tfo_trace(&[source, &["-w", &packets, "--svg", &picture]].concat())
                .output()
                .unwrap();
            assert_eq!(output.status.code(), Some(2), "{source:?}: {}", errors(&output));
            assert!(folder.is_untouched(), "{source:?}");
        }
    }
    // What can be written in one place and not in the other is written in none.
    let output = tfo_trace(&["-r", &good, "-w", &folder.name("new"), "--svg", "/nowhere/a.svg"])
        .output()
        .unwrap();
    assert!(
        errors(&output).starts_with("error: can't write /nowhere/a.svg\n"),
        "{}",
        errors(&output)
    );
    assert!(folder.is_untouched());
    let output = tfo_trace(&[
        "-r",
        &good,
        "-w",
        &folder.name("packets"),
        "--svg",
        &folder.name("picture"),
    ])
    .output()
    .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
    let mode = |name| fs::metadata(folder.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("packets"), 0o600, "it has whole cookies");
    assert!(
        fs::read_to_string(folder.path("picture"))
            .unwrap()
            .starts_with("<svg ")
    );
}

fn other_verbs_empty_nothing_either() {
    let folder = Folder::new();
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();
    let picture = folder.name("picture");
    for arguments in [
        &["bench", "host.invalid", "--svg", &picture][..],
        &["bench", &closed, "-n", "1", "--svg", &picture],
        &["send", "-o", &picture, &closed, "hello"],
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_tfo"))
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert_ne!(
            output.status.code(),
            Some(0),
            "{arguments:?}: {}",
            errors(&output)
        );
        assert!(folder.is_untouched(), "{arguments:?}: {}", errors(&output));
    }
}

fn a_path_given_twice_is_refused() {
    let folder = Folder::new();
    symlink(folder.path("packets"), folder.path("link")).unwrap();
    fs::hard_link(folder.path("a.pcap"), folder.path("same.pcap")).unwrap();
    let [capture, same, packets, link, new] =
        ["a.pcap", "same.pcap", "packets", "link", "new"].map(|name| folder.name(name));
    let before = fs::read(&capture).unwrap();
    for (arguments, what) in [
        (&["-r", &capture, "-w", &same][..], "is both read and written"),
        (&["-r", &capture, "--svg", &same], "is both read and written"),
        (
            &["-r", &capture, "-w", &packets, "--svg", &link],
            "is written twice",
        ),
        (&["-r", &capture, "-w", &new, "--svg", &new], "is written twice"),
        (&["-r", "-", "-w", &capture], "is both read and written"),
    ] {
        let output = tfo_trace(arguments)
            .stdin(File::open(&capture).unwrap())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(
            errors(&output).contains(what),
            "{arguments:?}: {}",
            errors(&output)
        );
        assert!(
            folder.is_untouched() && fs::read(&capture).unwrap() == before,
            "{arguments:?}"
        );
    }
}

fn a_full_disk_is_told_at_once() {
    let folder = Folder::new();
    let output = tfo_trace(&["-r", &folder.name("a.pcap"), "-w", "/dev/full"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        errors(&output).contains("No space left on device"),
        "{}",
        errors(&output)
    );
    assert!(
        output.stdout.is_empty(),
        "of what it did not look at it says nothing"
    );
    // Live, it does not wait for packets to tell.
    let lab = Lab::new(&Scenario::new("near")).unwrap();
    let mut command = lab.client().unwrap().command(env!("CARGO_BIN_EXE_tfo")).unwrap();
    let output = command.args(["trace", "-w", "/dev/full"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        errors(&output).contains("can't write the packets\n  because No space left"),
        "{}",
        errors(&output)
    );
}

/// Whether this process is root of the machine, and not of a user namespace that has nobody else.
fn is_real_root() -> bool {
    rustix::process::geteuid().is_root()
        && fs::read_to_string("/proc/self/uid_map")
            .unwrap()
            .contains("4294967295")
}

fn live_it_gives_up_its_privileges() {
    let lab = Lab::new(&Scenario::new("near").with_rtt(Duration::from_millis(5))).unwrap();
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o777)).unwrap();
    for (name, sudo, uid) in [("by-sudo", Some("1234"), 1234), ("by-root", None, 65_534)] {
        let file = dir.path().join(name);
        let mut command = lab.client().unwrap().command(env!("CARGO_BIN_EXE_tfo")).unwrap();
        command
            .args(["trace", "-w"])
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        command.env_remove("SUDO_UID").env_remove("SUDO_GID");
        if let Some(user) = sudo {
            command.env("SUDO_UID", user).env("SUDO_GID", "1235");
        }
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stderr.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert!(line.starts_with("watching "), "{line}");
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            line[name.len()..]
                .split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        for set in ["CapInh:", "CapPrm:", "CapEff:"] {
            assert_eq!(field(set), ["0000000000000000"], "{set} {status}");
        }
        assert_eq!(field("NoNewPrivs:"), ["1"]);
        let metadata = fs::metadata(&file).unwrap();
        assert_eq!(metadata.mode() & 0o777, 0o600);
        if is_real_root() {
            assert_eq!(field("Uid:"), [(); 4].map(|()| uid.to_string()));
            assert_eq!(field("Groups:"), [(); 0].map(|()| String::new()));
            assert_eq!(metadata.uid(), if sudo.is_some() { uid } else { 0 });
        }
        kill_process(Pid::from_child(&child), Signal::INT).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
}

fn hostile_names_are_not_obeyed() {
    const HOSTILE: &[char] = &['\x1b', '\u{9b}', '\u{202e}', '\u{2067}'];
    let folder = Folder::new();
    let name = format!("{}.pcap", HOSTILE.iter().collect::<String>());
    let path = folder.path(&name);
    let is_harmless = |text: &str| !text.contains(HOSTILE);
    let run = |arguments: &[&str]| tfo_trace(arguments).output().unwrap();
    let there = path.to_str().unwrap();
    for arguments in [
        &["-r", there][..],
        &["-i", &name[..name.len() - 5]],
        &["--host", &name],
        &["-r", "/dev/null", "-w", &folder.name(&format!("none/{name}"))],
        &[there],
    ] {
        let output = run(arguments);
        assert_eq!(
            output.status.code(),
            Some(2),
            "{arguments:?}: {}",
            errors(&output)
        );
        assert!(
            is_harmless(errors(&output)),
            "{arguments:?}: {:?}",
            errors(&output)
        );
    }
    fs::write(Path::new(there), &capture(101, &[syn()])[..70]).unwrap();
    let output = run(&["-r", there, "--json"]);
    assert_eq!(output.status.code(), Some(3), "it is cut short");
    assert!(is_harmless(errors(&output)), "{:?}", errors(&output));
    fs::write(Path::new(there), capture(101, &[syn()])).unwrap();
    let output = run(&["-r", there, "--json"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(is_harmless(&text), "{text:?}");
    let report: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["file"], there, "it is the file's name all the same");
}
