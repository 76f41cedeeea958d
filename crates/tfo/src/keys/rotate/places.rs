//! The network namespaces whose keys are kept to the schedule.

use std::collections::BTreeMap;
use std::thread;

use fastopen::KeyRing;

use super::super::kernel;
use super::listeners::{self, Listeners};
use crate::namespace::Namespace;
use crate::namespace::machine::{self, Id};
use crate::{hint, program};

/// What a hint tells to run as root.
const COMMAND: &str = "tfo keys rotate";
/// In how many namespaces that have the keys already it is looked whether they still do, each time.
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

    /// Sets other keys everywhere. Says what failed, and where.
    pub(super) fn set(&mut self, keys: &KeyRing) -> Vec<String> {
        self.done.clear();
        self.keep(keys)
    }

    /// Sets the keys where they are not: in namespaces that are new, and where somebody else changed them. Says what failed, and where.
    pub(super) fn keep(&mut self, keys: &KeyRing) -> Vec<String> {
        let (found, mut failures) = self.find();
        self.done.retain(|id, _| found.contains_key(id));
        if let Some(listeners) = &mut self.listeners {
            listeners.retain(|id| found.contains_key(id));
        }
        let new: Vec<(Id, Namespace)> = found
            .into_iter()
            .filter(|(id, _)| !self.done.contains_key(id))
            .collect();
        let old = self.next_looks();
        if new.is_empty() && old.is_empty() {
            return failures;
        }
        let here = machine::here();
        let with_listeners = self.listeners.is_some();
        let mut listening = BTreeMap::new();
        let mut unlisted = Vec::new();
        let mut look_for_listeners = |id: Id, namespace: &Namespace| {
            if !with_listeners {
                return;
            }
            match listeners::here() {
                Ok(found) => drop(listening.insert(id, found)),
                Err(error) => unlisted.push(told(namespace, &error.into())),
            }
        };
        let work = || {
            let new: Vec<_> = new
                .into_iter()
                .map(|(id, namespace)| {
                    let written =
                        machine::enter(here, id, &namespace, COMMAND).and_then(|()| kernel::write(keys));
                    if written.is_ok() {
                        look_for_listeners(id, &namespace);
                    }
                    (id, namespace, written)
                })
                .collect();
            let old: Vec<_> = old
                .into_iter()
                .map(|(id, namespace)| {
                    let changed = machine::enter(here, id, &namespace, COMMAND)
                        .and_then(|()| kernel::read())
                        .map(|found| {
                            let changed = found.as_ref() != Some(keys);
                            changed.then(|| kernel::write(keys))
                        });
                    if changed.is_ok() {
                        look_for_listeners(id, &namespace);
                    }
                    (id, namespace, changed)
                })
                .collect();
            (new, old)
        };
        // A thread that has entered one namespace can go on to the next, and does not come back.
        let done = thread::scope(|scope| {
            thread::Builder::new()
                .spawn_scoped(scope, work)
                .map(thread::ScopedJoinHandle::join)
        });
        let (new, old) = match done {
            Ok(Ok(done)) => done,
            Ok(Err(_)) => return vec!["the thread that sets keys ended".to_owned()],
            Err(error) => return vec![format!("no thread to set keys with: {error}")],
        };
        for (id, namespace, written) in new {
            match written {
                Ok(()) => drop(self.done.insert(id, namespace)),
                Err(_) if self.is_gone(id, &namespace) => {}
                Err(error) => failures.push(told(&namespace, &error)),
            }
        }
        for (id, namespace, changed) in old {
            match changed {
                Ok(None) => {}
                Ok(Some(Ok(()))) => {
                    self.overwritten += 1;
                    failures.push(format!(
                        "{}: somebody else had set other keys; they are the schedule's again",
                        machine::name(&namespace)
                    ));
                }
                Ok(Some(Err(_))) | Err(_) if self.is_gone(id, &namespace) => drop(self.done.remove(&id)),
                Ok(Some(Err(error))) | Err(error) => {
                    self.done.remove(&id);
                    failures.push(told(&namespace, &error));
                }
            }
        }
        failures.extend(unlisted);
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
            Wanted::All => found = machine::all(),
        }
        (found, failures)
    }

    /// Whether it was found and has ended since, as containers and their processes do at any time.
    fn is_gone(&self, namespace_id: Id, namespace: &Namespace) -> bool {
        matches!(self.wanted, Wanted::All) && machine::id(namespace).ok() != Some(namespace_id)
    }

    /// The next few that have the keys.
    fn next_looks(&mut self) -> Vec<(Id, Namespace)> {
        let after = self.done.iter().filter(|(id, _)| Some(**id) > self.looked);
        let looks: Vec<_> = after
            .take(LOOKS)
            .map(|(id, namespace)| (*id, namespace.clone()))
            .collect();
        self.looked = match looks.len() {
            LOOKS => looks.last().map(|(id, _)| *id),
            _ => None,
        };
        looks
    }
}

fn told(namespace: &Namespace, error: &anyhow::Error) -> String {
    let hint = hint::of(error).map_or_else(String::new, |hint| format!(" ({hint})"));
    format!("{}: {}{hint}", machine::name(namespace), program::message(error))
}
