//! Which connection times out next.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Where a connection stands in the table, as long as it is followed.
pub(super) type Place = u32;

/// When a connection times out; of several at the same time, the oldest comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Deadline {
    pub(super) due: Duration,
    pub(super) age: u64,
}

/// Deadlines, the next one first.
///
/// There are two lengths of time to wait, so nearly all deadlines are later than any before of the same length: a queue for each needs
/// neither comparisons nor moves. The few others, as where times go back, are in a map.
///
/// A deadline that no longer holds stays until it comes up, or until most deadlines no longer hold.
#[derive(Clone, Debug, Default)]
pub(super) struct Deadlines {
    in_order: [VecDeque<(Deadline, Place)>; 2],
    others: BTreeMap<Deadline, Place>,
}

#[derive(Clone, Copy)]
enum Source {
    Queue(usize),
    Others,
}

impl Deadlines {
    pub(super) fn push(&mut self, deadline: Deadline, place: Place) {
        let fits =
            |queue: &&mut VecDeque<(Deadline, Place)>| queue.back().is_none_or(|(last, _)| *last < deadline);
        match self.in_order.iter_mut().find(fits) {
            Some(queue) => queue.push_back((deadline, place)),
            None => {
                self.others.insert(deadline, place);
            }
        }
    }

    /// The next deadline that holds; those before it are dropped.
    pub(super) fn next(&mut self, holds: impl Fn(&Deadline, Place) -> bool) -> Option<(Deadline, Place)> {
        while let Some((source, deadline, place)) = self.first() {
            if holds(&deadline, place) {
                return Some((deadline, place));
            }
            match source {
                Source::Queue(index) => drop(self.in_order[index].pop_front()),
                Source::Others => drop(self.others.pop_first()),
            }
        }
        None
    }

    /// Drops those that don't hold, where they are most of them and many.
    pub(super) fn tidy(&mut self, holding: usize, holds: impl Fn(&Deadline, Place) -> bool) {
        const FEW: usize = 64;
        if self.len() <= 2 * holding + FEW {
            return;
        }
        for queue in &mut self.in_order {
            queue.retain(|(deadline, place)| holds(deadline, *place));
        }
        self.others.retain(|deadline, place| holds(deadline, *place));
    }

    fn len(&self) -> usize {
        self.in_order.iter().map(VecDeque::len).sum::<usize>() + self.others.len()
    }

    fn first(&self) -> Option<(Source, Deadline, Place)> {
        let queues = self.in_order.iter().enumerate();
        let queued = queues.filter_map(|(index, queue)| {
            let (deadline, place) = *queue.front()?;
            Some((Source::Queue(index), deadline, place))
        });
        let other = self.others.first_key_value();
        let other = other.map(|(deadline, place)| (Source::Others, *deadline, *place));
        queued.chain(other).min_by_key(|(_, deadline, _)| *deadline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deadline(due: u64, age: u64) -> Deadline {
        let due = Duration::from_secs(due);
        Deadline { due, age }
    }

    #[test]
    fn they_come_in_order_whatever_the_order_they_went_in() {
        let dues = [120, 3, 121, 4, 2, 122, 1, 121, 3];
        let mut deadlines = Deadlines::default();
        let mut expected = Vec::new();
        for (age, due) in (0..).zip(dues) {
            deadlines.push(deadline(due, age), age as Place);
            expected.push((deadline(due, age), age as Place));
        }
        expected.sort_unstable_by_key(|(deadline, _)| *deadline);
        let mut past = Vec::new();
        while let Some(next) = deadlines.next(|deadline, _| !past.iter().any(|(past, _)| past == deadline)) {
            past.push(next);
        }
        assert_eq!(past, expected);
        assert_eq!(deadlines.len(), 0);
    }

    #[test]
    fn those_that_no_longer_hold_take_no_more_room_than_the_others() {
        let mut deadlines = Deadlines::default();
        for age in 0..10_000 {
            deadlines.push(deadline(age % 7, age), 0);
            deadlines.tidy(1, |deadline, _| deadline.age == 0);
            assert!(deadlines.len() <= 2 + 64, "{}", deadlines.len());
        }
        assert_eq!(
            deadlines.next(|deadline, _| deadline.age == 0),
            Some((deadline(0, 0), 0))
        );
    }
}
