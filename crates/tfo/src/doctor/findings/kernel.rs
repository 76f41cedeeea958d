//! The kernel's version, its features, and IPv6.

use fastopen_host::Feature;

use super::super::facts::Facts;
use super::super::finding::Finding;

pub(super) fn findings(facts: &Facts) -> Vec<Finding> {
    let mut findings = vec![kernel(facts)];
    if facts.bits != Ok(None) {
        findings.push(ipv6(facts));
    }
    findings
}

fn kernel(facts: &Facts) -> Finding {
    const ID: &str = "kernel";
    if facts.bits == Ok(None) {
        return Finding::problem(
            ID,
            "This kernel has no Fast Open.",
            "net.ipv4.tcp_fastopen is missing: the kernel is older than 3.6, or pretends to be Linux (as gVisor does).",
        );
    }
    let version = match &facts.kernel {
        Ok(version) => *version,
        Err(error) => return Finding::unknown(ID, "The kernel's version", error),
    };
    let missing: Vec<_> = Feature::ALL
        .iter()
        .copied()
        .filter(|feature| !feature.is_expected_in(version))
        .collect();
    let list = |features: &[Feature]| {
        let each = features.iter().map(|feature| {
            let since = feature.since();
            format!("{} ({}.{})", feature.summary(), since.major, since.minor)
        });
        each.collect::<Vec<_>>().join("; ")
    };
    if missing.is_empty() {
        return Finding::ok(
            ID,
            format!("Linux {version} has every Fast Open feature that tfo knows of."),
            format!(
                "Each part with the version that it dates from: {}.",
                list(Feature::ALL)
            ),
        );
    }
    let reason = format!(
        "Unless the distribution added it, this kernel lacks: {}. What works without it still works.",
        list(&missing)
    );
    // Few programs need the server's mark in tcp_info or Multipath TCP, so their absence is no warning.
    let sentence = format!("Linux {version} has Fast Open, but not all that newer kernels have.");
    if missing.contains(&Feature::ClientFail) {
        Finding::warning(ID, sentence, reason)
    } else {
        Finding::ok(ID, sentence, reason)
    }
}

fn ipv6(facts: &Facts) -> Finding {
    const ID: &str = "ipv6";
    match &facts.ipv6 {
        Ok(true) => Finding::ok(
            ID,
            "IPv6 is on, and Fast Open works over it too.",
            "The bits of net.ipv4.tcp_fastopen are for both.",
        ),
        Ok(false) => Finding::ok(
            ID,
            "IPv6 is off here: Fast Open is for IPv4 only.",
            "The kernel lacks IPv6, or net.ipv6.conf.all.disable_ipv6 is set.",
        ),
        Err(error) => Finding::unknown(ID, "Whether IPv6 is on", error),
    }
}

#[cfg(test)]
mod tests {
    use fastopen_host::KernelVersion;

    use super::super::super::finding::Level;
    use super::super::super::sample;
    use super::*;

    #[test]
    fn an_old_kernel_is_told_what_it_lacks() {
        let mut facts = sample::ready();
        facts.kernel = Ok(KernelVersion::new(4, 14, 0));
        let finding = kernel(&facts);
        assert_eq!(finding.level, Level::Warning);
        assert!(
            finding.reason.contains("backup keys for rotation (5.3)"),
            "{finding:?}"
        );
        assert!(!finding.reason.contains("TCP_FASTOPEN_CONNECT"), "{finding:?}");
    }

    #[test]
    fn a_kernel_that_lacks_only_what_few_need_is_ok() {
        let mut facts = sample::ready();
        facts.kernel = Ok(KernelVersion::new(6, 1, 0));
        let finding = kernel(&facts);
        assert_eq!(finding.level, Level::Ok);
        assert!(finding.reason.contains("Multipath TCP"), "{finding:?}");
    }
}
