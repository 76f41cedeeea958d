//! Facts to findings: what is good, what is not, and what fixes it. Pure: no clock, no files, no kernel.

mod client;
mod cookies;
mod counters;
mod kernel;
mod listeners;
mod queues;
mod server;

use fastopen_host::sysctl::FastOpenBits;

use super::facts::{Facts, Held};
use super::finding::Finding;
use super::programs;

/// Every finding, in the order in which a connection meets what it is about.
pub(super) fn of(facts: &Facts) -> Vec<Finding> {
    let kernel = kernel::findings(facts);
    if facts.bits == Ok(None) {
        // Without Fast Open in the kernel no other finding applies.
        return kernel;
    }
    [
        kernel,
        client::findings(facts),
        server::findings(facts),
        listeners::findings(facts),
        queues::findings(facts).into_iter().collect(),
        counters::findings(facts),
        cookies::findings(facts),
    ]
    .concat()
}

/// The bits with the client's and, where a listener asks for it, the server's: one value fixes both findings.
fn wanted(bits: FastOpenBits, facts: &Facts) -> i32 {
    let server = asking(facts).next().is_some() || bits.contains(FastOpenBits::EVERY_LISTENER);
    let bits = bits | FastOpenBits::CLIENT;
    let bits = if server { bits | FastOpenBits::SERVER } else { bits };
    bits.bits().cast_signed()
}

/// The same without the bits that do away with cookies.
fn with_cookies(bits: FastOpenBits, facts: &Facts) -> i32 {
    let with_cookies = bits
        .without(FastOpenBits::CLIENT_NO_COOKIE)
        .without(FastOpenBits::SERVER_NO_COOKIE);
    wanted(with_cookies, facts)
}

/// The listeners that are meant to use Fast Open: without those of programs that ask on every machine.
fn asking(facts: &Facts) -> impl Iterator<Item = &Held> {
    facts.fast_listeners().filter(|held| !asks_by_itself(held))
}

/// Whether the program asks on every machine that has it.
fn asks_by_itself(held: &Held) -> bool {
    let known = held.program().and_then(programs::find);
    known.is_some_and(|program| program.asks_by_itself())
}

/// The setting as `sysctl` shows it, and the bits' names.
fn described(bits: FastOpenBits) -> String {
    format!("net.ipv4.tcp_fastopen is {} ({bits})", bits.bits().cast_signed())
}

/// `1 listener`, `2 listeners`.
fn count(number: impl Into<u64>, noun: &str) -> String {
    let number = number.into();
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

#[cfg(test)]
mod tests {
    use fastopen_host::sysctl::Sysctl;

    use super::super::finding::Level;
    use super::super::sample;
    use super::*;

    #[test]
    fn a_machine_that_is_ready_has_no_problem_and_no_warning() {
        let findings = of(&sample::ready());
        assert!(
            findings.iter().all(|finding| finding.level == Level::Ok),
            "{findings:#?}"
        );
    }

    #[test]
    fn each_finding_has_an_id_of_its_own_and_whole_sentences() {
        for facts in [
            sample::ready(),
            sample::stock(),
            sample::troubled(),
            sample::unreadable(),
            sample::ancient(),
        ] {
            let findings = of(&facts);
            let mut ids: Vec<_> = findings.iter().map(|finding| finding.id).collect();
            ids.sort_unstable();
            ids.dedup();
            assert_eq!(ids.len(), findings.len(), "{findings:#?}");
            for finding in findings {
                assert!(finding.sentence.ends_with('.'), "{finding:?}");
                assert!(!finding.reason.is_empty(), "{finding:?}");
            }
        }
    }

    #[test]
    fn what_is_unknown_is_a_warning_that_says_why() {
        let findings = of(&sample::unreadable());
        let ids: Vec<_> = findings.iter().map(|finding| finding.id).collect();
        assert_eq!(
            ids,
            [
                "kernel",
                "ipv6",
                "client",
                "blackhole",
                "key",
                "syn-cookies",
                "listeners",
                "queues",
                "counters",
                "cookies"
            ]
        );
        for finding in findings {
            assert_eq!(finding.level, Level::Warning, "{finding:?}");
            assert_eq!(finding.reason, "no reason", "{finding:?}");
        }
    }

    #[test]
    fn a_kernel_without_fast_open_is_the_only_problem() {
        let findings = of(&sample::ancient());
        let levels: Vec<_> = findings.iter().map(|finding| finding.level).collect();
        assert!(levels.contains(&Level::Problem), "{findings:#?}");
        assert!(
            findings.iter().all(|finding| finding.fix.is_none()),
            "{findings:#?}"
        );
    }

    #[test]
    fn commands_of_this_program_are_as_it_takes_them() {
        use clap::Parser;
        let mut commands = 0;
        for finding in of(&sample::troubled()) {
            for (at, _) in finding.reason.match_indices("tfo ") {
                let words = finding.reason[at..].split([' ', '.', ',']).take(3);
                let words: Vec<_> = words
                    .map(|word| word.replace("HOST:PORT", "192.0.2.1:80"))
                    .collect();
                assert!(crate::cli::Cli::try_parse_from(&words).is_ok(), "{words:?}");
                assert_ne!(words[1], "send", "without data it finds nothing out");
                commands += 1;
            }
        }
        assert_eq!(commands, 2);
    }

    #[test]
    fn fixes_of_one_setting_agree() {
        let mut facts = sample::troubled();
        facts.bits = Ok(Some(FastOpenBits::from_bits(0)));
        let values: Vec<_> = of(&facts)
            .into_iter()
            .filter_map(|finding| finding.fix)
            .filter(|fix| fix.sysctl == Sysctl::FastOpen && fix.automatic)
            .map(|fix| fix.value)
            .collect();
        assert_eq!(values, ["3", "3"], "for the client and for the server");
    }

    #[test]
    fn what_is_to_be_done_by_hand_undoes_no_other_fix() {
        let facts = sample::troubled();
        let commands: Vec<_> = of(&facts)
            .into_iter()
            .filter(|finding| finding.id.ends_with("without-cookie"))
            .filter_map(|finding| Some(finding.fix?.command))
            .collect();
        // 0xf04, with 0x1 and 0x2 and without 0x4 and 0x200.
        assert_eq!(commands, ["sudo sysctl -w net.ipv4.tcp_fastopen=3331"; 2]);
    }

    #[test]
    fn every_bit_on_is_written_as_the_kernel_takes_it() {
        assert_eq!(wanted(FastOpenBits::from_bits(u32::MAX), &sample::ready()), -1);
    }
}
