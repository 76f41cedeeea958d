//! Where the secret is kept: a store behind a command, a mounted Secret, files that are half written; and how it is replaced.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use fastopen::{Connector, Outcome, PathMemory, ReplaySafe, Rotation, Secret};
use fastopen_host::counters::{Counter, Counters};
use fastopen_lab::testing::{Running, program};
use fastopen_lab::{Farm, Host, HostSpec, Lab, Scenario};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Fleet, OTHER_KEY, SYSCTL, Service, TFO, eventually, keys, lab, name, text};

const WEEK: u64 = 604_800;
const NEW: [u8; 32] = *b"another secret, of 32 raw bytes!";

fn expected(secret: [u8; 32]) -> String {
    let rotation = Rotation::new(Secret::new(secret), Duration::from_secs(WEEK)).unwrap();
    rotation.keys(SystemTime::now()).to_string()
}

fn have(host: &Host, keys: &str) -> bool {
    host.sysctl(SYSCTL).unwrap() == keys
}

/// The whole life of a secret in a real etcd: put, read, the store gone, and back with another one.
pub(crate) fn a_secret_in_etcd() {
    let lab = lab();
    let server = lab.server().unwrap();
    let fleet = Fleet::new();
    let etcd = || {
        let mut command = program(server, "etcd");
        command
            .args(["--data-dir", &name(&fleet.file("etcd"))])
            .args(["--listen-client-urls", "http://127.0.0.1:2379"])
            .args(["--advertise-client-urls", "http://127.0.0.1:2379"])
            .args(["--listen-peer-urls", "http://127.0.0.1:2380"]);
        let mut running = Running::start(command);
        running.await_port(server, SocketAddr::from((Ipv4Addr::LOCALHOST, 2379)));
        running
    };
    let put = |secret: &Path| {
        let mut command = program(server, "etcdctl");
        command
            .args(["put", "/tfo/secret"])
            .stdin(fs::File::open(secret).unwrap());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    let store = etcd();
    // Its bytes are 0 to 31: a line end and a zero are among them.
    put(&fleet.secret());
    let service = Service::start(
        &mut server.command(TFO).unwrap(),
        &fleet,
        &[
            "--secret-command",
            "etcdctl get --print-value-only /tfo/secret",
            "--interval",
            "7d",
        ],
    );
    let old = expected(std::array::from_fn(|i| i as u8));
    eventually("the keys of the secret in the store", || have(server, &old));

    drop(store);
    service.signal(Signal::HUP);
    eventually("the store is gone", || {
        service.said().contains("the secret command failed: exit status")
    });
    assert!(
        service.said().contains("the keys stay as they are"),
        "{}",
        service.said()
    );
    assert!(have(server, &old));

    let _store = etcd();
    fs::write(fleet.file("new"), NEW).unwrap();
    put(&fleet.file("new"));
    // Nobody says so: it is tried again.
    eventually("the store is back", || have(server, &expected(NEW)));
}

/// While a command hangs the manager is told that the service lives, keys are kept, and it can be stopped.
pub(crate) fn a_command_that_hangs_holds_nothing_up() {
    let lab = lab();
    let server = lab.server().unwrap();
    let fleet = Fleet::new();
    let (gate, pid, socket) = (fleet.file("gate"), fleet.file("pid"), fleet.file("notify"));
    let manager = UnixDatagram::bind(&socket).unwrap();
    manager.set_nonblocking(true).unwrap();
    let mut command = server.command(TFO).unwrap();
    command
        .env("NOTIFY_SOCKET", &socket)
        .env("WATCHDOG_USEC", "2000000");
    let script = format!(
        "test -e {} || exec cat {}; sleep 1000 & echo $! > {}; wait",
        name(&gate),
        name(&fleet.secret()),
        name(&pid)
    );
    let mut service = Service::start(
        &mut command,
        &fleet,
        &["--secret-command", &script, "--interval", "7d"],
    );
    let keys = fleet.rotation(WEEK).keys(SystemTime::now()).to_string();
    eventually("the first keys", || have(server, &keys));

    fs::write(&gate, "").unwrap();
    service.signal(Signal::HUP);
    eventually("it hangs", || {
        fs::read_to_string(&pid).is_ok_and(|pid| pid.ends_with('\n'))
    });
    let began = Instant::now();
    let mut buffer = [0; 512];
    while manager.recv(&mut buffer).is_ok() {}
    server.set_sysctl(SYSCTL, OTHER_KEY).unwrap();
    eventually("keys are kept", || have(server, &keys));
    for _ in 0..2 {
        eventually("it lives", || {
            let mut text = [0; 512];
            manager
                .recv(&mut text)
                .is_ok_and(|length| text[..length].starts_with(b"WATCHDOG=1"))
        });
    }
    service.signal(Signal::TERM);
    assert_eq!(service.child.wait().unwrap().code(), Some(0));
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "the command was waited for"
    );
    is_ended(&pid);

    // Those that read the secret once end it too, and as the signal ends a program.
    fs::remove_file(&pid).unwrap();
    let mut derive = server.command("setsid").unwrap();
    derive.args([TFO, "keys", "derive", "--secret-command", &script]);
    let mut derive = derive.spawn().unwrap();
    eventually("it hangs", || {
        fs::read_to_string(&pid).is_ok_and(|pid| pid.ends_with('\n'))
    });
    kill_process(Pid::from_child(&derive), Signal::TERM).unwrap();
    let status = derive.wait().unwrap();
    assert_eq!(status.signal(), Some(Signal::TERM.as_raw()), "{status}");
    is_ended(&pid);
}

