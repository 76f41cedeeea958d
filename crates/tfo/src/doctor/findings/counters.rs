//! What the counters show of past connections.

use fastopen_host::counters::{Counter, Counters};

use super::super::facts::Facts;
use super::super::finding::{Finding, Level};
use super::count;

pub(super) fn findings(facts: &Facts) -> Vec<Finding> {
    match &facts.counters {
        Ok(counters) => [
            active(counters),
            passive(counters),
            alternate_key(counters),
            accept_queue(counters),
            syn_cookies(counters),
        ]
        .into_iter()
        .flatten()
        .collect(),
        Err(error) => vec![Finding::unknown("counters", "The counters", error)],
    }
}

/// More failures than this, in percent, are not explained by ordinary packet loss.
const TOLERATED: u64 = 10;

fn active(counters: &Counters) -> Option<Finding> {
    let (succeeded, failed) = (counters.get(Counter::Active)?, counters.get(Counter::ActiveFail)?);
    let accepted_here = counters.get(Counter::Passive).unwrap_or(0);
    if failed > 0 && accepted_here > 0 {
        return Some(either_way(succeeded, failed, accepted_here));
    }
    let tried = succeeded.saturating_add(failed);
    let sentence = match tried {
        0 => "No connection from here has tried to be fast yet.".to_owned(),
        _ => format!(
            "Of {} from here that tried to be fast {failed} failed.",
            count(tried, "connection")
        ),
    };
    let (level, reason) = if exceeds(failed, tried) {
        (
            Level::Warning,
            "Their data was not accepted, or their SYN was lost: a middlebox on the way removes the option or drops the SYN, or the \
             servers behind an address don't share a key. tfo probe HOST:PORT finds out which.",
        )
    } else {
        (
            Level::Ok,
            "Counted since this network namespace was made (TCPFastOpenActive, TCPFastOpenActiveFail).",
        )
    };
    Some(Finding::new(level, "active", sentence, reason))
}

/// The kernel counts connections that time out after a fast handshake as active failures, whichever side opened them
/// (`net/ipv4/tcp_fastopen.c:tcp_fastopen_active_detect_blackhole`).
fn either_way(succeeded: u64, failed: u64, accepted_here: u64) -> Finding {
    const BOTH: &str = "TCPFastOpenActiveFail counts outgoing connections whose data was not accepted or whose SYN was lost, and also \
                        connections accepted here by their cookie whose client no longer acknowledged anything: it vanished, or the \
                        path to it drops what follows the handshake.";
    let failures = count(failed, "failure");
    let (sentence, whose) = match succeeded {
        0 => (
            format!("No connection from here was fast; {failures} may be of connections accepted here."),
            "Whether any from here tried is not known (TCPFastOpenActive is 0).",
        ),
        _ => (
            format!(
                "{} from here {} fast; {failures} may be of such, or of connections accepted here.",
                count(succeeded, "connection"),
                if succeeded == 1 { "was" } else { "were" }
            ),
            "tfo probe HOST:PORT finds out whether outgoing ones fail.",
        ),
    };
    let level = match () {
        () if exceeds(
            failed,
            succeeded.saturating_add(failed).saturating_add(accepted_here),
        ) =>
        {
            Level::Warning
        }
        () if exceeds(failed, succeeded.saturating_add(failed)) => Level::Note,
        () => Level::Ok,
    };
    Finding::new(level, "active", sentence, format!("{BOTH} {whose}"))
}

fn passive(counters: &Counters) -> Option<Finding> {
    let (succeeded, failed) = (
        counters.get(Counter::Passive)?,
        counters.get(Counter::PassiveFail)?,
    );
    let came = succeeded.saturating_add(failed);
    let sentence = match came {
        0 => "No client has presented a cookie yet.".to_owned(),
        _ => format!(
            "Of {} that clients presented {failed} were not valid.",
            count(came, "cookie")
        ),
    };
    let (level, reason) = if exceeds(failed, came) {
        (
            Level::Warning,
            "The key was changed without keeping the old one as its backup, servers behind one address have different keys, or the \
             clients' addresses change (as behind address translators). Each costs its client one round trip, once.",
        )
    } else {
        (
            Level::Ok,
            "Counted since this network namespace was made (TCPFastOpenPassive, TCPFastOpenPassiveFail).",
        )
    };
    Some(Finding::new(level, "passive", sentence, reason))
}

fn exceeds(failed: u64, tried: u64) -> bool {
    u128::from(failed) * 100 > u128::from(tried) * u128::from(TOLERATED)
}

fn alternate_key(counters: &Counters) -> Option<Finding> {
    let matched = counters
        .get(Counter::PassiveAltKey)
        .filter(|&matched| matched > 0)?;
    Some(Finding::ok(
        "backup-key",
        format!(
            "{} still came with a cookie of the backup key.",
            count(matched, "connection")
        ),
        "Each was fast and got a cookie of the primary key. Once the number stands still the backup key can go.",
    ))
}

