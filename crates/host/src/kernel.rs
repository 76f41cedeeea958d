//! The running kernel's version.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use crate::error::Error;
use crate::proc;

/// A Linux version, as far as it says what the kernel can do.
///
/// Versions compare by their three numbers. Distributions bring features back into older kernels, so that a lower version is a hint,
/// not a proof, that a feature is missing.
///
/// ```
/// use fastopen_host::KernelVersion;
///
/// let debian: KernelVersion = "6.1.0-28-amd64".parse()?;
/// assert!(debian >= KernelVersion::new(5, 14, 0));
/// assert_eq!(debian.to_string(), "6.1.0");
/// # Ok::<(), fastopen_host::ParseKernelVersionError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KernelVersion {
    /// The first number.
    pub major: u32,
    /// The second number.
    pub minor: u32,
    /// The third number; 0 where there is none.
    pub patch: u32,
}

impl KernelVersion {
    /// Makes a version of its three numbers.
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self { major, minor, patch }
    }

    /// The version that is running (`/proc/sys/kernel/osrelease`).
    ///
    /// # Errors
    /// [`Error`] where `/proc` doesn't tell, and on other systems than Linux.
    pub fn running() -> Result<Self, Error> {
        const PATH: &str = "/proc/sys/kernel/osrelease";
        let text = proc::read(Path::new(PATH))?.ok_or_else(|| Error::malformed(PATH, "it is not there"))?;
        text.parse()
            .map_err(|error: ParseKernelVersionError| Error::malformed(PATH, error.to_string()))
    }
}

impl fmt::Display for KernelVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl FromStr for KernelVersion {
    type Err = ParseKernelVersionError;

    /// Takes two or three numbers; whatever a distribution put behind them is left out.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let numbers = text
            .find(|character: char| !character.is_ascii_digit() && character != '.')
            .map_or(text, |end| &text[..end]);
        let mut numbers = numbers.split('.').map(str::parse);
        match (numbers.next(), numbers.next(), numbers.next()) {
            (Some(Ok(major)), Some(Ok(minor)), None | Some(Err(_))) => Ok(Self::new(major, minor, 0)),
            (Some(Ok(major)), Some(Ok(minor)), Some(Ok(patch))) => Ok(Self::new(major, minor, patch)),
            _ => Err(ParseKernelVersionError {
                text: text.chars().take(64).collect(),
            }),
        }
    }
}

/// Text that does not start with a kernel's version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} does not start with a version such as 6.1.0")]
pub struct ParseKernelVersionError {
    /// The text, cut to 64 characters.
    pub text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_distributions_write_is_taken() {
        for (text, version) in [
            ("6.18.44-fc-v669\n", KernelVersion::new(6, 18, 44)),
            (
                "5.15.153.1-microsoft-standard-WSL2",
                KernelVersion::new(5, 15, 153),
            ),
            ("4.18.0-553.el8_10.x86_64", KernelVersion::new(4, 18, 0)),
            ("5.10-rc3", KernelVersion::new(5, 10, 0)),
            ("6.9.", KernelVersion::new(6, 9, 0)),
        ] {
            assert_eq!(text.parse(), Ok(version), "{text:?}");
        }
    }

    #[test]
    fn versions_compare_by_number() {
        assert!(KernelVersion::new(5, 4, 0) < KernelVersion::new(5, 14, 0));
        assert!(KernelVersion::new(5, 14, 21) > KernelVersion::new(5, 14, 0));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "linux", "6", "6.", ".1", "-6.1", "99999999999.1"] {
            assert!(text.parse::<KernelVersion>().is_err(), "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn text_is_taken_back(major: u32, minor: u32, patch: u32) {
            let version = KernelVersion::new(major, minor, patch);
            assert_eq!(version.to_string().parse(), Ok(version));
        }

        #[test]
        fn any_text_is_taken_or_refused(text: String) {
            let _ = text.parse::<KernelVersion>();
        }
    }
}
