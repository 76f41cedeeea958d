//! Real programs as a test's peers.

use std::env;
use std::ffi::OsStr;
use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::host::Host;

/// With this in the environment a missing program fails its tests; CI sets it.
pub(super) const REQUIRED: &str = "FASTOPEN_REQUIRE_PROGRAMS";

/// The programs, and the Debian packages that have them; `.ci/packages` installs these.
const PROGRAMS: &[(&str, &str)] = &[
    ("curl", "curl"),
    ("dnsmasq", "dnsmasq-base"),
    ("etcd", "etcd-server"),
    ("etcdctl", "etcd-client"),
    ("faketime", "faketime"),
    ("git", "git"),
    ("groff", "groff-base"),
    ("haproxy", "haproxy"),
    ("ip", "iproute2"),
    ("kill", "procps"),
    ("lexgrog", "man-db"),
    ("mandoc", "mandoc"),
    ("nft", "nftables"),
    ("nginx", "nginx-light"),
    ("openssl", "openssl"),
    ("pdns_recursor", "pdns-recursor"),
    ("promtool", "prometheus"),
    ("python3", "python3"),
    ("redis-cli", "redis-server"),
    ("redis-server", "redis-server"),
    ("setpriv", "util-linux"),
    ("strace", "strace"),
    ("sysctl", "procps"),
    ("systemd-analyze", "systemd"),
    ("tcpdump", "tcpdump"),
    ("tshark", "tshark"),
    ("unbound", "unbound"),
    ("unshare", "util-linux"),
    ("wget", "wget"),
];

/// Where servers are installed, whether or not this user's PATH says so.
const ALSO: &[&str] = &["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// How long a program may take to start.
const STARTING: Duration = Duration::from_secs(30);

/// Why a test was left out.
pub(super) struct Skipped(pub(super) String);

/// That program, to run in the host. Where it is not installed the test ends here, and counts as ignored.
///
/// # Panics
/// Where it is not installed and `FASTOPEN_REQUIRE_PROGRAMS` is set; and for a name that is not in the list above.
pub fn program(host: &Host, name: &str) -> Command {
    host.command(program_path(name))
        .unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Ends the test here, as [`program`] does, where it needs a program of the list that is not installed. Any other is the test's own affair.
///
/// # Panics
/// Where it is not installed and `FASTOPEN_REQUIRE_PROGRAMS` is set.
pub fn need(name: impl AsRef<OsStr>) {
    let known = PROGRAMS.iter().find(|(known, _)| *known == name.as_ref());
    if let Some((name, _)) = known {
        program_path(name);
    }
}

/// Where that program is, for tests that start it themselves; otherwise as [`program`].
///
/// # Panics
/// As [`program`].
pub fn program_path(name: &str) -> PathBuf {
    let (_, package) = PROGRAMS
        .iter()
        .find(|(program, _)| *program == name)
        .unwrap_or_else(|| panic!("{name} is not among the programs in {}", file!()));
    find(name, env::var_os("PATH").as_deref()).unwrap_or_else(|| {
        let missing =
            format!("{name} is not installed; this test runs after: sudo apt-get install {package}");
        if env::var_os(REQUIRED).is_some() {
            panic!("{missing} ({REQUIRED} is set)");
        }
        super::skip(missing)
    })
}

fn find(name: &str, path: Option<&OsStr>) -> Option<PathBuf> {
    let listed = path.map(|path| env::split_paths(path).collect::<Vec<_>>());
    let folders = listed.unwrap_or_default().into_iter();
    folders
        .chain(ALSO.iter().map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|file| Path::is_file(file))
}

/// A program that runs as long as this lives. What it prints is shown only if the test fails.
pub struct Running {
    name: String,
    child: Child,
    printed: Arc<Mutex<String>>,
}

impl Running {
    /// Starts it, with both its outputs kept.
    ///
    /// # Panics
    /// When it can't be started.
    pub fn start(mut command: Command) -> Self {
        let name = command.get_program().to_string_lossy().into_owned();
        command.stdin(Stdio::piped());
        let spawned = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = spawned.unwrap_or_else(|error| panic!("{name}: {error}"));
        let printed = Arc::default();
        keep(child.stdout.take(), &printed);
        keep(child.stderr.take(), &printed);
        Self { name, child, printed }
    }

    /// Waits until it accepts connections in the host.
    ///
    /// # Panics
    /// When it ends, or does not listen after half a minute.
    pub fn await_port(&mut self, host: &Host, address: SocketAddr) {
        self.wait(&format!("it listens on {address}"), |_| {
            host.run(|| TcpStream::connect(address)).is_ok()
        });
    }

    /// What it printed so far.
    pub fn printed(&self) -> String {
        lock(&self.printed).clone()
    }

    /// Waits until it has printed that.
    ///
    /// # Panics
    /// When it ends, or has not printed it after half a minute.
    pub fn wait_for(&mut self, text: &str) {
        self.wait(&format!("it prints {text:?}"), |printed| printed.contains(text));
    }

    fn wait(&mut self, what: &str, is_so: impl Fn(&str) -> bool) {
        let began = Instant::now();
        loop {
            let printed = lock(&self.printed).clone();
            if is_so(&printed) {
                return;
            }
            let ended = self.child.try_wait().ok().flatten();
            assert!(ended.is_none(), "{} ended before {what}: {ended:?}", self.name);
            assert!(began.elapsed() < STARTING, "{}: not so: {what}", self.name);
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("{} printed:\n{}", self.name, lock(&self.printed));
        }
    }
}

fn keep(output: Option<impl Read + Send + 'static>, printed: &Arc<Mutex<String>>) {
    let printed = Arc::clone(printed);
    let Some(mut output) = output else { return };
    thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(read @ 1..) = output.read(&mut bytes) {
            lock(&printed).push_str(&String::from_utf8_lossy(&bytes[..read]));
        }
    });
}

fn lock(text: &Mutex<String>) -> MutexGuard<'_, String> {
    text.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ci_installs_every_program() {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
        if manifest.join(".cargo_vcs_info.json").exists() {
            return; // a released package, which has no .ci beside it
        }
        let packages = std::fs::read_to_string(manifest.join("../../.ci/packages")).unwrap();
        let (_, list) = packages.split_once("packages=(").unwrap();
        let (list, _) = list.split_once(')').unwrap();
        for (program, package) in PROGRAMS {
            assert!(
                list.split_whitespace().any(|listed| listed == *package),
                "{program}: {package} is not in .ci/packages"
            );
        }
    }

    #[test]
    fn servers_are_found_without_root_s_path() {
        let folder = ALSO.iter().find_map(|folder| {
            let mut files = std::fs::read_dir(folder).ok()?.flatten();
            files.find(|file| file.path().is_file())
        });
        let file = folder.unwrap();
        let name = file.file_name().into_string().unwrap();
        assert!(find(&name, Some(OsStr::new("/nowhere"))).is_some(), "{name}");
        assert_eq!(find("no such program", Some(OsStr::new("/usr/bin"))), None);
    }
}
