//! Keys that follow the schedule.

use std::os::unix::net::UnixDatagram;
use std::time::{Duration, SystemTime};

use fastopen_lab::Host;
use rustix::process::Signal;

use crate::support::{Fleet, OTHER_KEY, SYSCTL, Service, TFO, eventually, keys, lab, name, report, said};

pub(crate) fn once_sets_the_keys_of_this_time() {
    let lab = lab();
    let server = lab.server().unwrap();
    let fleet = Fleet::new();
    let secret = name(&fleet.secret());
    let (rotated, status) = report(&keys(
        server,
        &["rotate", "--secret", &secret, "--interval", "7d", "--json"],
    ));
    assert_eq!(
        (status, &rotated["namespaces"], &rotated["cause"]),
        (0, &1.into(), &"once".into())
    );
    let expected = fleet.rotation(604_800).keys(SystemTime::now());
    assert_eq!(server.sysctl(SYSCTL).unwrap(), expected.to_string());

    let said = said(&keys(server, &["rotate", "--secret", "/nowhere"]));
    assert!(said.contains("can't read the secret from /nowhere"), "{said}");
    assert_eq!(server.sysctl(SYSCTL).unwrap(), expected.to_string());
}

/// The keys are those of the schedule, or were until two seconds ago.
pub(crate) fn are_of_the_schedule(host: &Host, fleet: &Fleet, interval: u64) -> bool {
    let found = host.sysctl(SYSCTL).unwrap();
    let rotation = fleet.rotation(interval);
    let now = SystemTime::now();
    [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(3)]
        .iter()
        .any(|ago| rotation.keys(now - *ago).to_string() == found)
}

pub(crate) fn keys_change_on_the_schedule_and_are_kept() {
    let lab = lab();
    let server = lab.server().unwrap();
    let fleet = Fleet::new();
    let (secret, metrics) = (name(&fleet.secret()), name(&fleet.file("keys.prom")));
    let arguments = ["--secret", &secret, "--interval", "10s", "--textfile", &metrics];
    let service = Service::start(&mut server.command(TFO).unwrap(), &fleet, &arguments);
    eventually("the first keys", || are_of_the_schedule(server, &fleet, 10));
    let first = server.sysctl(SYSCTL).unwrap();
    eventually("other keys", || server.sysctl(SYSCTL).unwrap() != first);
    assert!(are_of_the_schedule(server, &fleet, 10), "{}", service.said());

    server.set_sysctl(SYSCTL, OTHER_KEY).unwrap();
    eventually("the keys are back", || {
        server.sysctl(SYSCTL).unwrap() != OTHER_KEY
    });
    eventually("it is exported", || {
        std::fs::read_to_string(&metrics).is_ok_and(|page| {
            !page.contains("fastopen_rotation_changes_total 0\n")
                && page.contains("fastopen_rotation_namespaces 1\n")
        })
    });
    service.signal(Signal::TERM);
    let mut service = service;
    assert_eq!(service.child.wait().unwrap().code(), Some(0));
}

pub(crate) fn a_secret_that_is_gone_or_wrong_leaves_the_keys() {
    let lab = lab();
    let server = lab.server().unwrap();
    let fleet = Fleet::new();
    let secret = name(&fleet.secret());
    let service = Service::start(
        &mut server.command(TFO).unwrap(),
        &fleet,
        &["--secret", &secret, "--interval", "7d"],
    );
    let expected = fleet.rotation(604_800).keys(SystemTime::now()).to_string();
    eventually("the first keys", || server.sysctl(SYSCTL).unwrap() == expected);
    for (bytes, mode, told) in [
        (&[1, 2, 3][..], 0o600, "it has 3 bytes, and a secret has 32"),
        (&[0; 32], 0o600, "all its bytes are the same"),
        (&[5, 6].repeat(16), 0o644, "others may read it"),
    ] {
        fleet.put(bytes, mode);
        service.signal(Signal::HUP);
        eventually(told, || service.said().contains(told));
        assert_eq!(server.sysctl(SYSCTL).unwrap(), expected);
    }
    std::fs::remove_file(fleet.secret()).unwrap();
    service.signal(Signal::HUP);
    eventually("it is gone", || {
        service.said().contains("No such file or directory")
    });
    assert_eq!(server.sysctl(SYSCTL).unwrap(), expected);
    assert!(
        service.said().contains("the keys stay as they are"),
        "{}",
        service.said()
    );

    let other = std::array::from_fn::<u8, 32, _>(|i| 200 - i as u8);
    fleet.put(&other, 0o600);
    service.signal(Signal::HUP);
    eventually("the new secret's keys", || {
        server.sysctl(SYSCTL).unwrap() != expected
    });
    assert!(!service.said().contains(&expected[..8]));
}

pub(crate) fn namespaces_that_come_get_the_keys() {
    let lab = lab();
    let (client, server) = (lab.client().unwrap(), lab.server().unwrap());
    let fleet = Fleet::new();
    let secret = name(&fleet.secret());
    let mut inhabitant = server.command("sleep").unwrap().arg("60").spawn().unwrap();
    // In a process namespace of its own it sees no other namespaces than those of this test.
    let mut command = client.command("unshare").unwrap();
    command.args([
        "--pid",
        "--fork",
        "--mount-proc",
        "--kill-child",
        "--mount",
        "sh",
        "-c",
    ]);
    let script = format!(
        "mount -t tmpfs none /run || exit; {TFO} keys rotate --watch --secret {secret} --interval 7d --all-namespaces & service=$!; \
         sleep 2; unshare --net sh -c 'for i in $(seq 200); do k=$(cat /proc/sys/net/ipv4/tcp_fastopen_key); \
         case $k in 00000000*) sleep 0.1;; *) echo $k > {}; break;; esac; done'; kill $service; wait",
        name(&fleet.file("seen"))
    );
    command.arg(&script);
    let output = command.output().unwrap();
    inhabitant.kill().unwrap();
    inhabitant.wait().unwrap();
    let expected = fleet.rotation(604_800).keys(SystemTime::now()).to_string();
    let seen = std::fs::read_to_string(fleet.file("seen"));
    assert_eq!(
        seen.ok().as_deref().map(str::trim),
        Some(expected.as_str()),
        "{output:?}"
    );
    assert_eq!(client.sysctl(SYSCTL).unwrap(), expected, "its own");
    assert_ne!(server.sysctl(SYSCTL).unwrap(), expected, "one that it can't see");
}

pub(crate) fn the_service_manager_is_told() {
    let lab = lab();
    let server = lab.server().unwrap();
    let fleet = Fleet::new();
    let secret = name(&fleet.secret());
    let path = fleet.file("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut command = server.command(TFO).unwrap();
    command
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "2000000");
    let service = Service::start(&mut command, &fleet, &["--secret", &secret, "--interval", "7d"]);
    let mut told = Vec::new();
    let mut receive_until = |wanted: &str| {
        loop {
            let mut text = [0; 512];
            let length = manager
                .recv(&mut text)
                .unwrap_or_else(|error| panic!("{wanted}: {error}: {told:?}"));
            told.push(String::from_utf8(text[..length].to_vec()).unwrap());
            if told.last().is_some_and(|text| text.starts_with(wanted)) {
                return;
            }
        }
    };
    receive_until("STATUS=Keys in 1 network namespaces; next change");
    receive_until("READY=1");
    // Signs of life in a time in which no key changes.
    receive_until("WATCHDOG=1");
    receive_until("WATCHDOG=1");
    service.signal(Signal::TERM);
    receive_until("STOPPING=1");
}