fn accept_queue(counters: &Counters) -> Option<Finding> {
    let overflows = counters
        .get(Counter::AcceptQueueOverflow)
        .filter(|&overflows| overflows > 0)?;
    Some(Finding::warning(
        "accept-queue",
        format!(
            "A queue of connections to accept overflowed {}.",
            count(overflows, "time")
        ),
        "Programs accept too slowly, or their backlog is too small. Fast connections take a place in it before their handshakes have \
         finished.",
    ))
}

fn syn_cookies(counters: &Counters) -> Option<Finding> {
    let sent = counters.get(Counter::SynCookieSent).filter(|&sent| sent > 0)?;
    Some(Finding::warning(
        "syn-cookies-sent",
        format!(
            "{} answered with a SYN cookie.",
            if sent == 1 {
                "1 SYN was".to_owned()
            } else {
                format!("{sent} SYNs were")
            }
        ),
        "A flood of SYNs, or a backlog too small: the data of such a SYN is ignored, and no Fast Open cookie granted.",
    ))
}

#[cfg(test)]
mod tests {
    use super::super::super::sample;
    use super::*;

    fn parse(names: &str, values: &str) -> Counters {
        Counters::parse(&format!("TcpExt: {names}\nTcpExt: {values}\n")).unwrap()
    }

    #[test]
    fn many_failures_are_a_warning_and_few_are_not() {
        let names = "TCPFastOpenActive TCPFastOpenActiveFail";
        assert_eq!(active(&parse(names, "0 0")).unwrap().level, Level::Ok);
        assert_eq!(active(&parse(names, "90 10")).unwrap().level, Level::Ok);
        let finding = active(&parse(names, "1 9")).unwrap();
        assert_eq!(finding.level, Level::Warning);
        assert_eq!(
            finding.sentence,
            "Of 10 connections from here that tried to be fast 9 failed."
        );
    }

    #[test]
    fn failures_of_accepted_connections_are_not_called_outgoing() {
        let names = "TCPFastOpenActive TCPFastOpenActiveFail TCPFastOpenPassive";
        for (values, level, said) in [
            (
                "0 0 7",
                Level::Ok,
                "No connection from here has tried to be fast yet.",
            ),
            (
                "0 1 100",
                Level::Note,
                "No connection from here was fast; 1 failure may be of connections accepted here.",
            ),
            (
                "0 3 7",
                Level::Warning,
                "No connection from here was fast; 3 failures may be of connections accepted here.",
            ),
            (
                "1 2 100",
                Level::Note,
                "1 connection from here was fast; 2 failures may be of such, or of connections accepted here.",
            ),
            (
                "90 2 100",
                Level::Ok,
                "90 connections from here were fast; 2 failures may be of such, or of connections accepted here.",
            ),
            (
                "1 9 0",
                Level::Warning,
                "Of 10 connections from here that tried to be fast 9 failed.",
            ),
        ] {
            let finding = active(&parse(names, values)).unwrap();
            assert_eq!((finding.level, &finding.sentence[..]), (level, said), "{values}");
        }
    }

    #[test]
    fn counts_at_the_end_of_their_range_don_t_overflow() {
        let most = u64::MAX.to_string();
        let names = "TCPFastOpenPassive TCPFastOpenPassiveFail";
        let finding = passive(&parse(names, &format!("{most} {most}"))).unwrap();
        assert_eq!(finding.level, Level::Warning);
        let names = "TCPFastOpenActive TCPFastOpenActiveFail TCPFastOpenPassive";
        let finding = active(&parse(names, &format!("{most} {most} {most}"))).unwrap();
        assert_eq!(finding.level, Level::Warning);
    }

    #[test]
    fn counters_that_the_kernel_lacks_say_nothing() {
        let mut facts = sample::ready();
        facts.counters = Ok(Counters::default());
        assert_eq!(findings(&facts), []);
    }

    #[test]
    fn queues_and_floods_are_warnings_once_they_happened() {
        let counters = parse("ListenOverflows SyncookiesSent TCPFastOpenPassiveAltKey", "3 1 5");
        assert!(accept_queue(&counters).unwrap().sentence.contains("3 times"));
        assert_eq!(
            syn_cookies(&counters).unwrap().sentence,
            "1 SYN was answered with a SYN cookie."
        );
        assert_eq!(alternate_key(&counters).unwrap().level, Level::Ok);
        let none = parse("ListenOverflows SyncookiesSent TCPFastOpenPassiveAltKey", "0 0 0");
        assert_eq!(
            (accept_queue(&none), syn_cookies(&none), alternate_key(&none)),
            (None, None, None)
        );
    }
}
