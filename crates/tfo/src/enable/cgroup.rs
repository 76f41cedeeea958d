//! Units of systemd, by the control groups of their processes.

/// Whether the text of `/proc/PID/cgroup` has the unit among the parts of a path. A unit without a suffix is a service.
pub(super) fn names_unit(groups: &str, unit: &str) -> bool {
    let service = format!("{unit}.service");
    groups
        .lines()
        .filter_map(|line| line.splitn(3, ':').nth(2))
        .flat_map(|path| path.split('/').filter(|part| !part.is_empty()))
        .any(|part| part == unit || part == service)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_a_part_of_a_control_groups_path() {
        let groups = "1:name=systemd:/\n0::/system.slice/nginx.service/workers\n";
        assert!(names_unit(groups, "nginx.service") && names_unit(groups, "nginx"));
        assert!(!names_unit(groups, "ngin") && !names_unit(groups, ""));
    }
}
