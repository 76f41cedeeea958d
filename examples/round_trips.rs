//! Prints how many round trips a first answer takes, over 60 ms, with the libraries as they are. Needs no privilege and no network:
//!
//! ```text
//! cargo run -p fastopen-examples --example round_trips
//! ```

use std::time::Duration;

use fastopen_examples::table;

fn main() -> Result<(), fastopen_lab::Error> {
    // A network of its own, before there are threads.
    fastopen_lab::enter()?;
    println!("{}", table::header());
    for row in table::measure(Duration::from_millis(60)) {
        println!("{row}");
    }
    Ok(())
}
