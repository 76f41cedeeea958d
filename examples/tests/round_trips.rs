//! The table that the example `round_trips` prints, to within ten percent. In a program of its own, for it measures time.

use std::process::ExitCode;
use std::time::Duration;

use fastopen_examples::table;
use fastopen_lab::testing::{self, test};

fn main() -> ExitCode {
    testing::main([test(
        "each_request_takes_its_round_trips",
        each_request_takes_its_round_trips,
    )])
}

fn each_request_takes_its_round_trips() {
    let rows = table::measure(Duration::from_millis(60));
    let wrong: Vec<_> = rows.iter().filter(|row| !row.is_within(0.1)).collect();
    let drawn: Vec<_> = rows.iter().map(ToString::to_string).collect();
    assert!(
        wrong.is_empty(),
        "{wrong:#?}\n{}\n{}",
        table::header(),
        drawn.join("\n")
    );
}
