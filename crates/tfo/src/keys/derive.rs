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

pub(super) fn time(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string()
}

#[derive(Clone, Copy, Debug)]
struct At(SystemTime);

impl FromStr for At {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // The last second of the year 9999, the last that RFC 3339 can write; the next change comes up to half a week later.
        const LATEST: u64 = 253_402_300_799 - 604_800;
        if let Ok(seconds) = text.parse::<u64>() {
            return match seconds {
                ..=LATEST => Ok(Self(UNIX_EPOCH + Duration::from_secs(seconds))),
                _ => Err("the year has more than four digits".to_owned()),
            };
        }
        humantime::parse_rfc3339(text)
            .map(Self)
            .map_err(|error| format!("{error}; a time is 2026-11-27T12:00:00Z, or seconds since 1970"))
    }
}
