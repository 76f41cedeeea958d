//! Listeners with keys of their own.

use std::net::{SocketAddr, TcpListener};

use fastopen::KeyRing;
use fastopen_lab::Host;
use rustix::process::Signal;

use crate::support::{
    Fleet, KEY, OTHER_KEY, SYSCTL, Service, TFO, eventually, keys, lab, name, report, said, text,
};

fn own_keys(host: &Host, listener: &TcpListener) -> Option<KeyRing> {
    let address = listener.local_addr().unwrap();
    let all = host.run(|| fastopen_attach::listeners::list().unwrap());
    let held = all.iter().find(|held| held.listener.address == address);
    held.unwrap().keys().unwrap()
}

pub(crate) fn a_listener_s_own_keys_are_set_and_shown() {
    let lab = lab();
    let server = lab.server().unwrap();
    server.set_sysctl(SYSCTL, KEY).unwrap();
    let listeners = server
        .addresses()
        .map(|address| server.run(|| fastopen::listen((address, 4433))).unwrap());
    let addresses = listeners
        .each_ref()
        .map(|listener| listener.local_addr().unwrap().to_string());
    let shown = text(&keys(server, &["show", ":4433"]));
    assert_eq!(shown.matches("none of its own").count(), 2, "{shown}");

    for address in &addresses {
        let (set, code) = report(&keys(server, &["set", address, OTHER_KEY, KEY, "--json"]));
        assert_eq!(
            (set["listeners"][0]["address"].as_str(), code),
            (Some(address.as_str()), 0),
            "{set}"
        );
        assert_eq!(set["listeners"].as_array().unwrap().len(), 1, "{set}");
        assert_eq!(set["listeners"][0]["replaced"], serde_json::Value::Null, "{set}");
        let told = text(&keys(server, &["set", address, KEY]));
        assert!(told.contains("in place of those with the fingerprint "), "{told}");
        let (set, _) = report(&keys(server, &["set", address, OTHER_KEY, KEY, "--json"]));
        assert_eq!(
            set["listeners"][0]["replaced"].as_array().unwrap().len(),
            1,
            "{set}"
        );
        let (shown, _) = report(&keys(server, &["show", address, "--reveal", "--json"]));
        let listener = &shown["listeners"][0];
        assert_eq!(
            (&listener["primary"]["key"], &listener["backup"]["key"]),
            (&OTHER_KEY.into(), &KEY.into()),
            "{shown}"
        );
        assert_eq!(listener["processes"][0]["pid"], std::process::id(), "{shown}");
    }
    // The namespace's are as they were, and it is said for which listeners they are not.
    assert_eq!(server.sysctl(SYSCTL).unwrap(), KEY);
    let (of_namespace, _) = report(&keys(server, &["show", "--json"]));
    assert_eq!(
        of_namespace["overridden_by"].as_array().unwrap().len(),
        2,
        "{of_namespace}"
    );
    let told = text(&keys(server, &["show"]));
    assert!(
        told.contains("keys of their own") && told.contains(&addresses[1]),
        "{told}"
    );
    // Both listeners have the same: one line.
    let fingerprint = text(&keys(server, &["fingerprint", "4433"]));
    assert_eq!(fingerprint.lines().count(), 1, "{fingerprint}");
    text(&keys(server, &["set", OTHER_KEY, KEY]));
    assert_eq!(fingerprint, text(&keys(server, &["fingerprint"])));
    let own = own_keys(server, &listeners[0]);
    assert_eq!(own, format!("{OTHER_KEY},{KEY}").parse::<KeyRing>().ok());

    for (arguments, told) in [
        (&["set", ":4434", KEY][..], "no TCP listener at :4434"),
        (&["show", "192.0.2.77:4433"], "there are listeners at"),
        (&["set", ":4433"], "there is no key to set"),
        (&["set", ":4433", "zz"], "PRIMARY is no key"),
        (&["set", ":4433", KEY, OTHER_KEY, "5-6-7-8"], "there are 3 keys"),
        (&["set", ":4433", "0-0-0-0"], "a key of zeros"),
        (&["set", KEY, ":4433"], "goes in front of the keys"),
        (&["set", ":4433", KEY, "--key", OTHER_KEY], "keys are given twice"),
    ] {
        let said = said(&keys(server, arguments));
        assert!(
            said.contains(told) && !said.contains("a1a1") && !said.contains("5-6-7-8"),
            "{arguments:?}: {said}"
        );
    }
    assert_eq!(own_keys(server, &listeners[0]), own);
}

pub(crate) fn own_keys_follow_the_schedule_when_they_are_to() {
    let lab = lab();
    let (client, server) = (lab.client().unwrap(), lab.server().unwrap());
    let fleet = Fleet::new();
    let secret = name(&fleet.secret());
    let [own, other] =
        [4433, 4434].map(|port| server.run(|| fastopen::listen((server.ipv4(), port))).unwrap());
    text(&keys(server, &["set", ":4433", KEY]));
    let schedule = ["--secret", &secret, "--interval", "7d"];
    let rotate = |more: &[&str]| {
        let arguments = [&["rotate", "--json"], &schedule[..], more].concat();
        report(&keys(server, &arguments)).0["listeners"].clone()
    };
    let verdict = |address: SocketAddr| {
        let address = address.to_string();
        let arguments = [&["verify", "--json", &address], &schedule[..]].concat();
        report(&keys(client, &arguments)).0["verdict"].clone()
    };
    // Its own keys override those of the namespace, and it is left alone.
    assert_eq!(rotate(&[]), 0);
    assert_eq!(verdict(own.local_addr().unwrap()), "own-key");
    assert_eq!(rotate(&["--listeners"]), 1);
    assert_eq!(verdict(own.local_addr().unwrap()), "agrees");
    assert_eq!(verdict(other.local_addr().unwrap()), "agrees");
    assert_eq!(own_keys(server, &other), None, "it needs none of its own");

    // As a service: one that gets other keys, and one that comes later.
    let mut command = server.command(TFO).unwrap();
    let service = Service::start(&mut command, &fleet, &[&schedule[..], &["--listeners"]].concat());
    let expected = own_keys(server, &own);
    eventually("it is rotated", || {
        service.printed().contains("and on 1 listener")
    });
    text(&keys(server, &["set", ":4433", KEY]));
    eventually("they are the schedule's again", || {
        own_keys(server, &own) == expected
    });
    let later = server.run(|| fastopen::listen((server.ipv6(), 4435))).unwrap();
    text(&keys(server, &["set", ":4435", KEY, OTHER_KEY]));
    eventually("the new one too", || own_keys(server, &later) == expected);
    // A listener that is closed is not held open by the service.
    drop(own);
    let again = server.run(|| fastopen::listen((server.ipv4(), 4433)));
    assert!(again.is_ok(), "{again:?}");
    service.signal(Signal::TERM);
}
