//! The keys of the calling thread's network namespace.

use anyhow::{Context, bail};
use fastopen::{Key, KeyRing};
use fastopen_host::sysctl;
use zeroize::Zeroizing;

use crate::hint::Hint;

const SYSCTL: &str = "net.ipv4.tcp_fastopen_key";

/// The keys that are set; `None` where the kernel has none yet.
pub(super) fn read() -> anyhow::Result<Option<KeyRing>> {
    let text = sysctl::fast_open_key_text()
        .hint("run it as root, or with CAP_NET_ADMIN in the user namespace that owns this network namespace")?
        .with_context(|| format!("this kernel has no {SYSCTL}"))?;
    let keys: KeyRing = text
        .trim()
        .parse()
        .with_context(|| format!("{SYSCTL} holds no key"))?;
    let unset = keys.backup().is_none() && is_zero(keys.primary());
    Ok((!unset).then_some(keys))
}

/// Sets the keys, and reads them back.
///
/// # Errors
/// The kernel refuses them, or has others afterwards.
pub(super) fn write(keys: &KeyRing) -> anyhow::Result<()> {
    check(keys)?;
    let text = Zeroizing::new(keys.to_string());
    sysctl::set_fast_open_key_text(&text).hint(
        "run it as root, or with CAP_NET_ADMIN in the user namespace that owns this network namespace",
    )?;
    match read()? {
        Some(found) if found == *keys => Ok(()),
        _ => bail!("{SYSCTL} was written and has other keys now: another program sets them too"),
    }
}

/// Refuses keys that are none.
pub(super) fn check(keys: &KeyRing) -> anyhow::Result<()> {
    if is_zero(keys.primary()) || keys.backup().is_some_and(is_zero) {
        bail!("a key of zeros counts as none: anybody could compute its cookies");
    }
    Ok(())
}

fn is_zero(key: &Key) -> bool {
    key.as_bytes().iter().all(|byte| *byte == 0)
}
