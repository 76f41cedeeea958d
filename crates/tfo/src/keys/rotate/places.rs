//! The network namespaces whose keys are kept to the schedule.

use std::collections::BTreeMap;

use fastopen::KeyRing;
use rustix::thread::{CapabilitySet, capabilities};

use super::listeners::Listeners;
use super::visit::{self, Purpose};
use crate::namespace::Namespace;
use crate::namespace::machine::{self, Id};
use crate::{hint, program};

/// In how many namespaces keys are set between two signs of life.
const BATCH: usize = 500;
/// In how many namespaces that have the keys already it is looked whether they still do, each time, at most.
const LOOKS: usize = 200;

/// Which namespaces there are, and which have the keys.
#[derive(Debug)]
pub(super) struct Places {
    wanted: Wanted,
    /// Those that have the keys.
    done: BTreeMap<Id, Namespace>,
    /// The last that was looked into.
    looked: Option<Id>,
    /// How often somebody else had changed the keys.
    pub(super) overwritten: u64,
    /// Those with keys of their own, where they are to have the schedule's.
    listeners: Option<Listeners>,
}

#[derive(Debug)]
enum Wanted {
    Named(Vec<Namespace>),
    All,
}

impl Places {
    /// These; the caller's where there are none.
    pub(super) fn named(mut namespaces: Vec<Namespace>) -> Self {
        if namespaces.is_empty() {
            namespaces.push(Namespace::File("/proc/thread-self/ns/net".into()));
        }
        Self::new(Wanted::Named(namespaces))
    }

    /// Every one that a process is in or that has a name.
    pub(super) fn all() -> Self {
        Self::new(Wanted::All)
    }

    fn new(wanted: Wanted) -> Self {
        Self {
            wanted,
            done: BTreeMap::new(),
            looked: None,
            overwritten: 0,
            listeners: None,
        }
    }

    /// And in them the listeners that have keys of their own.
    pub(super) fn with_listeners(mut self) -> Self {
        self.listeners = Some(Listeners::default());
        self
    }

    /// How many listeners with keys of their own have the schedule's.
    pub(super) fn listener_count(&self) -> usize {
        self.listeners.as_ref().map_or(0, Listeners::count)
    }

    /// How many have the keys.
    pub(super) fn count(&self) -> usize {
        self.done.len()
    }

    /// Sets other keys everywhere. Says what failed, and where. `is_alive` is called now and then, and ends it early by an answer of false.
    pub(super) fn set(&mut self, keys: &KeyRing, is_alive: impl Fn() -> bool) -> Vec<String> {
        self.done.clear();
        self.keep(keys, is_alive)
    }

    /// Sets the keys where they are not: in namespaces that are new, and where somebody else changed them. As [`set`](Self::set).
    pub(super) fn keep(&mut self, keys: &KeyRing, is_alive: impl Fn() -> bool) -> Vec<String> {
        let (found, mut failures) = self.find();
        self.done.retain(|id, _| found.contains_key(id));
        if let Some(listeners) = &mut self.listeners {
            listeners.retain(|id| found.contains_key(id));
        }
        let looks = self.next_looks();
        let new: Vec<_> = found
            .into_iter()
            .filter(|(id, _)| !self.done.contains_key(id))
            .collect();
        let with_listeners = self.listeners.is_some();
        let mut visits = Vec::new();
        for batch in new.chunks(BATCH) {
            if !is_alive() {
                break;
            }
            match visit::all(batch, Purpose::Set, keys, with_listeners) {
                Ok(made) => visits.extend(made),
                Err(error) => failures.push(error),
            }
        }
        match visit::all(&looks, Purpose::Look, keys, with_listeners) {
            Ok(made) => {
                // The next look goes on where this one ended, or begins anew.
                let is_last = made.len() == looks.len() && looks.len() < LOOKS;
                self.looked = made.last().map(|visit| visit.id).filter(|_| !is_last);
                visits.extend(made);
            }
            Err(error) => failures.push(error),
        }
        let mut listening = BTreeMap::new();
        for visit in visits {
            match visit.listeners {
                Some(Ok(found)) => drop(listening.insert(visit.id, found)),
                Some(Err(error)) => failures.push(told(&visit.namespace, &error.into())),
                None => {}
            }
            match visit.overwritten {
                Ok(overwritten) => {
                    if overwritten {
                        self.overwritten += 1;
                        failures.push(format!(
                            "{}: somebody else had set other keys; they are the schedule's again",
                            machine::name(&visit.namespace)
                        ));
                    }
                    self.done.insert(visit.id, visit.namespace);
                }
                Err(error) => {
                    self.done.remove(&visit.id);
                    if !self.is_gone(visit.id, &visit.namespace) {
                        failures.push(told(&visit.namespace, &error));
                    }
                }
            }
        }
        if let Some(listeners) = &mut self.listeners {
            failures.extend(listeners.keep(listening, keys));
        }
        failures
    }

    /// Every namespace that is wanted and there, and what was wanted and is not there.
    fn find(&self) -> (BTreeMap<Id, Namespace>, Vec<String>) {
        let mut found = BTreeMap::new();
        let mut failures = Vec::new();
        match &self.wanted {
            Wanted::Named(namespaces) => {
                for namespace in namespaces {
                    match machine::id(namespace) {
                        Ok(id) => drop(found.insert(id, namespace.clone())),
                        Err(error) => failures.push(format!("{}: {error}", machine::name(namespace))),
                    }
                }
            }
            Wanted::All => {
                found = machine::all();
                if !sees_every_process() {
                    failures.push(
                        "the network namespaces of other users' processes are not seen: that takes CAP_SYS_PTRACE"
                            .to_owned(),
                    );
                }
            }
        }
        (found, failures)
    }

    /// Whether it was found and has ended since, as containers and their processes do at any time.
    fn is_gone(&self, namespace_id: Id, namespace: &Namespace) -> bool {
        matches!(self.wanted, Wanted::All) && machine::id(namespace).ok() != Some(namespace_id)
    }

    /// The next few that have the keys.
    fn next_looks(&self) -> Vec<(Id, Namespace)> {
        let after = self.done.iter().filter(|(id, _)| Some(**id) > self.looked);
        after
            .take(LOOKS)
            .map(|(id, namespace)| (*id, namespace.clone()))
            .collect()
    }
}

/// Whether `/proc/PID/ns` of whichever process may be looked at. See ptrace(2), "Ptrace access mode checking".
fn sees_every_process() -> bool {
    capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::SYS_PTRACE))
}

fn told(namespace: &Namespace, error: &anyhow::Error) -> String {
    let hint = hint::of(error).map_or_else(String::new, |hint| format!(" ({hint})"));
    format!("{}: {}{hint}", machine::name(namespace), program::message(error))
}
