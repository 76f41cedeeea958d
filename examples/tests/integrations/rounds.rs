//! The table that the example `round_trips` prints.

use std::time::Duration;

use fastopen_examples::table;
use fastopen_lab::testing::{LabTest, test};

pub(crate) fn tests() -> impl Iterator<Item = LabTest> {
    [test(
        "rounds::each_request_takes_the_rounds_it_is_to",
        each_request_takes_the_rounds_it_is_to,
    )]
    .into_iter()
}

fn each_request_takes_the_rounds_it_is_to() {
    let rows = table::measure(Duration::from_millis(60));
    println!("{}", table::header());
    for row in &rows {
        println!("{row}");
    }
    let wrong: Vec<_> = rows.iter().filter(|row| !row.is_within(0.1)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
