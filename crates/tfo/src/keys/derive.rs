//! The keys that follow from the secret.

use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use zeroize::Zeroizing;

use super::Output;
use super::report::{Derived, Text};
use super::secret::Source;
use crate::fingerprint;

/// Print the keys that follow from the secret and the time, as PRIMARY,BACKUP in the form of net.ipv4.tcp_fastopen_key
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER)]
pub(super) struct Args {
    #[command(flatten)]
    source: Source,
    /// The time, in place of now: 2026-11-27T12:00:00Z, or seconds since 1970
    #[arg(long, value_name = "TIME")]
    at: Option<At>,
    #[command(flatten)]
    pub(super) output: Output,
}

const AFTER: &str = "\
Examples:
  tfo keys derive --secret tfo.secret    Those of this time
  tfo keys derive --secret tfo.secret --at 2026-12-24T00:00:02Z --json
                                         Those of another time, with when they change
  tfo keys derive --secret-command 'etcdctl get --print-value-only tfo' | sudo tfo keys set --key-file -
                                         Set what follows from a secret in etcd

Exit status:
  0  printed
  2  wrong usage, or no secret";

impl Args {
    pub(super) fn report(&self) -> anyhow::Result<Derived> {
        self.source.check()?;
        let rotation = self.source.rotation()?;
        let at = self.at.map_or_else(SystemTime::now, |at| at.0);
        let keys = rotation.keys(at);
        Ok(Derived {
            keys: Text(Zeroizing::new(keys.to_string())),
            period: rotation.period(at),
            at: time(at),
            next_change: time(rotation.next_change(at)),
            fingerprints: fingerprint::of_ring(&keys),
        })
    }
}

/// RFC 3339. A clock that was set wrong may say what that can't write: before 1970, or after 9999.
pub(super) fn time(time: SystemTime) -> String {
    let latest = UNIX_EPOCH + Duration::from_secs(LAST_SECOND);
    humantime::format_rfc3339_seconds(time.clamp(UNIX_EPOCH, latest)).to_string()
}

/// The last second of the year 9999.
const LAST_SECOND: u64 = 253_402_300_799;
/// The next change comes up to half a week later.
const LATEST: u64 = LAST_SECOND - 604_800;

#[derive(Clone, Copy, Debug)]
struct At(SystemTime);

impl FromStr for At {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(seconds) = text.parse::<u64>() {
            return match seconds {
                ..=LATEST => Ok(Self(UNIX_EPOCH + Duration::from_secs(seconds))),
                _ => Err("its next change may be after the year 9999".to_owned()),
            };
        }
        let at = humantime::parse_rfc3339(text)
            .map_err(|error| format!("{error}; a time is 2026-11-27T12:00:00Z, or seconds since 1970"))?;
        match at > UNIX_EPOCH + Duration::from_secs(LATEST) {
            true => Err("its next change may be after the year 9999".to_owned()),
            false => Ok(Self(at)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_time_is_out_of_range() {
        for text in [
            "9999-12-31T23:59:59Z",
            "9999-12-25T00:00:00Z",
            "253402300799",
            "18446744073709551615",
        ] {
            assert!(text.parse::<At>().is_err(), "{text}");
        }
        assert!("9999-12-24T23:59:59Z".parse::<At>().is_ok());
        assert_eq!(
            time(UNIX_EPOCH + Duration::from_secs(1 << 40)),
            "9999-12-31T23:59:59Z"
        );
        assert_eq!(time(UNIX_EPOCH - Duration::from_secs(1)), "1970-01-01T00:00:00Z");
    }
}
