//! What a process needs before it can have a lab.

use std::fs;
use std::io;

use crate::error::Error;
use crate::network;
use crate::sys::namespace;

const CAP_NET_ADMIN: u32 = 12;
const CAP_NET_RAW: u32 = 13;
const CAP_SYS_ADMIN: u32 = 21;

/// Gives the process what it needs for a [`Lab`](crate::Lab). To be called first thing in `main`.
///
/// With CAP_SYS_ADMIN, CAP_NET_ADMIN and CAP_NET_RAW, as root has them, it does nothing. Without, it moves the process into a user
/// namespace in which it has them, and into a network namespace with nothing but a loopback interface: the machine's network is out
/// of reach from then on, and the process sees itself as root.
///
/// # Errors
/// [`Error::TooLate`] when there are threads already: the kernel moves single-threaded processes only (user_namespaces(7)).
/// [`Error::UserNamespace`] where the system denies it, with the setting that does.
///
/// # Examples
/// ```no_run
/// fn main() -> Result<(), fastopen_lab::Error> {
///     fastopen_lab::enter()?;
///     // Threads and runtimes from here on.
///     Ok(())
/// }
/// ```
pub fn enter() -> Result<(), Error> {
    if has_capabilities(&read("/proc/self/status")) {
        return Ok(());
    }
    let threads = fs::read_dir("/proc/self/task").map_or(1, Iterator::count);
    if threads > 1 {
        return Err(Error::TooLate { threads });
    }
    become_root_of_a_namespace().map_err(|source| Error::UserNamespace {
        hint: hint(&source, &Limits::read()),
        source,
    })?;
    network::bring_loopback_up()
}

fn has_capabilities(status: &str) -> bool {
    let effective = field(status, "CapEff:")
        .and_then(|mask| u64::from_str_radix(mask, 16).ok())
        .unwrap_or(0);
    [CAP_NET_ADMIN, CAP_NET_RAW, CAP_SYS_ADMIN]
        .iter()
        .all(|capability| effective >> capability & 1 == 1)
}

fn become_root_of_a_namespace() -> io::Result<()> {
    let (user, group) = namespace::user_and_group();
    namespace::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNET)?;
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("0 {user} 1"))?;
    fs::write("/proc/self/gid_map", format!("0 {group} 1"))
}

/// What the system says of user namespaces; empty where it has no such setting.
struct Limits {
    max_user_namespaces: String,
    unprivileged_userns_clone: String,
    apparmor_restrict: String,
    seccomp: bool,
}

impl Limits {
    fn read() -> Self {
        Self {
            max_user_namespaces: read("/proc/sys/user/max_user_namespaces"),
            unprivileged_userns_clone: read("/proc/sys/kernel/unprivileged_userns_clone"),
            apparmor_restrict: read("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
            seccomp: field(&read("/proc/self/status"), "Seccomp:").is_some_and(|mode| mode != "0"),
        }
    }
}

fn hint(error: &io::Error, limits: &Limits) -> String {
    let hint = if limits.max_user_namespaces.trim() == "0" {
        "they are turned off; an administrator allows them with: sysctl -w user.max_user_namespaces=10000"
    } else if error.raw_os_error() == Some(libc::ENOSPC) {
        "there are too many already, or they are nested too deeply; see sysctl user.max_user_namespaces"
    } else if limits.unprivileged_userns_clone.trim() == "0" {
        "they are root's alone; an administrator allows them with: sysctl -w kernel.unprivileged_userns_clone=1"
    } else if limits.apparmor_restrict.trim() == "1" {
        "AppArmor restricts them; an administrator allows them with: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
    } else if limits.seccomp {
        "a system call filter is in force, as in most containers; start the container with --cap-add=SYS_ADMIN,NET_ADMIN \
         --security-opt seccomp=unconfined, or run outside of it"
    } else {
        "run as root, or ask the system's administrator to allow user namespaces"
    };
    hint.to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits {
            max_user_namespaces: "96365\n".into(),
            unprivileged_userns_clone: String::new(),
            apparmor_restrict: String::new(),
            seccomp: false,
        }
    }

    #[test]
    fn only_all_three_capabilities_will_do() {
        assert!(has_capabilities("Name:\tx\nCapEff:\t000001fffeffffff\n"));
        assert!(has_capabilities("CapEff:\t0000000000203000\n"));
        assert!(!has_capabilities("CapEff:\t0000000000200000\n"));
        assert!(!has_capabilities("CapEff:\t0000000000000000\n"));
        assert!(!has_capabilities(""));
    }

    #[test]
    fn the_hint_names_the_setting_that_denies_it() {
        let denied = io::Error::from_raw_os_error(libc::EPERM);
        let full = io::Error::from_raw_os_error(libc::ENOSPC);
        let off = Limits {
            max_user_namespaces: "0\n".into(),
            ..limits()
        };
        let debian = Limits {
            unprivileged_userns_clone: "0\n".into(),
            ..limits()
        };
        let ubuntu = Limits {
            apparmor_restrict: "1\n".into(),
            ..limits()
        };
        let container = Limits {
            seccomp: true,
            ..limits()
        };
        for (error, limits, expected) in [
            (&full, off, "user.max_user_namespaces=10000"),
            (&full, limits(), "too many"),
            (&denied, debian, "unprivileged_userns_clone=1"),
            (&denied, ubuntu, "apparmor_restrict_unprivileged_userns=0"),
            (&denied, container, "seccomp=unconfined"),
            (&denied, limits(), "run as root"),
        ] {
            assert!(hint(error, &limits).contains(expected), "{expected}");
        }
    }
}
