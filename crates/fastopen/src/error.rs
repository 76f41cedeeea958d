//! A call to the system that failed, by its name.

use std::fmt;
use std::io;

/// A call to the system that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallError {
    call: &'static str,
    code: i32,
}

impl CallError {
    pub(crate) fn new(call: &'static str, error: &io::Error) -> Self {
        Self {
            call,
            code: error.raw_os_error().unwrap_or(0),
        }
    }

    pub(crate) const fn from_code(call: &'static str, code: i32) -> Self {
        Self { call, code }
    }

    /// The call, such as `setsockopt(SO_MARK)`.
    pub fn call(&self) -> &'static str {
        self.call
    }

    /// The system's error number (`errno`).
    pub fn code(&self) -> i32 {
        self.code
    }

    /// What kind of error the number stands for.
    pub fn kind(&self) -> io::ErrorKind {
        io::Error::from_raw_os_error(self.code).kind()
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.call, io::Error::from_raw_os_error(self.code))
    }
}

impl std::error::Error for CallError {}

impl From<CallError> for io::Error {
    fn from(error: CallError) -> Self {
        Self::new(error.kind(), error)
    }
}
