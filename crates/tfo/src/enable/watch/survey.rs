//! A look at the listeners of the network namespaces that the rules are about.
//!
//! sock_diag gives those in state LISTEN from a hash table of their own, without a walk through the connections, and without privilege.
//! The kernel tells nobody of new listeners: it multicasts only sockets that are destroyed.
//!
//! Source: `net/ipv4/inet_diag.c:inet_diag_dump_icsk`, `SKNLGRP_INET_TCP_DESTROY` in `include/uapi/linux/sock_diag.h`.

use std::collections::BTreeMap;
use std::io;
use std::thread;

use anyhow::Context;
use fastopen_host::sockets::{self, Filter, State};
use fastopen_host::sysctl::{self, FastOpenBits};

use super::rules::{Places, Rules};
use super::table::Seen;
use crate::namespace::Namespace;
use crate::namespace::machine::{self, Id};
use crate::program;

/// A network namespace that rules are about.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) namespace: Namespace,
    pub(super) is_own: bool,
    /// The names by which rules know it.
    pub(super) names: Vec<Namespace>,
}

/// What there is in a namespace.
#[derive(Debug)]
pub(super) struct View {
    pub(super) listeners: Vec<Seen>,
    /// `None` where the kernel has no Fast Open.
    pub(super) bits: Option<FastOpenBits>,
}

/// The namespaces that the rules are about, and what is wrong with those that are named.
pub(super) fn places(rules: &Rules) -> (BTreeMap<Id, Place>, Vec<String>) {
    let mut problems = Vec::new();
    let mut places = BTreeMap::new();
    let has = |wanted: &Places| rules.0.iter().any(|rule| rule.places == *wanted);
    if has(&Places::All) {
        for (id, namespace) in machine::all() {
            places.insert(id, Place::of(namespace));
        }
    }
    for rule in &rules.0 {
        let Places::Named(namespace) = &rule.places else {
            continue;
        };
        match machine::id(namespace) {
            Ok(id) => {
                let place = places.entry(id).or_insert_with(|| Place::of(namespace.clone()));
                place.names.push(namespace.clone());
            }
            Err(error) => problems.push(format!("network namespace {namespace}: {error}")),
        }
    }
    if let Some(here) = machine::here()
        && (has(&Places::Own) || places.contains_key(&here))
    {
        let own = Namespace::File("/proc/thread-self/ns/net".into());
        let place = places.entry(here).or_insert_with(|| Place::of(own.clone()));
        (place.is_own, place.namespace) = (true, own);
    }
    (places, problems)
}

impl Place {
    fn of(namespace: Namespace) -> Self {
        Self {
            namespace,
            is_own: false,
            names: Vec::new(),
        }
    }
}

/// Looks into all of them. What can't be looked at is a problem, in words, or none where it has just ended.
pub(super) fn look(places: &BTreeMap<Id, Place>) -> BTreeMap<Id, Result<View, Option<String>>> {
    let here = machine::here();
    let all = || {
        places
            .iter()
            .map(|(id, place)| (*id, view(here, *id, place)))
            .collect()
    };
    if places.values().all(|place| place.is_own) {
        return all();
    }
    // A thread that has entered one namespace can go on to the next, and does not come back.
    let looked = thread::scope(|scope| {
        thread::Builder::new()
            .spawn_scoped(scope, all)?
            .join()
            .map_err(|_| io::Error::other("it ended"))
    });
    looked.unwrap_or_else(|error| {
        let failed = |id: &Id| {
            (
                *id,
                Err(Some(format!("no thread to enter network namespaces: {error}"))),
            )
        };
        places.keys().map(failed).collect()
    })
}

fn view(here: Option<Id>, id: Id, place: &Place) -> Result<View, Option<String>> {
    let listening = Filter::new().with_states([State::Listen]);
    let looked = machine::enter(here, id, &place.namespace, "tfo enable --watch").and_then(|()| {
        let listeners = sockets::list(&listening).context("its listeners")?;
        let bits = sysctl::fast_open().context("its net.ipv4.tcp_fastopen")?;
        Ok(View {
            listeners: listeners
                .into_iter()
                .filter(|socket| socket.inode > 0)
                .map(|socket| Seen {
                    inode: socket.inode,
                    address: socket.local,
                    uid: socket.uid,
                })
                .collect(),
            bits,
        })
    });
    looked.map_err(|error| {
        // Containers come and go.
        let is_there = machine::id(&place.namespace).is_ok_and(|now| now == id);
        is_there.then(|| told(place, &error))
    })
}

fn told(place: &Place, error: &anyhow::Error) -> String {
    let refused = error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::PermissionDenied);
    let help = match refused {
        true => "; to enter it takes root (CAP_SYS_ADMIN and CAP_SYS_PTRACE)",
        false => "",
    };
    format!(
        "{}: {}{help}",
        machine::name(&place.namespace),
        program::message(error)
    )
}
