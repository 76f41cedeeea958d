//! A `main` for tests that need a lab (feature `testing`).
//!
//! A test binary with `harness = false` and this as its main function makes its process ready for a [`Lab`](crate::Lab) while there
//! is one thread, then runs the tests with the usual command line. Where there can be no lab every test fails with the reason; only
//! `FASTOPEN_LAB=off` in the environment skips them, and says so. A test whose [`program`] is not installed counts as ignored, unless
//! `FASTOPEN_REQUIRE_PROGRAMS` is set, as it is in CI; and so does one that [`skip`]s itself, since the kernel lacks what it is about.
//!
//! ```no_run
//! use fastopen_lab::testing::{self, test};
//! use fastopen_lab::{Lab, Scenario};
//!
//! fn main() -> std::process::ExitCode {
//!     testing::main([test("a_lab_has_a_server", a_lab_has_a_server)])
//! }
//!
//! fn a_lab_has_a_server() {
//!     let lab = Lab::new(&Scenario::new("clean")).unwrap();
//!     assert_eq!(lab.server().unwrap().ipv4().to_string(), "192.0.2.2");
//! }
//! ```

mod programs;

use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::ExitCode;
use std::thread;

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use programs::Skipped;
pub use programs::{Running, need, program, program_path};

/// A test that needs a lab.
pub struct LabTest {
    name: String,
    body: Box<dyn FnOnce() + Send>,
}

/// A test that needs a lab: it passes unless it panics.
pub fn test(name: impl Into<String>, body: impl FnOnce() + Send + 'static) -> LabTest {
    LabTest {
        name: name.into(),
        body: Box::new(body),
    }
}

impl LabTest {
    /// The same in other circumstances: something is done first, on the test's thread, and its name says so.
    pub fn after(self, circumstances: &str, first: impl FnOnce() + Send + 'static) -> Self {
        let body = self.body;
        test(format!("{circumstances}::{}", self.name), move || {
            first();
            body();
        })
    }
}

/// Text that is printed if the thread panics before this is dropped: a passing test prints nothing.
#[must_use = "it is printed while it lives"]
pub struct OnFailure(String);

/// Keeps a text for the case that the test fails.
pub fn on_failure(text: impl Into<String>) -> OnFailure {
    OnFailure(text.into())
}

impl Drop for OnFailure {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("{}", self.0);
        }
    }
}

/// Ends the test here, as ignored for that reason: what it is about is not in this kernel.
pub fn skip(reason: impl Into<String>) -> ! {
    resume_unwind(Box::new(Skipped(reason.into())))
}

/// Enters, and runs the tests that the command line asks for. To be called first thing in `main`.
pub fn main(tests: impl IntoIterator<Item = LabTest>) -> ExitCode {
    run(Arguments::from_args(), tests)
}

/// As [`main`], with so many tests at once if the command line does not say how many: for those that mostly wait, as for a time-out.
pub fn main_with_threads(threads: usize, tests: impl IntoIterator<Item = LabTest>) -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(threads);
    run(arguments, tests)
}

fn run(arguments: Arguments, tests: impl IntoIterator<Item = LabTest>) -> ExitCode {
    let off = env::var("FASTOPEN_LAB").is_ok_and(|value| value == "off");
    if off {
        eprintln!("FASTOPEN_LAB=off: skipping every test that needs a lab");
    }
    // Before the runner starts threads, and not where nothing will run.
    let entered = if off || arguments.list {
        Ok(())
    } else {
        crate::enter()
    };
    let reason = match entered {
        _ if off => Some("FASTOPEN_LAB=off".to_owned()),
        Ok(()) => None,
        Err(error) => Some(error.to_string()),
    };
    let trials = tests
        .into_iter()
        .map(|test| trial(test, reason.clone()).with_ignored_flag(off))
        .collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trial(test: LabTest, reason: Option<String>) -> Trial {
    Trial::ignorable_test(test.name, move || match reason {
        Some(reason) => Err(Failed::from(format!(
            "no lab: {reason}; only FASTOPEN_LAB=off skips the tests that need one"
        ))),
        None => match catch_unwind(AssertUnwindSafe(test.body)) {
            Ok(()) => Ok(Completion::Completed),
            Err(panic) => match panic.downcast::<Skipped>() {
                Ok(skipped) => Ok(Completion::ignored_with(skipped.0)),
                Err(panic) => resume_unwind(panic),
            },
        },
    })
}
