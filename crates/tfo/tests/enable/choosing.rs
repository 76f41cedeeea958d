//! Which listeners are meant, what is missing, and what is refused.

use std::net::TcpListener;
use std::process::Command;

use fastopen::Outcome;
use fastopen_lab::testing::{LabTest, program, program_path, test};
use fastopen_lab::{Host, Lab};

use super::support::{TFO, lab, report, second_outcome, start, tfo};

pub(crate) fn tests() -> Vec<LabTest> {
    vec![
        test("the_missing_server_bit_is_told", the_missing_server_bit_is_told),
        test("a_process_in_another_namespace", a_process_in_another_namespace),
        test("all_are_all", all_are_all),
        test("addresses_of_every_kind", addresses_of_every_kind),
        test(
            "a_part_that_is_not_there_is_told",
            a_part_that_is_not_there_is_told,
        ),
        test("processes_of_one_namespace", processes_of_one_namespace),
        test("undoing_one_of_a_group", undoing_one_of_a_group),
        test("a_users_own_server", a_users_own_server),
        test(
            "processes_that_cannot_be_are_told_why",
            processes_that_cannot_be_are_told_why,
        ),
        test("a_queue_is_capped_by_somaxconn", a_queue_is_capped_by_somaxconn),
        test("multipath_listeners", multipath_listeners),
        test(
            "what_is_not_there_is_told_with_what_is",
            what_is_not_there_is_told_with_what_is,
        ),
        test(
            "another_users_server_is_refused_with_a_reason",
            another_users_server_is_refused_with_a_reason,
        ),
    ]
}

pub(crate) fn listen(host: &Host, port: u16) -> TcpListener {
    host.run(|| TcpListener::bind(("::", port)).unwrap())
}

pub(crate) fn accept_all(host: &Host, listener: TcpListener) {
    host.spawn(move || for _stream in listener.incoming().flatten() {});
}

fn queue(host: &Host, port: u16) -> u32 {
    let listeners = host.run(fastopen_host::listeners::list).unwrap();
    let at = |listener: &fastopen_host::listeners::Listener| listener.address.port() == port;
    listeners.into_iter().find(at).unwrap().fast_open_queue.unwrap()
}

fn the_missing_server_bit_is_told() {
    let lab = lab("1");
    let server = lab.server().unwrap();
    let _listener = listen(server, 7);
    let (switched, status) = report(server, &["enable", ":7"]);
    assert_eq!((status, &switched["works"]), (1, &false.into()));
    assert_eq!(
        switched["missing"][0]["command"],
        "sudo sysctl -w net.ipv4.tcp_fastopen=3"
    );
    assert_eq!(queue(server, 7), 1024, "the socket is switched all the same");
    server.set_sysctl("net.ipv4.tcp_fastopen", "3").unwrap();
    assert_eq!(report(server, &["enable", ":7"]).1, 0);
}

/// Of the lab's server as seen from its client: by a process, and by the file of a namespace.
fn a_process_in_another_namespace() {
    let lab = lab("3");
    let (client, server) = (lab.client().unwrap(), lab.server().unwrap());
    let mut command = server.command("python3").unwrap();
    command.args(["-m", "http.server", "8000"]);
    let process = start(server, command, "python3", &[8000]);
    let pid = process.0.id().to_string();
    let (switched, status) = report(client, &["enable", "--pid", &pid]);
    assert_eq!((status, switched["listeners"].as_array().unwrap().len()), (0, 1));
    assert_eq!(queue(server, 8000), 1024);
    let file = format!("/proc/{pid}/ns/net");
    for netns in [&pid, &file] {
        let (switched, status) = report(client, &["disable", "--all", "--netns", netns]);
        assert_eq!((status, &switched["listeners"][0]["now"]), (0, &0.into()));
    }
    assert_eq!(queue(server, 8000), 0);
}

