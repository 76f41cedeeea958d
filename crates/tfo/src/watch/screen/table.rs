//! The two tables: their columns, and their rows in the chosen order.

use std::cmp::{Ordering, Reverse};
use std::net::IpAddr;

use super::super::report::{ListenerRow, PeerRow, Report};

/// Which table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    Listeners,
    Peers,
}

/// A column with a number.
#[derive(Debug)]
pub(super) struct Column {
    name: &'static str,
    short: &'static str,
    pub(super) meaning: Meaning,
}

impl Column {
    /// The name, shortened on a screen of the usual width.
    pub(super) fn heading(&self, wide: bool) -> &'static str {
        if wide { self.name } else { self.short }
    }
}

/// What a number above zero means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    Good,
    Neutral,
    Bad,
}

const fn column(name: &'static str, meaning: Meaning) -> Column {
    Column {
        name,
        short: name,
        meaning,
    }
}

const UNCONFIRMED: Column = Column {
    name: "unconfirmed",
    short: "unconf.",
    meaning: Meaning::Neutral,
};

const LISTENERS: &[Column] = &[
    column("fast", Meaning::Good),
    UNCONFIRMED,
    column("plain", Meaning::Neutral),
    column("half-open", Meaning::Neutral),
    column("queue", Meaning::Neutral),
    column("to-accept", Meaning::Neutral),
];

const PEERS: &[Column] = &[
    column("accepted", Meaning::Good),
    column("no-cookie", Meaning::Neutral),
    column("ignored", Meaning::Bad),
    column("syn-lost", Meaning::Bad),
    column("unknown", Meaning::Neutral),
    column("fast", Meaning::Good),
    UNCONFIRMED,
    column("plain", Meaning::Neutral),
];

/// What rows are ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Connections,
    Address,
    /// The column with this number.
    Column(usize),
}

/// An order of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sort {
    pub(super) key: Key,
    pub(super) reversed: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) address: String,
    order: (IpAddr, u16),
    connections: u64,
    /// One for each column; `None` where the kernel does not report it.
    pub(super) numbers: Vec<Option<u64>>,
}

impl Table {
    pub(super) const fn columns(self) -> &'static [Column] {
        match self {
            Self::Listeners => LISTENERS,
            Self::Peers => PEERS,
        }
    }

    /// The table's rows in this order: numbers downwards, addresses upwards, unless reversed.
    pub(super) fn rows(self, report: &Report, sort: Sort) -> Vec<Row> {
        let mut rows: Vec<Row> = match self {
            Self::Listeners => report.listeners.iter().map(listener).collect(),
            Self::Peers => report.peers.iter().map(peer).collect(),
        };
        rows.sort_by(|one, other| {
            let order = compare(one, other, sort.key);
            if sort.reversed { order.reverse() } else { order }
        });
        rows
    }
}

fn compare(one: &Row, other: &Row, key: Key) -> Ordering {
    let by = |row: &Row| match key {
        Key::Address => None,
        Key::Connections => Some(row.connections),
        Key::Column(column) => row.numbers.get(column).copied().flatten(),
    };
    Reverse(by(one))
        .cmp(&Reverse(by(other)))
        .then_with(|| one.order.cmp(&other.order))
}

fn listener(row: &ListenerRow) -> Row {
    Row {
        address: row.address.to_string(),
        order: (row.address.ip(), row.address.port()),
        connections: row.incoming.total(),
        numbers: vec![
            Some(row.incoming.fast),
            Some(row.incoming.unconfirmed),
            Some(row.incoming.plain),
            Some(row.incoming.half_open),
            row.fast_open_queue,
            Some(row.to_accept),
        ],
    }
}

fn peer(row: &PeerRow) -> Row {
    let (outgoing, incoming) = (row.ends.outgoing, row.ends.incoming);
    let numbers = [
        outgoing.accepted,
        outgoing.no_cookie,
        outgoing.ignored,
        outgoing.syn_lost,
        outgoing.unknown,
        incoming.fast,
        incoming.unconfirmed,
        incoming.plain,
    ];
    Row {
        address: row.address.to_string(),
        order: (row.address, 0),
        connections: row.ends.total(),
        numbers: numbers.map(Some).to_vec(),
    }
}

impl Sort {
    pub(super) const BUSIEST_FIRST: Self = Self {
        key: Key::Connections,
        reversed: false,
    };

    /// By the next key of the table, or the one before.
    pub(super) fn step(self, table: Table, forwards: bool) -> Self {
        let keys = 2 + table.columns().len();
        let place = match self.key {
            Key::Connections => 0,
            Key::Address => 1,
            Key::Column(column) => 2 + column,
        };
        let key = match (place + if forwards { 1 } else { keys - 1 }) % keys {
            0 => Key::Connections,
            1 => Key::Address,
            place => Key::Column(place - 2),
        };
        Self { key, reversed: false }
    }

    /// Such as `by plain ▼`.
    pub(super) fn name(self, table: Table) -> String {
        let name = match self.key {
            Key::Connections => "connections",
            Key::Address => "address",
            Key::Column(column) => table.columns()[column].name,
        };
        format!("by {name} {}", self.arrow())
    }

    fn arrow(self) -> char {
        match (self.key == Key::Address) == self.reversed {
            true => '▼',
            false => '▲',
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::sample;
    use super::*;

    fn addresses(table: Table, sort: Sort) -> Vec<String> {
        let rows = table.rows(&sample::report(), sort);
        rows.into_iter().map(|row| row.address).collect()
    }

    #[test]
    fn numbers_go_downwards_and_addresses_upwards_unless_reversed() {
        let sort = Sort::BUSIEST_FIRST;
        let busiest = addresses(Table::Peers, sort);
        let mut least_busy_first = addresses(
            Table::Peers,
            Sort {
                reversed: true,
                ..sort
            },
        );
        least_busy_first.reverse();
        assert_eq!(busiest, least_busy_first);
        assert_eq!(busiest[0], "192.0.2.1");
        let by_address = addresses(Table::Peers, sort.step(Table::Peers, true));
        assert_eq!(by_address[0], "127.0.0.1");
    }

    #[test]
    fn every_key_comes_round_in_both_directions() {
        for table in [Table::Listeners, Table::Peers] {
            for forwards in [true, false] {
                let mut sort = Sort::BUSIEST_FIRST;
                let mut names = Vec::new();
                for _ in 0..2 + table.columns().len() {
                    sort = sort.step(table, forwards);
                    names.push(sort.name(table));
                }
                assert_eq!(sort, Sort::BUSIEST_FIRST);
                let count = names.len();
                names.sort();
                names.dedup();
                assert_eq!(names.len(), count);
            }
        }
    }

    #[test]
    fn rows_have_a_number_for_each_column() {
        for table in [Table::Listeners, Table::Peers] {
            for row in table.rows(&sample::report(), Sort::BUSIEST_FIRST) {
                assert_eq!(row.numbers.len(), table.columns().len(), "{table:?}");
            }
        }
    }

    #[test]
    fn arrows_point_where_the_large_ones_are() {
        let sort = Sort::BUSIEST_FIRST;
        assert_eq!(sort.name(Table::Peers), "by connections ▼");
        assert_eq!(
            Sort {
                reversed: true,
                ..sort
            }
            .name(Table::Peers),
            "by connections ▲"
        );
        assert_eq!(sort.step(Table::Peers, true).name(Table::Peers), "by address ▲");
        assert_eq!(
            sort.step(Table::Listeners, false).name(Table::Listeners),
            "by to-accept ▼"
        );
    }
}
