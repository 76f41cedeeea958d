//! The connections that are followed, found by their two ends.

use std::hash::BuildHasher;
use std::time::Duration;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::deadlines::{Deadline, Place};
use super::flow::FlowKey;
use super::lone::LoneSyn;
use super::machine::Handshake;

/// The connections lie in places that are used again, and only the places are hashed: an index so small stays in the processor's cache,
/// where most packets that begin a connection find that there is none yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    index: HashTable<Place>,
    places: Vec<Option<Followed>>,
    free: Vec<Place>,
    hasher: RandomState,
}

/// A connection that is followed.
#[derive(Clone, Debug)]
pub(super) struct Followed {
    pub(super) key: FlowKey,
    pub(super) deadline: Deadline,
    pub(super) state: State,
}

/// What is known of it.
#[derive(Clone, Debug)]
pub(super) enum State {
    Lone(LoneSyn),
    Begun(Box<Handshake>),
}

impl State {
    /// The handshake, for its next packet.
    pub(super) fn begun(&mut self, key: &FlowKey, due: Duration) -> &mut Handshake {
        if let Self::Lone(syn) = self {
            *self = Self::Begun(Box::new(syn.handshake(key, due)));
        }
        match self {
            Self::Begun(handshake) => handshake,
            Self::Lone(_) => unreachable!("it was begun above"),
        }
    }
}

impl Followed {
    /// The handshake, for its next packet.
    pub(super) fn handshake(&mut self) -> &mut Handshake {
        self.state.begun(&self.key, self.deadline.due)
    }

    /// The handshake as far as it came.
    pub(super) fn into_handshake(self) -> Handshake {
        match self.state {
            State::Begun(handshake) => *handshake,
            State::Lone(syn) => syn.handshake(&self.key, self.deadline.due),
        }
    }
}

impl Table {
    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    pub(super) fn find(&self, key: &FlowKey) -> Option<Place> {
        let hash = self.hasher.hash_one(key);
        self.index
            .find(hash, |place| has_key(&self.places, *place, key))
            .copied()
    }

    pub(super) fn at(&self, place: Place) -> Option<&Followed> {
        self.places.get(place as usize)?.as_ref()
    }

    pub(super) fn at_mut(&mut self, place: Place) -> Option<&mut Followed> {
        self.places.get_mut(place as usize)?.as_mut()
    }

    /// Adds a connection whose key [is not there](Self::find).
    pub(super) fn add(&mut self, followed: Followed) -> Place {
        let hash = self.hasher.hash_one(followed.key);
        let place = match self.free.pop() {
            Some(place) => {
                self.places[place as usize] = Some(followed);
                place
            }
            None => {
                self.places.push(Some(followed));
                (self.places.len() - 1) as Place
            }
        };
        let rehash = |place: &Place| match &self.places[*place as usize] {
            Some(followed) => self.hasher.hash_one(followed.key),
            None => 0,
        };
        self.index.insert_unique(hash, place, rehash);
        place
    }

    pub(super) fn remove(&mut self, place: Place) -> Option<Followed> {
        let followed = self.places.get_mut(place as usize)?.take()?;
        let hash = self.hasher.hash_one(followed.key);
        if let Ok(entry) = self.index.find_entry(hash, |other| *other == place) {
            entry.remove();
        }
        self.free.push(place);
        Some(followed)
    }

    /// All of them, with their places.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Place, &Followed)> {
        let places = (0..).zip(&self.places);
        places.filter_map(|(place, followed)| Some((place, followed.as_ref()?)))
    }
}

fn has_key(places: &[Option<Followed>], place: Place, key: &FlowKey) -> bool {
    places[place as usize]
        .as_ref()
        .is_some_and(|followed| followed.key == *key)
}
