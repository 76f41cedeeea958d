//! The kernel's cookie cache: shown, or deleted.

use std::net::IpAddr;

use fastopen_host::{Error, cookies};

use super::report::{Cookies, Deleted, Entry, Report};
use crate::hint::{self, Hint};

/// What the kernel has, sorted by destination.
pub(super) fn list(full: bool) -> anyhow::Result<Cookies> {
    let mut entries = cookies::list().hint("run it on the Linux machine whose cookies you want to see")?;
    entries.sort_unstable_by_key(|entry| (entry.destination, entry.source));
    Ok(Cookies {
        entries: entries.iter().map(|entry| Entry::new(entry, full)).collect(),
    })
}

/// Makes the kernel forget one destination.
pub(super) fn delete(destination: IpAddr) -> anyhow::Result<Deleted> {
    let found = cookies::delete(destination)
        .map_err(|error| with_hint(error, &format!("tfo cookies delete {destination}")))?;
    Ok(Deleted { destination, found })
}

/// Makes the kernel forget them all.
pub(super) fn flush() -> anyhow::Result<Report> {
    cookies::flush().map_err(|error| with_hint(error, "tfo cookies flush"))?;
    Ok(Report::Flushed)
}

fn with_hint(error: Error, command: &str) -> anyhow::Error {
    match error {
        Error::NotPermitted {
            in_user_namespace: false,
            ..
        } => hint::with(error, format!("run it as root: sudo {command}")),
        Error::NotPermitted { .. } => hint::with(
            error,
            format!(
                "run it outside of this user namespace: sudo nsenter --net -t PID {command}, with PID a process in here; or use a new network namespace, which has no cookies"
            ),
        ),
        _ => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_comes_with_the_command_that_works() {
        for (in_user_namespace, command) in [
            (false, "sudo tfo cookies flush"),
            (true, "sudo nsenter --net -t PID tfo cookies flush"),
        ] {
            let refused = Error::NotPermitted {
                request: "deleting",
                in_user_namespace,
            };
            let error = with_hint(refused, "tfo cookies flush");
            assert!(hint::of(&error).unwrap().contains(command), "{error:?}");
        }
    }
}