fn all_are_all() {
    let lab = lab("3");
    let server = lab.server().unwrap();
    let _listeners = [7, 8, 9].map(|port| listen(server, port));
    let (switched, status) = report(server, &["enable", "--all", "--queue", "3"]);
    assert_eq!((status, switched["listeners"].as_array().unwrap().len()), (0, 3));
    assert_eq!([7, 8, 9].map(|port| queue(server, port)), [3; 3]);
}

/// IPv4, IPv6, IPv4 in IPv6, IPv6 alone, and both in two sockets of one port.
fn addresses_of_every_kind() {
    let lab = lab("3");
    let server = lab.server().unwrap();
    let script = "import socket,sys\nsockets=[]\n\
                  for a,v6only in (('192.0.2.2',0),('::',1)):\n  s=socket.create_server((a,7),family=socket.AF_INET6 if ':' in a else socket.AF_INET,dualstack_ipv6=False)\n  sockets.append(s)\n\
                  s=socket.socket(socket.AF_INET6)\ns.setsockopt(socket.IPPROTO_IPV6,socket.IPV6_V6ONLY,0)\ns.bind(('::ffff:192.0.2.2',8))\ns.listen()\n\
                  while True: s.accept()";
    let mut command = program(server, "python3");
    command.args(["-c", script]);
    let _process = start(server, command, "python3", &[7, 8]);
    let queues = |arguments: &[&str]| {
        let (switched, status) = report(server, arguments);
        assert_eq!(status, 0, "{switched:#}");
        let listeners = switched["listeners"].as_array().unwrap().iter();
        let mut switched: Vec<_> = listeners
            .map(|listener| format!("{} {}", listener["address"].as_str().unwrap(), listener["now"]))
            .collect();
        switched.sort_unstable();
        switched
    };
    assert_eq!(queues(&["enable", "192.0.2.2:7"]), ["192.0.2.2:7 1024"]);
    assert_eq!(queues(&["enable", "[::]:7", "--queue", "3"]), ["[::]:7 3"]);
    assert_eq!(queues(&["enable", "192.0.2.2:8"]), ["[::ffff:192.0.2.2]:8 1024"]);
    assert_eq!(
        second_outcome(&lab, server.ipv4().into(), 8, b"hello"),
        Outcome::Accepted
    );
    assert_eq!(queues(&["disable", "7"]), ["192.0.2.2:7 0", "[::]:7 0"]);
}

fn a_part_that_is_not_there_is_told() {
    let lab = lab("3");
    let server = lab.server().unwrap();
    let _listener = listen(server, 7);
    let (switched, status) = report(server, &["enable", "7", "8", "--unit", "no-such"]);
    assert_eq!((status, &switched["works"]), (1, &false.into()), "{switched:#}");
    assert_eq!(switched["missing"][0]["what"], "there is no TCP listener at 8");
    assert_eq!(
        switched["missing"][1]["what"],
        "there is no TCP listener of the unit no-such"
    );
    assert_eq!(queue(server, 7), 1024);
}

fn processes_of_one_namespace() {
    let lab = lab("3");
    let (client, server) = (lab.client().unwrap(), lab.server().unwrap());
    let serve = |host: &Host, port: &str| {
        let mut command = program(host, "python3");
        command.args(["-m", "http.server", port, "--bind", "::"]);
        start(host, command, "python3", &[port.parse().unwrap()])
    };
    let (one, two, other) = (serve(server, "7"), serve(server, "8"), serve(client, "9"));
    let pid = |server: &super::support::Server| server.0.id().to_string();
    let (switched, status) = report(client, &["enable", "--pid", &pid(&one), "--pid", &pid(&two)]);
    assert_eq!((status, switched["listeners"].as_array().unwrap().len()), (0, 2));
    let told =
        String::from_utf8(tfo(client, &["enable", "--queue", "5", "--pid", &pid(&one)]).stdout).unwrap();
    let undo = format!("tfo enable --netns {} --queue 1024 '[::]:7'", pid(&one));
    assert!(told.contains(&undo), "{told}");
    let refused = tfo(client, &["enable", "--pid", &pid(&one), "--pid", &pid(&other)]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("call it once for each"), "{said}");
}

