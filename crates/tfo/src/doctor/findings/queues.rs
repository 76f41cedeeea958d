//! Whether the listeners' Fast Open queues are long enough.

use fastopen_host::counters::Counter;
use fastopen_host::sysctl::Sysctl;

use super::super::facts::{Facts, Held};
use super::super::finding::{Finding, Fix};
use super::super::programs;
use super::listeners::{name, shortened};
use super::{asks_by_itself, count};

/// A queue shorter than this is full at some hundred connections a second: each holds its place for a round trip.
const TINY: u32 = 32;
/// What is suggested in its place.
const USUAL: u32 = 256;

/// What the queues hold, and whether it was enough.
pub(super) fn findings(facts: &Facts) -> Option<Finding> {
    const ID: &str = "queues";
    let somaxconn = match &facts.somaxconn {
        Ok(somaxconn) => (*somaxconn)?,
        Err(error) => return Some(Finding::unknown(ID, "net.core.somaxconn", error)),
    };
    // The kernel counts overflows of all queues together. The short ones come first.
    let mut fast: Vec<_> = facts.fast_listeners().collect();
    fast.sort_by_key(|held| length(held));
    let shortest = length(fast.first()?);
    let overflows = facts.count(Counter::ListenOverflow);
    if overflows > 0 {
        return Some(overflowed(facts, &fast, overflows, somaxconn));
    }
    let tiny: Vec<_> = fast
        .iter()
        .copied()
        .filter(|held| length(held) < TINY && !asks_by_itself(held))
        .collect();
    if !tiny.is_empty() {
        let target = USUAL.min(somaxconn.max(TINY));
        let finding = Finding::warning(
            ID,
            format!(
                "A Fast Open queue has room for fewer than {}.",
                count(TINY, "connection")
            ),
            format!(
                "Every fast connection holds a place until its handshake is complete, for a round trip at least, and while the queue \
                 is full new ones are plain: {}.",
                shortened(&lengths(&tiny))
            ),
        );
        return Some(lengthened(finding, facts, &tiny, target, somaxconn));
    }
    Some(Finding::ok(
        ID,
        format!(
            "The shortest Fast Open queue has room for {}.",
            count(shortest, "connection")
        ),
        format!(
            "It is that of {}; net.core.somaxconn allows {somaxconn}. None ever overflowed.",
            name(fast[0])
        ),
    ))
}

fn overflowed(facts: &Facts, fast: &[&Held], overflows: u64, somaxconn: u32) -> Finding {
    let finding = Finding::warning(
        "queues",
        format!("A Fast Open queue overflowed {}.", count(overflows, "time")),
        format!(
            "The kernel does not count which one. Connections that find it full are plain, and those whose last ACK never arrives hold a place \
             for a minute or more. The shortest queues first: {}. net.core.somaxconn allows {somaxconn}.",
            shortened(&lengths(fast))
        ),
    );
    let shortest = length(fast[0]);
    let suspects: Vec<_> = fast
        .iter()
        .copied()
        .filter(|held| length(held) == shortest)
        .collect();
    // Twice as long at least, and no longer than the kernel allows or will allow.
    let target = shortest.saturating_mul(2).clamp(USUAL, i32::MAX.unsigned_abs());
    lengthened(finding, facts, &suspects, target, somaxconn)
}

/// How these queues are made that long, and the kernel's limit with them where it is below.
fn lengthened(finding: Finding, facts: &Facts, short: &[&Held], target: u32, somaxconn: u32) -> Finding {
    let mut advice: Vec<String> = Vec::new();
    for held in short {
        let line = match held.program() {
            None => format!("Give {} a longer queue.", name(held)),
            Some(program) if programs::find(program).is_some_and(|known| known.is_fixed()) => {
                format!("{program}: the length of its queue can't be set.")
            }
            Some(program) => programs::to_lengthen(program, target).unwrap_or_else(|| {
                format!("{program}: a longer queue in TCP_FASTOPEN, or with the bit 0x400 a longer backlog in listen()")
            }),
        };
        if advice.len() < 5 && !advice.contains(&line) {
            advice.push(line);
        }
    }
    let finding = finding.with_advice(advice);
    if target <= somaxconn {
        return finding;
    }
    finding.with_fix(Fix::by_hand(facts.place, Sysctl::SomaxConn, target))
}

fn length(held: &Held) -> u32 {
    held.listener.fast_open_queue.unwrap_or(0)
}

fn lengths(listeners: &[&Held]) -> Vec<String> {
    let each = listeners.iter();
    each.map(|held| format!("{} {}", name(held), length(held)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::finding::Level;
    use super::super::super::sample::{self, held_by};
    use super::*;

    #[test]
    fn after_an_overflow_the_short_queues_are_suspected() {
        let mut facts = sample::troubled();
        facts.somaxconn = Ok(Some(4096));
        facts.listeners = Ok(vec![
            held_by("nginx", "0.0.0.0:443", 4096),
            held_by("haproxy", "0.0.0.0:80", 16),
        ]);
        let finding = findings(&facts).unwrap();
        assert_eq!(finding.level, Level::Warning);
        assert!(
            finding.reason.contains("0.0.0.0:80 (haproxy) 16, 0.0.0.0:443"),
            "{finding:?}"
        );
        assert_eq!(finding.advice, ["haproxy: backlog 256"]);
        assert_eq!(finding.fix, None, "the limit is no obstacle");
    }

    #[test]
    fn the_kernels_limit_is_raised_where_it_is_in_the_way() {
        let mut facts = sample::troubled();
        facts.somaxconn = Ok(Some(256));
        let finding = findings(&facts).unwrap();
        assert_eq!(finding.advice, ["nginx: listen PORT fastopen=512;"]);
        assert_eq!(
            finding.fix.unwrap().command,
            "sudo sysctl -w net.core.somaxconn=512"
        );
        for odd in [0, u32::MAX] {
            facts.somaxconn = Ok(Some(odd));
            facts.listeners = Ok(vec![held_by("nginx", "0.0.0.0:443", odd.max(1))]);
            assert!(findings(&facts).is_some());
        }
    }

    #[test]
    fn a_tiny_queue_is_a_warning_before_it_overflows() {
        let mut facts = sample::ready();
        facts.listeners = Ok(vec![
            held_by("nginx", "0.0.0.0:443", 256),
            held_by("nginx", "0.0.0.0:80", 5),
        ]);
        let finding = findings(&facts).unwrap();
        assert_eq!(finding.level, Level::Warning);
        assert!(finding.reason.ends_with("0.0.0.0:80 (nginx) 5."), "{finding:?}");
        assert_eq!(finding.advice, ["nginx: listen PORT fastopen=256;"]);

        // What their authors chose, on every machine that has them.
        for (program, queue) in [("dnsmasq", 5), ("unbound", 5), ("exim4", 20)] {
            facts.listeners = Ok(vec![held_by(program, "0.0.0.0:53", queue)]);
            assert_eq!(findings(&facts).unwrap().level, Level::Ok, "{program}");
        }
    }

    #[test]
    fn after_an_overflow_each_program_is_told_what_it_can_do() {
        let mut facts = sample::troubled();
        facts.somaxconn = Ok(Some(4096));
        for (program, advice) in [
            ("exim4", "exim4: smtp_connect_backlog = 256"),
            ("unbound", "unbound: the length of its queue can't be set."),
        ] {
            facts.listeners = Ok(vec![held_by(program, "0.0.0.0:25", 5)]);
            assert_eq!(findings(&facts).unwrap().advice, [advice]);
        }
    }
}
