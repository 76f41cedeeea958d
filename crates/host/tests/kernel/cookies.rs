//! The cookie cache, against ip.

use fastopen_host::Error;
use fastopen_host::cookies::{self, Entry};
use fastopen_lab::{Lab, OptionState, Rule, SegmentKind};

use crate::net;

/// Fast connections over IPv4 and IPv6 from the client to the server.
fn connect(lab: &Lab) {
    let server = lab.server().unwrap();
    for address in server.addresses() {
        let listener = net::listen(server, address);
        net::connect_fast_often(lab.client().unwrap(), &listener, 1);
    }
}

fn list(lab: &Lab) -> Vec<Entry> {
    lab.client().unwrap().run(cookies::list).unwrap()
}

pub(crate) fn they_agree_with_ip() {
    let lab = net::lab();
    assert_eq!(list(&lab), []);
    connect(&lab);
    let told = net::output(lab.client().unwrap(), "ip", &["tcp_metrics", "show"]);
    let found = list(&lab);
    assert_eq!(found.len(), 2);
    for entry in found {
        let line = told
            .lines()
            .find(|line| line.starts_with(&entry.destination.to_string()));
        let line = line.unwrap_or_else(|| panic!("{entry:?} is not in {told}"));
        assert!(
            line.contains(&format!("fo_cookie {:x}", entry.cookie.unwrap())),
            "{line}"
        );
        assert!(line.contains(&format!("fo_mss {}", entry.mss.unwrap())), "{line}");
        // The kernel keeps one only of connections that end in order.
        match entry.rtt {
            Some(rtt) => assert!(
                line.contains(&format!(" rtt {}us ", rtt.as_micros())),
                "{rtt:?}: {line}"
            ),
            None => assert!(!line.contains(" rtt "), "{line}"),
        }
        let rtt = lab.client().unwrap().run(|| cookies::rtt(entry.destination));
        assert_eq!(rtt.unwrap(), entry.rtt);
        assert!(
            line.contains(&format!("source {}", entry.source.unwrap())),
            "{line}"
        );
    }
}

pub(crate) fn one_is_found() {
    let lab = net::lab();
    let client = lab.client().unwrap();
    let server = lab.server().unwrap();
    assert_eq!(client.run(|| cookies::get(server.ipv4().into())).unwrap(), None);
    connect(&lab);
    for address in server.addresses() {
        let entry = client.run(|| cookies::get(address)).unwrap().unwrap();
        assert_eq!(
            (entry.destination, entry.source),
            (address, Some(client.address_like(address)))
        );
        assert_eq!(entry.cookie.unwrap().as_bytes().len(), 8);
    }
    // A cookie of the destination is one of its IPv4-mapped address too.
    let mapped = server.ipv4().to_ipv6_mapped().into();
    let entry = client.run(|| cookies::get(mapped)).unwrap().unwrap();
    assert_eq!(entry.destination, server.ipv4());
}

pub(crate) fn lost_syns_are_told() {
    let lab = net::lab();
    connect(&lab);
    let rule = Rule::drop()
        .from("client")
        .on(SegmentKind::Syn)
        .with_option(OptionState::Cookie);
    lab.set_rules([rule]).unwrap();
    connect(&lab);
    for entry in list(&lab) {
        // Two fast connections, each of whose first SYN was lost.
        assert_eq!(entry.syn_drops, 2, "{entry:?}");
        assert!(entry.last_syn_drop.unwrap().as_secs() < 60, "{entry:?}");
        assert!(entry.cookie.is_some(), "{entry:?}");
    }
}

pub(crate) fn deleting_takes_a_real_root() {
    let lab = net::lab();
    connect(&lab);
    let (client, server) = (lab.client().unwrap(), lab.server().unwrap());
    let address = server.ipv4().into();
    if has_users_of_its_own() {
        for error in [
            client.run(|| cookies::delete(address)).unwrap_err(),
            client.run(cookies::flush).unwrap_err(),
        ] {
            assert!(
                matches!(
                    error,
                    Error::NotPermitted {
                        in_user_namespace: true,
                        ..
                    }
                ),
                "{error:?}"
            );
            assert!(error.to_string().contains("user namespace"), "{error}");
        }
        assert_eq!(list(&lab).len(), 2);
        return;
    }
    assert!(client.run(|| cookies::delete(address)).unwrap());
    assert!(!client.run(|| cookies::delete(address)).unwrap());
    let left = list(&lab);
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].destination, server.ipv6());
    client.run(cookies::flush).unwrap();
    assert_eq!(list(&lab), []);
}

/// Whether the lab had to make a user namespace, as it does for whoever is not root.
fn has_users_of_its_own() -> bool {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap();
    map.split_ascii_whitespace().last() != Some("4294967295")
}