/// Listeners are undone by address, which the sockets of a group share: it is said that the others' Fast Open ends, too.
fn undoing_one_of_a_group() {
    let lab = lab("3");
    let server = lab.server().unwrap();
    let script = "import socket, sys, time\n\
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1); s.bind(('', 7)); s.listen()\n\
open(sys.argv[1], 'w'); time.sleep(600)";
    let folder = tempfile::tempdir().unwrap();
    let [one, two] = ["one", "two"].map(|name| {
        let ready = folder.path().join(name);
        let mut command = program(server, "python3");
        command.args(["-c", script]).arg(&ready);
        let started = start(server, command, "python3", &[7]);
        while !ready.exists() {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        started
    });
    let enable = |which: &super::support::Server| {
        let pid = which.0.id().to_string();
        String::from_utf8(tfo(server, &["enable", "--pid", &pid]).stdout).unwrap()
    };
    let (first, second) = (enable(&one), enable(&two));
    assert!(!first.contains("the other sockets"), "they have none: {first}");
    assert!(
        second.contains(" 0.0.0.0:7 # the other sockets at 0.0.0.0:7, too\n"),
        "{second}"
    );
}

/// Without any privilege, as the user that the server runs as.
fn a_users_own_server() {
    let lab = lab("3");
    let server = lab.server().unwrap();
    let unprivileged = |arguments: &[&str]| {
        let mut command = program(server, "setpriv");
        command.args(["--bounding-set", "-all", "--inh-caps", "-all"]);
        // Only one user there is in a user namespace: this one, without privilege there.
        if is_real_root() {
            command.args(["--reuid", "65534", "--clear-groups"]);
        }
        command.args(arguments);
        command
    };
    // Not python3, which may be installed for one user alone.
    let redis = program_path("redis-server");
    let mut command = unprivileged(&[redis.to_str().unwrap(), "--port", "8000", "--save", ""]);
    command
        .args(["--bind", "0.0.0.0", "::", "--protected-mode", "no"])
        .current_dir("/");
    let _process = start(server, command, "redis-server", &[8000]);
    let output = unprivileged(&[TFO, "enable", "8000"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(queue(server, 8000), 1024);
}

fn is_real_root() -> bool {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap();
    map.split_whitespace().last() == Some("4294967295")
}

/// None of these hints is of use to somebody whom it is not for.
fn processes_that_cannot_be_are_told_why() {
    let lab = lab("3");
    let server = lab.server().unwrap();
    let said = |mut command: Command, arguments: &[&str]| {
        let output = command.args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let as_root = |arguments: &[&str]| said(server.command(TFO).unwrap(), arguments);
    assert!(as_root(&["enable", "--pid", "0"]).contains("from 1 to 2147483647"));
    let gone = as_root(&["disable", "--pid", "4194304"]);
    assert!(
        gone.contains("there is no process 4194304") && gone.contains("hint: ss -ltnp"),
        "{gone}"
    );
    let gone = as_root(&["disable", "--all", "--netns", "4194304"]);
    assert!(gone.contains("there is no process 4194304"), "{gone}");
    let own = as_root(&["enable", "--pid", &std::process::id().to_string()]);
    assert!(
        own.contains("no TCP listener of process") && !own.contains("--pid PID"),
        "{own}"
    );
    // Root without CAP_SYS_PTRACE, as in a container.
    let mut process = Command::new("sleep");
    let mut other = process.arg("60").spawn().unwrap();
    let pid = other.id().to_string();
    let mut lacking = server.command("setpriv").unwrap();
    lacking.args(["--bounding-set", "-all", "--inh-caps", "-all", TFO]);
    let refused = lacking.args(["enable", "--pid", &pid]).output().unwrap();
    let refused = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.contains("run it as root"), "{refused}");
    let _listener: std::net::TcpListener = server
        .run(|| std::net::TcpListener::bind("0.0.0.0:8009"))
        .unwrap();
    let lacking = || {
        let mut command = server.command("setpriv").unwrap();
        command.args(["--bounding-set", "-all", "--inh-caps", "-all", TFO]);
        command
    };
    let refused = said(lacking(), &["enable", ":8009"]);
    assert!(
        refused.contains("CAP_SYS_PTRACE") && !refused.contains("root sees"),
        "{refused}"
    );
    if is_real_root() {
        let mut user = server.command("setpriv").unwrap();
        user.args(["--reuid", "65534", "--clear-groups", TFO]);
        let told = said(user, &["enable", "--pid", &pid]);
        assert!(
            told.contains(&format!("hint: run it as root: sudo tfo enable --pid {pid}")),
            "{told}"
        );
    }
    other.kill().unwrap();
    other.wait().unwrap();
}

fn a_queue_is_capped_by_somaxconn() {
    let lab = lab("3");
    let server = lab.server().unwrap();
    server.set_sysctl("net.core.somaxconn", "100").unwrap();
    let _listener = listen(server, 7);
    let (switched, status) = report(server, &["enable", ":7", "--queue", "500"]);
    let listener = &switched["listeners"][0];
    assert_eq!(
        (status, &listener["now"], &listener["capped_from"]),
        (0, &100.into(), &500.into())
    );
}

/// `IPPROTO_MPTCP`; a kernel without it has no such listener to switch.
fn multipath_listeners() {
    let lab = lab("3");
    let server = lab.server().unwrap();
    let script = "import socket,time\ns=socket.socket(socket.AF_INET6,socket.SOCK_STREAM,262)\ns.bind(('::',7))\ns.listen()\n\
                  while True: s.accept()";
    let mut command = server.command("python3").unwrap();
    command.args(["-c", script]);
    let _process = start(server, command, "python3", &[7]);
    let (switched, status) = report(server, &["enable", ":7"]);
    assert_eq!(
        (status, &switched["listeners"][0]["now"]),
        (0, &1024.into()),
        "{switched:#}"
    );
    assert_eq!(
        second_outcome(&lab, server.ipv4().into(), 7, b"hello"),
        Outcome::Accepted
    );
    assert_eq!(report(server, &["disable", ":7"]).1, 0);
    assert_eq!(queue(server, 7), 0);
}

fn what_is_not_there_is_told_with_what_is() {
    let lab = lab("3");
    let server = lab.server().unwrap();
    let refused = |arguments: &[&str]| {
        let output = tfo(server, arguments);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(output.stdout.is_empty());
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(refused(&["enable", ":7"]).contains("start the server first"));
    let _listener = listen(server, 8);
    let said = refused(&["enable", ":7"]);
    assert!(
        said.contains("no TCP listener at :7") && said.contains("[::]:8"),
        "{said}"
    );
    let said = refused(&["disable", "192.0.2.2:8"]);
    assert!(
        said.contains("[::]:8 takes the connections to every address"),
        "{said}"
    );
    assert!(refused(&["enable", "--unit", "no-such.service"]).contains("the unit no-such.service"));
    assert!(refused(&["enable", "--pid", "4194304"]).contains("process 4194304"));
    assert!(refused(&["enable"]).contains("--all"));
}

fn another_users_server_is_refused_with_a_reason() {
    let lab = lab("3");
    let server = lab.server().unwrap();
    let _listener = listen(server, 7);
    let refused = |lab: &Lab, arguments: &[&str]| {
        let mut command: Command = lab.server().unwrap().command("setpriv").unwrap();
        command.args(["--bounding-set", "-all", "--inh-caps", "-all"]);
        command
            .args(arguments)
            .arg(env!("CARGO_BIN_EXE_tfo"))
            .args(["enable", ":7"]);
        command.output().unwrap()
    };
    if !is_real_root() {
        // Only one user there is in a user namespace: this one, who may.
        assert_eq!(refused(&lab, &[]).status.code(), Some(0));
        return;
    }
    let output = refused(&lab, &["--reuid", "65534", "--clear-groups"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("hint: run it as root: sudo tfo enable :7"),
        "{said}"
    );
    assert_eq!(queue(server, 7), 0);
}
