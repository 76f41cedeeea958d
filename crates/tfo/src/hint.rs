//! Errors that say what to do next.

use std::error::Error;
use std::fmt;

/// Adds what would help to an error. It is printed on a line of its own, below the error and its causes.
///
/// ```
/// use tfo::hint::Hint;
///
/// let error = std::fs::read("/no/such/key").hint("make one with: tfo keys generate").unwrap_err();
/// assert_eq!(tfo::hint::of(&error), Some("make one with: tfo keys generate"));
/// ```
pub trait Hint<T> {
    /// Adds a hint: an imperative sentence without a full stop, with the exact command where there is one.
    ///
    /// # Errors
    /// The error that it was called on.
    fn hint(self, hint: impl Into<String>) -> anyhow::Result<T>;
}

impl<T, E: Into<anyhow::Error>> Hint<T> for Result<T, E> {
    fn hint(self, hint: impl Into<String>) -> anyhow::Result<T> {
        self.map_err(|error| with(error, hint))
    }
}

/// The error with a hint.
pub fn with(error: impl Into<anyhow::Error>, hint: impl Into<String>) -> anyhow::Error {
    anyhow::Error::new(Hinted {
        error: error.into(),
        hint: hint.into(),
    })
}

/// The hint that an error carries, if any; the one added last.
pub fn of(error: &anyhow::Error) -> Option<&str> {
    error.downcast_ref::<Hinted>().map(|hinted| hinted.hint.as_str())
}

/// Looks exactly like the error in it, so that the chain of causes stays as it is.
#[derive(Debug)]
struct Hinted {
    error: anyhow::Error,
    hint: String,
}

impl fmt::Display for Hinted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl Error for Hinted {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}
