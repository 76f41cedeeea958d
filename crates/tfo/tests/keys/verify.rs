//! Servers whose keys are proved from outside.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::time::{Duration, SystemTime};

use fastopen::KeyRing;
use fastopen_lab::{Farm, Host, HostSpec, Lab, Scenario};

use crate::support::{Fleet, KEY, OTHER_KEY, SYSCTL, keys, lab, name, report, text};

const DAY: u64 = 86_400;

fn listen(host: &Host, address: IpAddr) -> (TcpListener, String) {
    let listener = host.run(|| fastopen::listen((address, 0))).unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    (listener, address.to_string())
}

pub(crate) fn servers_are_told_by_their_cookies() {
    let fleet = Fleet::new();
    let secret = name(&fleet.secret());
    let rotation = fleet.rotation(DAY);
    let now = SystemTime::now();
    let of = |periods: i64| {
        let period = rotation.period(now).saturating_add_signed(periods);
        KeyRing::new(rotation.key(period)).to_string()
    };
    for (set, verdict, periods, status) in [
        (of(0), "agrees", None, 0),
        (of(-1), "behind", Some(-1), 1),
        (of(2), "ahead", Some(2), 1),
        (KEY.to_owned(), "own-key", None, 1),
    ] {
        // A client of its own each time, as nobody may empty the cache in a user namespace.
        let lab = lab();
        let (client, server) = (lab.client().unwrap(), lab.server().unwrap());
        server.set_sysctl(SYSCTL, &set).unwrap();
        let listeners = server.addresses().map(|address| listen(server, address));
        let mut arguments = vec!["verify", "--json", "--secret", &secret];
        arguments.extend(listeners.iter().map(|(_, address)| address.as_str()));
        // The second time the cookies are cached, and what they prove is the same.
        for _ in 0..2 {
            let (verified, code) = report(&keys(client, &arguments));
            assert_eq!(
                (verified["verdict"].as_str(), code),
                (Some(verdict), status),
                "{verified}"
            );
            let servers = verified["servers"].as_array().unwrap();
            assert_eq!(servers.len(), 2);
            for server in servers {
                assert_eq!(
                    (server["verdict"].as_str(), server["periods"].as_i64()),
                    (Some(verdict), periods),
                    "{server}"
                );
            }
        }
        // Keys that change under a cached cookie are noticed.
        server.set_sysctl(SYSCTL, OTHER_KEY).unwrap();
        let (verified, _) = report(&keys(client, &arguments));
        let told = verified["servers"][0]["verdict"].as_str().unwrap();
        assert_eq!(told, "own-key", "{verified}");
        // And so is a server that accepts nothing any more.
        server.set_sysctl("net.ipv4.tcp_fastopen", "0").unwrap();
        let (verified, _) = report(&keys(client, &arguments));
        assert_eq!(verified["verdict"], "no-fast-open", "{verified}");
    }
}

pub(crate) fn members_that_disagree_are_found_without_the_secret() {
    for (second, verdict, status) in [(KEY, "agrees", 0), (OTHER_KEY, "disagrees", 1)] {
        let mut scenario = Scenario::new("farm")
            .with_rtt(Duration::from_millis(1))
            .with_host(HostSpec::new("client"));
        for (member, key) in [("one", KEY), ("two", second)] {
            let host = HostSpec::new(member)
                .with_sysctl("net.ipv4.tcp_fastopen", "3")
                .with_sysctl(SYSCTL, key);
            scenario = scenario.with_host(host);
        }
        let lab = Lab::new(&scenario.with_farm(Farm::new("farm", ["one", "two"]))).unwrap();
        let _listeners = ["one", "two"].map(|member| {
            let host = lab.host(member).unwrap();
            host.run(|| fastopen::listen(("::", 4433))).unwrap()
        });
        for address in lab.farm("farm").unwrap().addresses() {
            let target = SocketAddr::new(address, 4433).to_string();
            let (verified, code) = report(&keys(
                lab.client().unwrap(),
                &["verify", "-n", "24", "--json", &target],
            ));
            assert_eq!(
                (verified["verdict"].as_str(), code),
                (Some(verdict), status),
                "{verified}"
            );
        }
    }
}

