//! Nothing of keys and secrets gets out.

use std::fs;
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
