//! What is done about listeners that are new, or could not be switched before.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::time::Instant;

use fastopen_attach::listeners::{self, Held};
use fastopen_host::listeners::Listener;
use fastopen_host::owners::Process;

use super::super::queue;
use super::super::report::Socket;
use super::event::{Event, Switched, What};
use super::executables;
use super::rules::{Fit, Owner, Rules, Spot};
use super::survey::Place;
use super::table::{Entry, Table};
use crate::namespace::machine::{self, Id};

/// What was done.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub(super) events: Vec<Event>,
    pub(super) failures: u64,
}

impl AsRef<[Event]> for Done {
    fn as_ref(&self) -> &[Event] {
        &self.events
    }
}

/// Does what is due.
///
/// # Errors
/// `/proc` can't be read.
pub(super) fn on_due(
    table: &mut Table,
    rules: &Rules,
    places: &BTreeMap<Id, Place>,
    now: Instant,
) -> Result<Done, fastopen_host::Error> {
    let mut done = Done::default();
    let mut wanted: HashMap<u64, (Entry, &Place)> = HashMap::new();
    let mut listeners = Vec::new();
    for (inode, entry) in table.due(now) {
        let Some(place) = places.get(&entry.namespace) else {
            continue;
        };
        if rules.fit(spot(&entry, place), None) == Fit::None {
            table.settle(inode);
            continue;
        }
        wanted.insert(inode, (entry, place));
        listeners.push(Listener {
            address: entry.address,
            fast_open_queue: None,
            to_accept: 0,
            uid: entry.uid,
            inode,
        });
    }
    if listeners.is_empty() {
        return Ok(done);
    }
    let mut owners = Owners::default();
    for held in listeners::owned(listeners)? {
        let inode = held.listener.inode;
        let Some((entry, place)) = wanted.get(&inode) else {
            continue;
        };
        let facts = owners.of(&held.owners, rules);
        let rule = match rules.fit(spot(entry, place), Some(&facts)) {
            Fit::Rule(rule) => Some(rule),
            // What rules ask for can't be told.
            _ if held.owners.is_empty() => None,
            _ => {
                table.again(inode, now);
                continue;
            }
        };
        let switched = rule.and_then(|rule| rules.0.get(rule)).map_or_else(
            // It fails, as there is nobody to duplicate from.
            || held.set_queue(|before| before, None),
            |rule| held.set_queue(queue(rule.queue), rule.keys.as_ref()),
        );
        let told = |held: &Held, switched| Switched {
            rule: rule.map(|rule| rule + 1),
            netns: (!place.is_own).then(|| machine::name(&place.namespace)),
            socket: Socket::new(held, switched),
        };
        match switched {
            Ok(switched) => {
                table.switched(inode, switched.now);
                // One that is off and stays so, with the keys that it had.
                if (switched.before, switched.now) != (0, 0) || switched.keys_before != switched.keys_now {
                    done.events
                        .push(Event::now(What::Switched(told(&held, Ok(switched)))));
                }
            }
            Err(error) => {
                done.failures += 1;
                if table.failed(inode, now) {
                    done.events
                        .push(Event::now(What::Failed(told(&held, Err(error)))));
                }
            }
        }
    }
    Ok(done)
}

fn spot<'a>(entry: &Entry, place: &'a Place) -> Spot<'a> {
    Spot {
        address: entry.address,
        is_own_namespace: place.is_own,
        names: &place.names,
    }
}

/// What rules ask of processes, looked up once for each.
#[derive(Debug, Default)]
struct Owners(HashMap<u32, Owner>);

impl Owners {
    fn of(&mut self, processes: &[Process], rules: &Rules) -> Vec<Owner> {
        let look = |process: &Process| Owner {
            name: process.name.clone(),
            programs: executables::leading_to(rules, process.pid),
            groups: fs::read_to_string(format!("/proc/{}/cgroup", process.pid)).unwrap_or_default(),
        };
        processes
            .iter()
            .map(|process| self.0.entry(process.pid).or_insert_with(|| look(process)).clone())
            .collect()
    }
}
