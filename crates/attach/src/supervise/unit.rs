//! Whether a service manager that signals each process of a unit has signalled the program as well.

use std::fs;

use crate::sys::process;

/// Whether this process is systemd, the system's or a user's.
pub(super) fn is_manager(pid: u32) -> bool {
    match process::name(pid).trim_end() {
        "systemd" => true,
        // Units may be kept from seeing others' processes (ProtectProc=).
        "" => pid == 1,
        _ => false,
    }
}

/// Whether a process is in this one's control group, or in one below.
pub(super) fn is_shared_with(pid: u32) -> bool {
    let read = |process: &str| fs::read_to_string(format!("/proc/{process}/cgroup")).unwrap_or_default();
    contains(&read("self"), &read(&pid.to_string()))
}

fn contains(own: &str, other: &str) -> bool {
    let (Some(own), Some(other)) = (path(own), path(other)) else {
        return false;
    };
    let below = other.strip_prefix(own.trim_end_matches('/'));
    below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
}

/// Of the hierarchy that systemd keeps units in, as cgroups(7) has it.
fn path(cgroups: &str) -> Option<&str> {
    let of = |hierarchy| cgroups.lines().find_map(|line| line.split_once(hierarchy));
    of(":name=systemd:").or_else(|| of("0::")).map(|(_, path)| path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_has_what_is_in_and_below_its_control_group() {
        for (own, other, expected) in [
            ("0::/a/b.service\n", "0::/a/b.service\n", true),
            ("0::/a/b.service\n", "0::/a/b.service/child\n", true),
            ("0::/a/b.service\n", "0::/a/b.service2\n", false),
            ("0::/a/b.service\n", "0::/a/run-7.scope\n", false),
            ("0::/\n", "0::/a\n", true),
            ("0::/\n", "0::/\n", true),
            ("0::/a\n", "0::/../b\n", false),
            (
                "4:cpu:/\n1:name=systemd:/a\n0::/\n",
                "4:cpu:/\n1:name=systemd:/b\n0::/\n",
                false,
            ),
            ("0::/\n", "", false),
            ("", "", false),
        ] {
            assert_eq!(contains(own, other), expected, "{own} {other}");
        }
        // Where nobody has mounted a hierarchy there are no units.
        let has_one = path(&fs::read_to_string("/proc/self/cgroup").unwrap()).is_some();
        assert_eq!(is_shared_with(std::process::id()), has_one);
        assert!(!is_manager(std::process::id()));
    }
}
