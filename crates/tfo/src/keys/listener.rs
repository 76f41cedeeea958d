//! The keys of listeners' own, which override those of their network namespace.

use anyhow::Context;
use fastopen::KeyRing;
use fastopen_attach::listeners::{self, Held};

use super::kernel;
use super::report::{self, Action, ListenerKeys, Listeners};
use crate::hint::{self, Hint};
use crate::listener_address::ListenerAddress;

/// What a hint tells to run as root is the command itself.
const PRIVILEGES: &str =
    "run it as root, or as the user that the server runs as: it takes a duplicate of the server's socket";

/// The keys of the listeners there.
pub(super) fn read(place: &ListenerAddress, action: Action, reveal: bool) -> anyhow::Result<Listeners> {
    let listeners = at(place)?
        .iter()
        .map(|held| Ok(ListenerKeys::new(held, held.keys()?.as_ref(), reveal)))
        .collect::<anyhow::Result<_>>();
    Ok(Listeners {
        action,
        listeners: listeners.hint(PRIVILEGES)?,
    })
}

/// Sets the keys of every listener there, and reads them back.
pub(super) fn write(place: &ListenerAddress, keys: &KeyRing) -> anyhow::Result<Listeners> {
    kernel::check(keys)?;
    let found = at(place)?;
    let mut listeners = Vec::new();
    for held in &found {
        let before = held.keys();
        let set = before.and_then(|before| {
            held.set_keys(keys)?;
            Ok((before, held.keys()?))
        });
        let (before, now) = set
            .with_context(|| match listeners.len() {
                0 => "nothing was set".to_owned(),
                done => format!("{done} of {} listeners there have the new keys", found.len()),
            })
            .hint(PRIVILEGES)?;
        anyhow::ensure!(
            now.as_ref() == Some(keys),
            "the listener {} has other keys than were set: another program sets them too",
            held.listener.address
        );
        listeners.push(ListenerKeys {
            replaced: report::replaced(before.as_ref(), keys),
            ..ListenerKeys::new(held, Some(keys), false)
        });
    }
    Ok(Listeners {
        action: Action::Set,
        listeners,
    })
}

/// The listeners that have keys of their own, as far as this process may look, and how many others use Fast Open and can't be looked into.
pub(super) fn with_own_keys() -> anyhow::Result<(Vec<ListenerKeys>, usize)> {
    let mut own = Vec::new();
    let mut unknown = 0;
    for held in listeners::list()? {
        if !held.listener.uses_fast_open() {
            continue;
        }
        match held.keys() {
            Ok(Some(keys)) => own.push(ListenerKeys::new(&held, Some(&keys), false)),
            Ok(None) => {}
            Err(_) => unknown += 1,
        }
    }
    Ok((own, unknown))
}

fn at(place: &ListenerAddress) -> anyhow::Result<Vec<Held>> {
    let (there, elsewhere): (Vec<_>, Vec<_>) = listeners::list()?
        .into_iter()
        .partition(|held| place.is(held.listener.address));
    if !there.is_empty() {
        return Ok(there);
    }
    let mut others: Vec<String> = elsewhere
        .iter()
        .map(|held| held.listener.address.to_string())
        .collect();
    others.dedup();
    Err(hint::with(
        anyhow::anyhow!("there is no TCP listener at {place}"),
        match others.len() {
            0 => "start the server first; for one in a container: --netns PID".to_owned(),
            1..=5 => format!(
                "there are listeners at {}; for one in a container: --netns PID",
                others.join(", ")
            ),
            many => {
                format!("there are {many} listeners elsewhere (ss -ltn); for one in a container: --netns PID")
            }
        },
    ))
}