/// Waits until the process whose number is in the file has ended.
fn is_ended(pid: &Path) {
    let pid = fs::read_to_string(pid).unwrap();
    eventually("the command is ended", || {
        !Path::new("/proc").join(pid.trim()).join("exe").exists()
    });
}

/// As the kubelet mounts a Secret: a link in a folder that `..data` links to, which is swapped.
pub(crate) fn a_mounted_secret_that_is_swapped_is_noticed() {
    let lab = lab();
    let server = lab.server().unwrap();
    let fleet = Fleet::new();
    let volume = |secret: &[u8], folder: &str| {
        let folder = fleet.file(folder);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("secret"), secret).unwrap();
        fs::set_permissions(folder.join("secret"), fs::Permissions::from_mode(0o400)).unwrap();
    };
    let first: [u8; 32] = std::array::from_fn(|i| i as u8);
    volume(&first, "..2026_11_27");
    symlink("..2026_11_27", fleet.file("..data")).unwrap();
    symlink("..data/secret", fleet.file("mounted")).unwrap();
    let service = Service::start(
        &mut server.command(TFO).unwrap(),
        &fleet,
        &[
            "--secret",
            &name(&fleet.file("mounted")),
            "--interval",
            "7d",
            "--json",
        ],
    );
    eventually("the first keys", || have(server, &expected(first)));

    volume(&NEW, "..2026_11_28");
    symlink("..2026_11_28", fleet.file("..data_tmp")).unwrap();
    fs::rename(fleet.file("..data_tmp"), fleet.file("..data")).unwrap();
    eventually("the keys of the new secret", || have(server, &expected(NEW)));
    assert!(
        service.printed().contains("\"cause\":\"secret-changed\""),
        "{}",
        service.printed()
    );
}

/// Written in place, and slowly: the keys stay until it is whole.
pub(crate) fn a_secret_that_is_half_written_changes_nothing() {
    let lab = lab();
    let server = lab.server().unwrap();
    let fleet = Fleet::new();
    let service = Service::start(
        &mut server.command(TFO).unwrap(),
        &fleet,
        &["--secret", &name(&fleet.secret()), "--interval", "7d"],
    );
    let old = fleet.rotation(WEEK).keys(SystemTime::now()).to_string();
    eventually("the first keys", || have(server, &old));
    fs::write(fleet.secret(), &NEW[..20]).unwrap();
    eventually("it is told", || {
        service.said().contains("it has 20 bytes, and a secret has 32")
    });
    assert!(have(server, &old));
    fs::write(fleet.secret(), NEW).unwrap();
    eventually("it is whole", || have(server, &expected(NEW)));
    fs::remove_file(fleet.secret()).unwrap();
    eventually("its absence is told", || {
        service.said().contains("No such file or directory")
    });
    assert!(have(server, &expected(NEW)));
}

