//! Cookies computed from a server's key, without the kernel.

use std::net::IpAddr;

use anyhow::Context;
use fastopen::{Cookie, Key, KeyRing};

use super::output::Output;
use super::report::{Checked, Match, Minted};
use crate::hint::{self, Hint};
use crate::key_options::KeyOptions;
use crate::values;

/// Compute the cookie that a Linux server with this key grants to a client
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER_MINT)]
pub(super) struct Mint {
    #[command(flatten)]
    keys: KeyOptions,
    /// The client's IP address, as the server sees it
    #[arg(value_parser = values::ip)]
    client: IpAddr,
    /// The server's IP address that the client connects to
    #[arg(value_parser = values::ip)]
    server: IpAddr,
    #[command(flatten)]
    pub(super) output: Output,
}

const AFTER_MINT: &str = "\
Examples:
  tfo cookies mint --key-file /run/secrets/tfo 192.0.2.1 192.0.2.2
  sysctl -n net.ipv4.tcp_fastopen_key | tfo cookies mint --key-file - 192.0.2.1 192.0.2.2
                                         With the key of this machine, as root
  TFO_KEY=… tfo cookies mint 2001:db8::1 2001:db8::2

Exit status:
  0  computed
  2  wrong usage, or no key

Environment:
  TFO_KEY  the key or keys, where no option names them";

/// Say whether a Linux server with these keys accepts a cookie
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER_CHECK)]
pub(super) struct Check {
    #[command(flatten)]
    keys: KeyOptions,
    /// The client's IP address, as the server sees it
    #[arg(value_parser = values::ip)]
    client: IpAddr,
    /// The server's IP address that the client connects to
    #[arg(value_parser = values::ip)]
    server: IpAddr,
    /// The whole cookie, as in 3021b9d889017eeb
    cookie: Cookie,
    #[command(flatten)]
    pub(super) output: Output,
}

const AFTER_CHECK: &str = "\
Examples:
  tfo cookies check --key-file /run/secrets/tfo 192.0.2.1 192.0.2.2 3021b9d889017eeb
  pass tfo/key | tfo cookies check --key-file - 192.0.2.1 192.0.2.2 3021b9d889017eeb

Exit status:
  0  valid: one of the keys makes this cookie
  1  not valid
  2  wrong usage, or no key

Environment:
  TFO_KEY  the key or keys, where no option names them";

impl Mint {
    pub(super) fn report(&self) -> anyhow::Result<Minted> {
        let keys = required(&self.keys)?;
        Ok(Minted {
            client: self.client,
            server: self.server,
            cookie: format!("{:x}", cookie(keys.primary(), self.client, self.server)?),
        })
    }
}

impl Check {
    pub(super) fn report(&self) -> anyhow::Result<Checked> {
        let keys = required(&self.keys)?;
        let expected = cookie(keys.primary(), self.client, self.server)?;
        let of_backup = keys
            .backup()
            .map(|key| cookie(key, self.client, self.server))
            .transpose()?;
        let matches = match self.cookie {
            cookie if cookie == expected => Match::Primary,
            cookie if Some(cookie) == of_backup => Match::Backup,
            _ => Match::None,
        };
        Ok(Checked {
            client: self.client,
            server: self.server,
            cookie: self.cookie.to_string(),
            matches,
            expected: expected.to_string(),
        })
    }
}

fn required(keys: &KeyOptions) -> anyhow::Result<KeyRing> {
    keys.read()?
        .context("there is no key to compute with")
        .hint("give it with --key-file FILE (- is standard input) or in the environment variable TFO_KEY")
}

fn cookie(key: &Key, client: IpAddr, server: IpAddr) -> anyhow::Result<Cookie> {
    key.cookie(client, server).ok_or_else(|| {
        hint::with(
            anyhow::anyhow!("{client} and {server} can't be the ends of one connection"),
            "give two IPv4 addresses or two IPv6 addresses",
        )
    })
}
