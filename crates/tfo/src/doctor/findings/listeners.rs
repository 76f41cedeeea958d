//! Which listeners ask for Fast Open, and whether their queues are long enough.

use fastopen_host::counters::Counter;
use fastopen_host::sysctl::Sysctl;

use super::super::facts::{Facts, Held};
use super::super::finding::{Finding, Remedy};
use super::count;

pub(super) fn findings(facts: &Facts) -> Vec<Finding> {
    [Some(listeners(facts)), queues(facts)]
        .into_iter()
        .flatten()
        .collect()
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
    let mut reason = match fast.len() {
        0 => String::new(),
        _ => format!("By {}. ", shortened(&fast)),
    };
    if fast.len() < listeners.len() {
        reason += "Programs ask with TCP_FASTOPEN (nginx: listen 443 fastopen=256; haproxy: bind :443 tfo; systemd: FastOpen=yes).";
    }
    let sentence = format!(
        "Fast Open is asked for by {} of {}.",
        fast.len(),
        count(listeners.len() as u64, "listener")
    );
    Finding::ok(ID, sentence, reason.trim_end())
}

/// What the queues hold, against what they may hold and whether it was enough.
fn queues(facts: &Facts) -> Option<Finding> {
    const ID: &str = "queues";
    let somaxconn = match &facts.somaxconn {
        Ok(somaxconn) => (*somaxconn)?,
        Err(error) => return Some(Finding::unknown(ID, "net.core.somaxconn", error)),
    };
    let longest = facts
        .fast_listeners()
        .max_by_key(|held| held.listener.fast_open_queue)?;
    let length = longest.listener.fast_open_queue.unwrap_or(0);
    let overflows = facts
        .counters
        .as_ref()
        .ok()
        .and_then(|counters| counters.get(Counter::ListenOverflow))
        .unwrap_or(0);
    if overflows == 0 {
        return Some(Finding::ok(
            ID,
            format!(
                "The longest Fast Open queue has room for {}.",
                count(length, "connection")
            ),
            format!(
                "It is that of {}; net.core.somaxconn allows {somaxconn}. None ever overflowed.",
                name(longest)
            ),
        ));
    }
    let told = format!(
        "Connections that find it full become plain ones, and those whose last ACK never comes hold a place for a minute or more. \
         The longest has room for {length} ({}); net.core.somaxconn allows {somaxconn}.",
        name(longest)
    );
    let sentence = format!("A Fast Open queue overflowed {}.", count(overflows, "time"));
    if length < somaxconn {
        let advice = format!("Give the listener a longer one (nginx: listen … fastopen={somaxconn}).");
        return Some(Finding::warning(ID, sentence, format!("{told} {advice}")));
    }
    let twice = somaxconn.saturating_mul(2).clamp(128, i32::MAX.unsigned_abs());
    let advice = "The listener has to be started again to get more.";
    Some(
        Finding::warning(ID, sentence, format!("{told} {advice}"))
            .mended_by(Remedy::by_hand(Sysctl::SomaxConn, twice)),
    )
}

/// A listener by its address, and the first of the processes that hold it.
pub(super) fn name(held: &Held) -> String {
    let address = held.listener.address;
    match &held.processes[..] {
        [] => address.to_string(),
        [process, ..] => format!("{address} ({})", process.name),
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
    use super::super::super::sample::{self, held};
    use super::*;

    #[test]
    fn an_overflow_is_mended_where_the_limit_is() {
        let mut facts = sample::troubled();
        facts.somaxconn = Ok(Some(4096));
        let by_program = queues(&facts).unwrap();
        assert!(by_program.reason.contains("fastopen=4096"), "{by_program:?}");
        assert_eq!(by_program.remedy, None);
        facts.somaxconn = Ok(Some(256));
        let by_setting = queues(&facts).unwrap().remedy.unwrap();
        assert_eq!(by_setting.command, "sudo sysctl -w net.core.somaxconn=512");
        for odd in [0, u32::MAX] {
            facts.somaxconn = Ok(Some(odd));
            assert!(queues(&facts).is_some());
        }
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
