//! Listeners with keys of their own: they override those of the network namespace, and follow the schedule only if it is set on them too.

use std::collections::{BTreeMap, BTreeSet};

use fastopen::KeyRing;
use fastopen_attach::listeners::Held;
use fastopen_host::listeners::Listener;
use fastopen_host::owners::Owners;
use fastopen_host::sockets::{self, Filter, State};

use crate::namespace::machine::Id;

/// The listeners of the namespaces that were looked into.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    by_namespace: BTreeMap<Id, BTreeMap<u64, Held>>,
    /// By inode numbers, those that had keys of their own when they were looked at last.
    own: BTreeSet<u64>,
}

impl Listeners {
    /// How many have keys of their own, which are the schedule's now.
    pub(super) fn count(&self) -> usize {
        self.own.len()
    }

    /// Sets the keys of those among them that have keys of their own. `found` is what these namespaces have now. Says what failed.
    pub(super) fn keep(&mut self, found: BTreeMap<Id, Vec<Listener>>, keys: &KeyRing) -> Vec<String> {
        let looked: Vec<Id> = found.keys().copied().collect();
        if let Err(error) = self.update(found) {
            return vec![format!(
                "can't look for listeners with keys of their own: {error}"
            )];
        }
        let mut failures = Vec::new();
        for held in looked
            .iter()
            .filter_map(|id| self.by_namespace.get(id))
            .flat_map(BTreeMap::values)
        {
            let inode = held.listener.inode;
            match keep(held, keys) {
                Ok(true) => drop(self.own.insert(inode)),
                Ok(false) => drop(self.own.remove(&inode)),
                Err(error) => {
                    self.own.remove(&inode);
                    failures.push(error.to_string());
                }
            }
        }
        let by_namespace = &self.by_namespace;
        self.own.retain(|inode| {
            by_namespace
                .values()
                .any(|listeners| listeners.contains_key(inode))
        });
        failures
    }

    /// Forgets namespaces that are gone.
    pub(super) fn retain(&mut self, is_there: impl Fn(&Id) -> bool) {
        self.by_namespace.retain(|id, _| is_there(id));
    }

    /// Takes what is there now. The processes of all are looked through at once, and only if there are listeners that were not known.
    fn update(&mut self, found: BTreeMap<Id, Vec<Listener>>) -> Result<(), fastopen_host::Error> {
        let known = |id: &Id, inode: u64| {
            self.by_namespace
                .get(id)
                .is_some_and(|listeners| listeners.contains_key(&inode))
        };
        let new = found
            .iter()
            .flat_map(|(id, listeners)| listeners.iter().map(move |listener| (id, listener.inode)))
            .filter(|(id, inode)| !known(id, *inode))
            .map(|(_, inode)| inode);
        let owners = Owners::find(new)?;
        for (id, listeners) in found {
            let mut before = self.by_namespace.remove(&id).unwrap_or_default();
            let now = listeners.into_iter().map(|listener| {
                let inode = listener.inode;
                let held = before.remove(&inode).unwrap_or_else(|| Held {
                    owners: owners.of(inode).to_vec(),
                    unreadable: owners.unreadable(),
                    listener,
                });
                (inode, held)
            });
            self.by_namespace.insert(id, now.collect());
        }
        Ok(())
    }
}

/// The listeners of the calling thread's network namespace. The kernel gives them without the connections, however many there are.
pub(super) fn here() -> Result<Vec<Listener>, fastopen_host::Error> {
    let listening = sockets::list(&Filter::new().with_states([State::Listen]))?;
    let listener = |socket: sockets::Socket| Listener {
        address: socket.local,
        fast_open_queue: None,
        to_accept: socket.receive_queue,
        uid: socket.uid,
        inode: socket.inode,
    };
    Ok(listening.into_iter().map(listener).collect())
}

/// Whether it has keys of its own; they are these afterwards.
fn keep(held: &Held, keys: &KeyRing) -> Result<bool, fastopen_attach::Error> {
    match held.keys()? {
        None => Ok(false),
        Some(found) if found == *keys => Ok(true),
        Some(_) => held.set_keys(keys).map(|()| true),
    }
}
