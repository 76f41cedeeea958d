//! The library under load: signals all the time, thousands of connects at once, thousands of addresses that never answer.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod crowds;
#[path = "../common/in_host.rs"]
mod in_host;
mod signals;
mod sys;

use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use fastopen_lab::testing::{self, LabTest, test};

fn main() -> ExitCode {
    // An ordinary user has a limit of 1024 unless it is raised.
    let limit = rlimit::increase_nofile_limit(u64::MAX).unwrap();
    assert!(
        limit >= 12_000,
        "these tests need 12,000 descriptors, and the limit is {limit}"
    );
    testing::main(signals::tests().chain(crowds::tests()))
}

/// A test that no other one of these runs beside: they count what the process and the machine have.
fn alone(name: &str, body: fn()) -> LabTest {
    static ALONE: Mutex<()> = Mutex::new(());
    test(name, move || {
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        body();
    })
}
