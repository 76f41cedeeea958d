//! `tfo keys` on hosts of a lab.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use fastopen::{Rotation, Secret};
use fastopen_lab::{Host, HostSpec, Lab, Scenario, testing};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

pub(crate) const TFO: &str = env!("CARGO_BIN_EXE_tfo");
pub(crate) const KEY: &str = "a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4";
pub(crate) const OTHER_KEY: &str = "00000001-00000002-00000003-00000004";
pub(crate) const SYSCTL: &str = "net.ipv4.tcp_fastopen_key";

/// A client and a server.
pub(crate) fn lab() -> Lab {
    let server = HostSpec::new("server").with_sysctl("net.ipv4.tcp_fastopen", "3");
    let scenario = Scenario::new("near")
        .with_rtt(Duration::from_millis(1))
        .with_host(server);
    Lab::new(&scenario).unwrap()
}

/// A fleet's secret in a file of its own.
pub(crate) struct Fleet {
    folder: TempDir,
    bytes: [u8; 32],
}

impl Fleet {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let fleet = Self {
            folder,
            bytes: std::array::from_fn(|i| i as u8),
        };
        fleet.restore();
        fleet
    }

    pub(crate) fn secret(&self) -> PathBuf {
        self.folder.path().join("secret")
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes the secret as it was.
    pub(crate) fn restore(&self) {
        self.put(&self.bytes, 0o600);
    }

    pub(crate) fn put(&self, bytes: &[u8], mode: u32) {
        let new = self.file("new");
        fs::write(&new, bytes).unwrap();
        fs::set_permissions(&new, Permissions::from_mode(mode)).unwrap();
        fs::rename(new, self.secret()).unwrap();
    }

    pub(crate) fn rotation(&self, interval: u64) -> Rotation {
        Rotation::new(Secret::new(self.bytes), Duration::from_secs(interval)).unwrap()
    }
}

pub(crate) fn keys(host: &Host, arguments: &[&str]) -> Output {
    host.command(TFO)
        .unwrap()
        .arg("keys")
        .args(arguments)
        .output()
        .unwrap()
}

/// The report, which must fit the schema, and the exit status.
pub(crate) fn report(output: &Output) -> (Value, i32) {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(text.lines().count(), 1, "one object on one line: {output:?}");
    let report = serde_json::from_str(&text).unwrap();
    let schema = serde_json::from_str(include_str!("../../schemas/keys.json")).unwrap();
    if let Err(error) = jsonschema::validate(&schema, &report) {
        panic!("{error}: {report}");
    }
    (report, output.status.code().unwrap())
}

pub(crate) fn text(output: &Output) -> String {
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn said(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Waits until it is so.
pub(crate) fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(40), "{what}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// `tfo keys rotate --watch`, killed in the end.
pub(crate) struct Service {
    pub(crate) child: Child,
    printed: PathBuf,
    errors: PathBuf,
}

impl Service {
    pub(crate) fn start(command: &mut Command, fleet: &Fleet, arguments: &[&str]) -> Self {
        let number = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
        let (printed, errors) = (
            fleet.file(&format!("printed-{number}")),
            fleet.file(&format!("errors-{number}")),
        );
        let child = command
            .args(["keys", "rotate", "--watch"])
            .args(arguments)
            .stdout(fs::File::create(&printed).unwrap())
            .stderr(fs::File::create(&errors).unwrap())
            .spawn()
            .unwrap();
        Self {
            child,
            printed,
            errors,
        }
    }

    pub(crate) fn printed(&self) -> String {
        fs::read_to_string(&self.printed).unwrap()
    }

    pub(crate) fn said(&self) -> String {
        fs::read_to_string(&self.errors).unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Makes the program's clock differ from that of the machine by what the file says, such as `+3s`, whenever that changes. Clocks that
/// measure how long something takes stay as they are.
pub(crate) fn with_clock<'a>(command: &'a mut Command, file: &Path) -> &'a mut Command {
    // Here for its package alone: the program sets these variables, and then waits for the other one.
    let _ = testing::program_path("faketime");
    let library = fs::read_dir("/usr/lib")
        .unwrap()
        .flatten()
        .map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"))
        .find(|library| library.is_file());
    command
        .env("LD_PRELOAD", library.unwrap())
        .env("FAKETIME_TIMESTAMP_FILE", file)
        .env("FAKETIME_NO_CACHE", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
}

pub(crate) fn name(path: &Path) -> String {
    path.display().to_string()
}
