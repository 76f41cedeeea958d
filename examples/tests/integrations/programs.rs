//! Programs of others, and the packages that have them.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use fastopen_examples::lab::{LONG, Site};
use fastopen_lab::Host;

/// The program in that host.
///
/// # Panics
/// When it is not installed, with the package that has it.
pub(crate) fn program(host: &Host, name: &str, package: &str) -> Command {
    let found = Command::new(name)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    match found {
        Ok(mut child) => {
            let _ = child.wait();
            host.command(name).unwrap()
        }
        Err(error) => panic!("{name}: {error}; to mend it: apt-get install {package}"),
    }
}

/// A program that runs as long as this lives, and what it printed so far.
pub(crate) struct Running {
    child: Child,
    printed: Arc<Mutex<String>>,
}

impl Running {
    pub(crate) fn new(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let printed = Arc::default();
        let (stdout, into) = (child.stdout.take().unwrap(), Arc::clone(&printed));
        thread::spawn(move || {
            let mut lines = BufReader::new(stdout);
            let mut line = Vec::new();
            while lines.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
                let into: &Mutex<String> = &into;
                into.lock().unwrap().push_str(&String::from_utf8_lossy(&line));
                line.clear();
            }
        });
        Self { child, printed }
    }

    /// Waits until it has printed that.
    pub(crate) fn wait_for(&self, text: &str) {
        let began = Instant::now();
        while !self.printed.lock().unwrap().contains(text) {
            assert!(
                began.elapsed() < LONG,
                "{:?} is missing in {}",
                text,
                self.printed.lock().unwrap()
            );
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until something listens there.
pub(crate) fn await_port(site: &Site, port: u16) {
    let server = site.lab.server().unwrap();
    let began = Instant::now();
    while server.run(|| TcpStream::connect(site.address(port))).is_err() {
        assert!(began.elapsed() < LONG, "nothing listens on port {port}");
        thread::sleep(Duration::from_millis(20));
    }
}
