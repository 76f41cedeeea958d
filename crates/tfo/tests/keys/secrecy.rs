//! Nothing of keys and secrets gets out.

use std::fs;
use std::os::unix::fs::FileExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};
use std::time::SystemTime;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Fleet, SYSCTL, Service, TFO, eventually, lab, name};

/// Ended by a signal for which the system writes a core file, where it may.
fn aborted(command: &mut Command, fleet: &Fleet, when: impl Fn()) -> ExitStatus {
    let mut child = command.current_dir(fleet.folder()).spawn().unwrap();
    when();
    kill_process(Pid::from_child(&child), Signal::ABORT).unwrap();
    child.wait().unwrap()
}

pub(crate) fn no_core_file_is_written() {
    let lab = lab();
    let server = lab.server().unwrap();
    let fleet = Fleet::new();
    let shell = |script: &str| {
        let mut command = server.command("sh").unwrap();
        command.args(["-c", &format!("ulimit -c unlimited && exec {script}")]);
        command
    };
    let started = fleet.file("started");
    let control = aborted(&mut shell("sleep 60"), &fleet, || {
        std::thread::sleep(std::time::Duration::from_millis(500));
    });
    if !control.core_dumped() {
        println!("skipped: this system writes no core files");
        return;
    }
    let script = format!(
        "{TFO} keys rotate --watch --interval 7d --secret {} > {}",
        name(&fleet.secret()),
        name(&started)
    );
    let ended = aborted(&mut shell(&script), &fleet, || {
        eventually("it runs", || {
            fs::read_to_string(&started).is_ok_and(|text| text.contains("keys set"))
        });
    });
    assert_eq!(
        (ended.signal(), ended.core_dumped()),
        (Some(Signal::ABORT.as_raw()), false)
    );
}

pub(crate) fn nothing_is_printed_logged_or_in_the_arguments() {
    let lab = lab();
    let server = lab.server().unwrap();
    let fleet = Fleet::new();
    let metrics = fleet.file("keys.prom");
    let service = Service::start(
        &mut server.command(TFO).unwrap(),
        &fleet,
        &[
            "--secret",
            &name(&fleet.secret()),
            "--interval",
            "7d",
            "--textfile",
            &name(&metrics),
        ],
    );
    let keys = fleet.rotation(604_800).keys(SystemTime::now()).to_string();
    eventually("the keys", || server.sysctl(SYSCTL).unwrap() == keys);
    eventually("the metrics", || metrics.exists());
    service.signal(Signal::HUP);
    eventually("it reloads", || service.printed().contains("reload"));
    let arguments = fs::read_to_string(format!("/proc/{}/cmdline", service.child.id())).unwrap();
    let told = [
        service.printed(),
        service.said(),
        arguments,
        fs::read_to_string(metrics).unwrap(),
    ]
    .concat();
    // A group of a key's digits, and the secret's first bytes as digits.
    for hidden in keys.split([',', '-']).chain(["000102030405"]) {
        assert!(!told.contains(hidden), "{hidden}: {told}");
    }
}

/// Whether these bytes, or the first half of them, are anywhere in the process's memory that can be written to.
fn is_in_memory(pid: u32, bytes: &[u8]) -> bool {
    let memory = fs::File::open(format!("/proc/{pid}/mem")).unwrap();
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let mut looked = 0;
    let is_there = maps.lines().any(|line| {
        let mut words = line.split(' ');
        let (range, rights) = (words.next().unwrap(), words.next().unwrap());
        if !rights.starts_with("rw") {
            return false;
        }
        let (start, end) = range.split_once('-').unwrap();
        let [start, end] = [start, end].map(|address| u64::from_str_radix(address, 16).unwrap());
        let mut content = vec![0; usize::try_from(end - start).unwrap()];
        if memory.read_exact_at(&mut content, start).is_err() {
            return false;
        }
        looked += content.len();
        content
            .windows(16)
            .any(|window| window == &bytes[..16] || window == &bytes[16..32])
    });
    assert!(looked > 100_000, "{looked} bytes");
    is_there
}

pub(crate) fn the_secret_is_wiped_from_memory() {
    let lab = lab();
    let server = lab.server().unwrap();
    let fleet = Fleet::new();
    let secret = *b"\x9a\x03random, and not in the binar\xfe\x01";
    fleet.put(&secret, 0o600);
    let file = name(&fleet.secret());
    let digits: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    fs::write(fleet.file("digits"), digits).unwrap();
    let command = format!("cat {}", name(&fleet.file("digits")));
    for source in [["--secret", &file], ["--secret-command", &command]] {
        let arguments = [&source[..], &["--interval", "7d"]].concat();
        let service = Service::start(&mut server.command(TFO).unwrap(), &fleet, &arguments);
        eventually("the keys", || service.printed().contains("keys set"));
        service.signal(Signal::HUP);
        eventually("it is read again", || service.printed().contains("reload"));
        assert!(!is_in_memory(service.child.id(), &secret), "{source:?}");
    }
    // This process has it.
    assert!(is_in_memory(std::process::id(), &secret));
}