/// The commands of `tfo keys rotate --help`, as they stand there, on the two members of a farm that a client goes on using.
pub(crate) fn the_secret_is_replaced_without_losing_a_cookie() {
    let mut scenario = Scenario::new("farm")
        .with_rtt(Duration::from_millis(1))
        .with_host(HostSpec::new("client"));
    for member in ["one", "two"] {
        scenario = scenario.with_host(HostSpec::new(member).with_sysctl("net.ipv4.tcp_fastopen", "3"));
    }
    let lab = Lab::new(&scenario.with_farm(Farm::new("farm", ["one", "two"]))).unwrap();
    let members = ["one", "two"].map(|member| lab.host(member).unwrap());
    let fleet = Fleet::new();
    fs::rename(fleet.secret(), fleet.file("old")).unwrap();
    fleet.put(&NEW, 0o600);
    fs::rename(fleet.secret(), fleet.file("new")).unwrap();

    let help = text(&keys(members[0], &["rotate", "--help"]));
    let (_, steps) = help
        .split_once("Replacing the secret without losing a cookie")
        .unwrap();
    let (steps, _) = steps.split_once("Privileges:").unwrap();
    let script = steps.split_once("key() {").unwrap().1;
    let (function, script) = script.split_once('\n').unwrap();
    let function = format!("key() {{{function}");
    // A comment stands before each step, which may go on after a pipe.
    let steps: Vec<String> = script
        .split("  # ")
        .skip(1)
        .map(|step| step.split_once('\n').unwrap().1.to_owned())
        .collect();
    assert_eq!(steps.len(), 3, "{steps:?}");
    let run = |host: &Host, step: &str| {
        let step = format!("{function}\n{step}")
            .replace("sudo ", "")
            .replace("tfo.old", &name(&fleet.file("old")))
            .replace("tfo.new", &name(&fleet.file("new")))
            .replace("tfo keys", &format!("{TFO} keys"))
            // The service would stay.
            .replace(" --watch", "");
        text(&host.command("sh").unwrap().args(["-ec", &step]).output().unwrap());
    };
    for host in members {
        run(host, "tfo keys rotate --secret tfo.old");
        let listener = host.run(|| fastopen::listen(("::", 4433))).unwrap();
        let _ = host.spawn(move || while listener.accept().is_ok() {});
    }
    let addresses = lab.farm("farm").unwrap().addresses();
    let connect = |step: &str, is_first: bool| {
        for address in addresses {
            for attempt in 0..12 {
                let connector = Connector::new().with_path_memory(PathMemory::new(1));
                let connected = lab
                    .client()
                    .unwrap()
                    .run(|| connector.connect((address, 4433), ReplaySafe(b"hello")))
                    .unwrap();
                if !(is_first && attempt == 0) {
                    assert_eq!(connected.outcome, Outcome::Accepted, "{step}");
                }
            }
        }
    };
    connect("before", true);
    for step in steps {
        for host in members {
            run(host, &step);
            connect(&step, false);
        }
    }
    for host in members {
        let refused = host.run(|| Counters::read().unwrap().get(Counter::PassiveFail).unwrap_or(0));
        assert_eq!(refused, 0);
        let keys = Rotation::new(Secret::new(NEW), Rotation::DEFAULT_INTERVAL).unwrap();
        assert_eq!(
            host.sysctl(SYSCTL).unwrap(),
            keys.keys(SystemTime::now()).to_string()
        );
    }
}