pub(crate) fn verdicts_are_written_for_prometheus() {
    let lab = lab();
    let (client, server) = (lab.client().unwrap(), lab.server().unwrap());
    let fleet = Fleet::new();
    let (secret, file) = (name(&fleet.secret()), name(&fleet.file("verify.prom")));
    let (_listener, address) = listen(server, server.ipv4().into());
    text(&keys(server, &["rotate", "--secret", &secret]));
    let closed = format!("{}:1", server.ipv6());
    let closed = closed.replace(&server.ipv6().to_string(), &format!("[{}]", server.ipv6()));
    let output = keys(
        client,
        &[
            "verify",
            "--secret",
            &secret,
            "--textfile",
            &file,
            &address,
            &closed,
            "no..where:443",
        ],
    );
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(
        told.contains(&format!("{address}  agrees\n")) && told.contains("no connection"),
        "{told}"
    );
    let page = std::fs::read_to_string(file).unwrap();
    let line = format!(
        "fastopen_verify_verdict{{target=\"{address}\",address=\"{address}\",verdict=\"agrees\"}} 1\n"
    );
    assert!(
        page.contains(&line) && page.contains("verdict=\"unreachable\"} 1\n"),
        "{page}"
    );

    // A name that has no address is one more verdict.
    assert!(told.contains("no..where:443  no connection\n"), "{told}");
    let line = "{target=\"no..where:443\",address=\"\",verdict=\"unreachable\"} 1\n";
    assert!(page.contains(line), "{page}");
    let (verified, status) = report(&keys(
        client,
        &["verify", "--json", "--secret", &secret, "no..where:443", &address],
    ));
    let servers = verified["servers"].as_array().unwrap();
    assert_eq!((servers.len(), status), (2, 1), "{verified}");
    assert!(
        servers.iter().any(|server| server["address"].is_null()),
        "{verified}"
    );

    // What was found is told even where its file can't be written.
    let nowhere = name(&fleet.file("none/verify.prom"));
    let output = keys(
        client,
        &["verify", "--secret", &secret, "--textfile", &nowhere, &address],
    );
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.contains(&format!("{address}  agrees\n")), "{told}");
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains(&format!("can't write {nowhere}: ")), "{error}");
    assert_eq!(output.status.code(), Some(2), "{error}");
}

/// A cookie depends on the server's address: different keys and the same look alike.
pub(crate) fn addresses_are_not_compared_without_the_secret() {
    let lab = lab();
    let (client, server) = (lab.client().unwrap(), lab.server().unwrap());
    server.set_sysctl(SYSCTL, KEY).unwrap();
    let (_listeners, addresses): (Vec<_>, Vec<_>) = server
        .addresses()
        .map(|address| listen(server, address))
        .into_iter()
        .unzip();
    let (verified, status) = report(&keys(client, &["verify", "--json", &addresses[0], &addresses[1]]));
    assert_eq!(
        (verified["verdict"].as_str(), status),
        (Some("cant-tell"), 3),
        "{verified}"
    );
    assert_eq!(verified["servers"][0]["verdict"], "agrees", "{verified}");

    // Ports of one address are, since one cookie serves them all.
    let (_other, port) = listen(server, server.ipv4().into());
    let (verified, status) = report(&keys(client, &["verify", "--json", &addresses[0], &port]));
    assert_eq!(
        (verified["verdict"].as_str(), status),
        (Some("agrees"), 0),
        "{verified}"
    );
    text(&keys(server, &["set", &port, OTHER_KEY]));
    let (verified, status) = report(&keys(client, &["verify", "--json", &addresses[0], &port]));
    assert_eq!(
        (verified["verdict"].as_str(), status),
        (Some("disagrees"), 1),
        "{verified}"
    );
}

pub(crate) fn addresses_that_rotate_together_are_told_from_others() {
    let mut scenario = Scenario::new("two")
        .with_rtt(Duration::from_millis(1))
        .with_host(HostSpec::new("client"));
    for member in ["one", "two"] {
        let host = HostSpec::new(member)
            .with_sysctl("net.ipv4.tcp_fastopen", "3")
            .with_sysctl(SYSCTL, KEY);
        scenario = scenario.with_host(host);
    }
    let lab = Lab::new(&scenario).unwrap();
    let members = ["one", "two"].map(|member| lab.host(member).unwrap());
    let (_listeners, addresses): (Vec<_>, Vec<_>) = members
        .map(|host| listen(host, host.ipv6().into()))
        .into_iter()
        .unzip();
    let newer = format!("{OTHER_KEY},{KEY}");
    for (both, verdict, status) in [(true, "rotates-together", 0), (false, "rotates-apart", 1)] {
        // Its cookie may be cached, from the round before.
        for host in members {
            host.set_sysctl(SYSCTL, format!("{KEY},{OTHER_KEY}")).unwrap();
        }
        let (verified, code) = std::thread::scope(|scope| {
            let verifying = scope.spawn(|| {
                let arguments = ["verify", "--json", "--for", "6s", &addresses[0], &addresses[1]];
                report(&keys(lab.client().unwrap(), &arguments))
            });
            std::thread::sleep(Duration::from_secs(3));
            for host in members.iter().take(if both { 2 } else { 1 }) {
                host.set_sysctl(SYSCTL, &newer).unwrap();
            }
            verifying.join().unwrap()
        });
        assert_eq!(
            (verified["verdict"].as_str(), code),
            (Some(verdict), status),
            "{verified}"
        );
        assert_eq!(verified["together"]["changes"][0]["kept"], true, "{verified}");
    }
}
