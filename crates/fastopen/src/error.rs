//! A call to the system that failed, by its name.

use std::fmt;
use std::io;

/// A call to the system that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct CallError {
    call: &'static str,
    /// 0 where the error did not come from the system; then the kind says what is known.
    code: i32,
    #[cfg_attr(feature = "serde", serde(skip))]
    kind: io::ErrorKind,
}

impl CallError {
    pub(crate) fn new(call: &'static str, error: &io::Error) -> Self {
        Self {
            call,
            code: error.raw_os_error().unwrap_or(0),
            kind: match error.raw_os_error() {
                Some(_) => io::ErrorKind::Other,
                None => error.kind(),
            },
        }
    }

    pub(crate) const fn from_code(call: &'static str, code: i32) -> Self {
        Self {
            call,
            code,
            kind: io::ErrorKind::Other,
        }
    }

    /// The call, such as `setsockopt(SO_MARK)`.
    pub fn call(&self) -> &'static str {
        self.call
    }

    /// The system's error number (`errno`); 0 where the error came from elsewhere, such as the runtime.
    pub fn code(&self) -> i32 {
        self.code
    }

    /// What kind of error it is.
    pub fn kind(&self) -> io::ErrorKind {
        match self.code {
            0 => self.kind,
            code => io::Error::from_raw_os_error(code).kind(),
        }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            0 => write!(f, "{}: {}", self.call, self.kind),
            code => write!(f, "{}: {}", self.call, io::Error::from_raw_os_error(code)),
        }
    }
}

impl std::error::Error for CallError {}

/// The error number survives, and the name of the call does not.
impl From<CallError> for io::Error {
    fn from(error: CallError) -> Self {
        match error.code {
            0 => Self::new(error.kind, error),
            code => Self::from_raw_os_error(code),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_survives_the_conversion() {
        let error = io::Error::from(CallError::from_code("connect", 111));
        assert_eq!(error.raw_os_error(), Some(111));
    }
}
