//! Which listeners ask for Fast Open.

use std::collections::BTreeSet;

use fastopen_host::sysctl::{FastOpenBits, Sysctl};

use super::super::facts::{Facts, Held};
use super::super::finding::{Finding, Fix};
use super::super::place::Place;
use super::super::programs;
use super::count;
use crate::address::for_a_shell;

pub(super) fn findings(facts: &Facts) -> Vec<Finding> {
    vec![listeners(facts)]
}

fn listeners(facts: &Facts) -> Finding {
    const ID: &str = "listeners";
    let listeners = match &facts.listeners {
        Ok(listeners) => listeners,
        Err(error) => return Finding::unknown(ID, "The listeners", error),
    };
    if listeners.is_empty() {
        return Finding::ok(
            ID,
            "Nothing listens here.",
            "There is no TCP listener in this network namespace.",
        );
    }
    let fast: Vec<_> = facts.fast_listeners().map(name).collect();
    match facts.known_bits() {
        Some(bits) if fast.is_empty() && bits.contains(FastOpenBits::SERVER) => {
            return none_asks(bits, listeners, facts);
        }
        _ => {}
    }
    let reason = match fast.len() {
        0 => "Programs ask with the socket option TCP_FASTOPEN.".to_owned(),
        _ => format!("By {}.", shortened(&fast)),
    };
    let sentence = format!(
        "Fast Open is asked for by {} of {}.",
        fast.len(),
        count(listeners.len() as u64, "listener")
    );
    Finding::ok(ID, sentence, reason)
}

/// The server bit is on, and yet no client gets a cookie here.
fn none_asks(bits: FastOpenBits, listeners: &[Held], facts: &Facts) -> Finding {
    let names: Vec<_> = listeners.iter().map(name).collect();
    let finding = |reason: &str| {
        Finding::warning(
            "listeners",
            match listeners.len() {
                1 => "The server bit is on, but the only listener does not use Fast Open.".to_owned(),
                several => format!("The server bit is on, but none of {several} listeners uses Fast Open."),
            },
            format!("{reason}: {}.", shortened(&names)),
        )
    };
    let programs = programs_of(listeners);
    let whose = programs.is_empty().then(|| {
        format!(
            "{}tfo doctor as root shows which programs these are.",
            facts.place.sudo()
        )
    });
    if bits.contains(FastOpenBits::EVERY_LISTENER) {
        let programs = match &programs[..] {
            [] => "the programs".to_owned(),
            programs => shortened(programs),
        };
        return finding("They were opened before the bit 0x400 of net.ipv4.tcp_fastopen was set")
            .with_advice(whose.into_iter().chain([
                format!("Restart {programs}."),
                without_restart(listeners, facts.place),
            ]));
    }
    let settings = programs.iter().map(|program| {
        programs::to_ask(program).unwrap_or_else(|| {
            format!("{program}: its own setting for TCP_FASTOPEN if it has one, or the bit 0x400")
        })
    });
    let every = "Any program: the bit 0x400 makes every listener opened later use Fast Open, so restart the program. Anyone who sees a \
                 SYN with data can replay it, and then also to servers that never asked for Fast Open: set it where a repeated first \
                 request does no harm.";
    let every_listener = (bits | FastOpenBits::EVERY_LISTENER).bits().cast_signed();
    finding("Clients get no cookie, since no program sets the socket option TCP_FASTOPEN")
        .with_advice(
            whose
                .into_iter()
                .chain(settings)
                .chain([without_restart(listeners, facts.place), every.to_owned()]),
        )
        .with_fix(Fix::by_hand(facts.place, Sysctl::FastOpen, every_listener))
}

/// The command that switches it on for the sockets that are open now.
fn without_restart(listeners: &[Held], place: Place) -> String {
    const SHOWN: usize = 8;
    let addresses: BTreeSet<_> = listeners.iter().map(|held| held.listener.address).collect();
    let which = match addresses.len() {
        ..=SHOWN => addresses
            .iter()
            .map(|address| for_a_shell(*address))
            .collect::<Vec<_>>()
            .join(" "),
        _ => "--all".to_owned(),
    };
    format!(
        "Without a restart, until the program closes its socket: {}tfo enable {which} (leave out those where a repeated first request \
         does harm)",
        place.sudo()
    )
}

/// The names of the programs that listen, each once, the first few.
fn programs_of(listeners: &[Held]) -> Vec<String> {
    const SHOWN: usize = 8;
    let mut programs: Vec<String> = Vec::new();
    for program in listeners.iter().filter_map(Held::program) {
        if programs.len() < SHOWN && !programs.iter().any(|known| known == program) {
            programs.push(program.to_owned());
        }
    }
    programs
}

/// A listener by its address, and the first of the processes that hold it.
pub(super) fn name(held: &Held) -> String {
    let address = held.listener.address;
    match held.program() {
        None => address.to_string(),
        Some(program) => format!("{address} ({program})"),
    }
}

/// The first few of a list that may be long.
pub(super) fn shortened(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let mut list = names[..names.len().min(SHOWN)].join(", ");
    if let Some(more @ 1..) = names.len().checked_sub(SHOWN) {
        list += &format!(" and {more} more");
    }
    list
}

#[cfg(test)]
mod tests {
    use super::super::super::finding::Level;
    use super::super::super::sample::{self, held, held_by};
    use super::*;

    #[test]
    fn a_server_that_nobody_asks_is_told_what_to_do() {
        let mut facts = sample::ready();
        facts.listeners = Ok(vec![
            held_by("nginx", "0.0.0.0:80", 0),
            held_by("sshd", "0.0.0.0:22", 0),
            held_by("sshd", "[::]:22", 0),
        ]);
        let finding = listeners(&facts);
        assert_eq!(finding.level, Level::Warning);
        assert!(finding.reason.contains("0.0.0.0:22 (sshd)"), "{finding:?}");
        assert_eq!(finding.advice[0], "nginx: listen PORT fastopen=256;");
        assert!(finding.advice[1].starts_with("sshd: "), "{finding:?}");
        assert!(
            finding.advice[2].contains(": sudo tfo enable 0.0.0.0:22 0.0.0.0:80 '[::]:22' ("),
            "{finding:?}"
        );
        assert!(finding.advice[3].contains("replay"), "{finding:?}");
        assert_eq!(finding.advice.len(), 4, "each program once: {finding:?}");
        let fix = finding.fix.unwrap();
        assert_eq!(fix.command, "sudo sysctl -w net.ipv4.tcp_fastopen=1027");
        assert!(!fix.automatic);

        facts.bits = Ok(Some(FastOpenBits::from_bits(0x403)));
        let opened_before = listeners(&facts);
        assert_eq!(opened_before.advice[0], "Restart nginx, sshd.");
        assert_eq!(opened_before.advice[1], finding.advice[2]);
        assert_eq!(opened_before.fix, None);

        facts.bits = Ok(Some(FastOpenBits::CLIENT));
        assert_eq!(listeners(&facts).level, Level::Ok, "a client needs no listener");
    }

    #[test]
    fn ten_thousand_listeners_are_not_listed_one_by_one() {
        let mut facts = sample::ready();
        facts.listeners = Ok(vec![held("0.0.0.0:443", 256, 1); 10_000]);
        let finding = listeners(&facts);
        assert!(
            finding.sentence.contains("by 10000 of 10000 listeners"),
            "{finding:?}"
        );
        assert!(finding.reason.ends_with("and 9995 more."), "{finding:?}");
    }
}
