//! What the kernel remembers of other hosts.

use fastopen_host::cookies::Entry;

use super::super::facts::Facts;
use super::super::finding::Finding;
use super::count;

pub(super) fn findings(facts: &Facts) -> Vec<Finding> {
    match &facts.cookies {
        Ok(entries) => [Some(held(entries)), lost(entries)]
            .into_iter()
            .flatten()
            .collect(),
        Err(error) => vec![Finding::unknown(
            "cookies",
            "The cookies that the kernel holds",
            error,
        )],
    }
}

fn held(entries: &[Entry]) -> Finding {
    const ID: &str = "cookies";
    let cookies = entries.iter().filter(|entry| entry.cookie.is_some()).count();
    match cookies {
        0 => Finding::ok(
            ID,
            "The kernel holds no cookies.",
            "The first connection to a server asks for one; the next one can be fast.",
        ),
        _ => Finding::ok(
            ID,
            format!("The kernel holds {}.", count(cookies as u64, "cookie")),
            "Connections to those hosts can be fast, from the same address of this machine and to any port. Cookies don't age.",
        ),
    }
}

fn lost(entries: &[Entry]) -> Option<Finding> {
    const SHOWN: usize = 5;
    let lost: Vec<_> = entries.iter().filter(|entry| entry.syn_drops > 0).collect();
    if lost.is_empty() {
        return None;
    }
    let hosts: Vec<_> = lost
        .iter()
        .take(SHOWN)
        .map(|entry| entry.destination.to_string())
        .collect();
    let dots = if lost.len() > SHOWN { ", …" } else { "" };
    Some(Finding::warning(
        "lost-syns",
        format!(
            "The last fast SYN to {} was lost.",
            count(lost.len() as u64, "host")
        ),
        format!(
            "Only the plain SYN behind it was answered, after a second: {}{dots}. The kernel tries again every time; the fastopen \
             library does not. tfo probe HOST:PORT finds out why.",
            hosts.join(", ")
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::super::super::finding::Level;
    use super::super::super::sample::entry;
    use super::*;

    #[test]
    fn entries_without_a_cookie_are_not_counted_as_cookies() {
        let mut without = entry("192.0.2.1", 1);
        without.cookie = None;
        assert!(held(&[without]).sentence.contains("no cookies"));
        assert!(held(&[entry("192.0.2.1", 0)]).sentence.contains("1 cookie."));
    }

    #[test]
    fn lost_syns_are_a_warning_that_names_a_few_hosts() {
        assert_eq!(lost(&[entry("192.0.2.1", 0)]), None);
        let many: Vec<_> = (0..100)
            .map(|host| entry(&format!("192.0.2.{host}"), 3))
            .collect();
        let finding = lost(&many).unwrap();
        assert_eq!(finding.level, Level::Warning);
        assert!(finding.sentence.contains("100 hosts"), "{finding:?}");
        assert!(finding.reason.contains("192.0.2.4, …"), "{finding:?}");
    }
}
