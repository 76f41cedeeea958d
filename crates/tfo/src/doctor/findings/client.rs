//! What decides for connections that this machine opens.

use fastopen_host::counters::Counter;
use fastopen_host::sysctl::{FastOpenBits, Sysctl};

use super::super::facts::Facts;
use super::super::finding::{Finding, Remedy};
use super::{count, described, mended, with_cookies};

pub(super) fn findings(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    match &facts.bits {
        Ok(Some(bits)) => {
            findings.push(client(*bits));
            findings.extend(without_cookie(*bits));
        }
        Ok(None) => {}
        Err(error) => findings.push(Finding::unknown("client", "net.ipv4.tcp_fastopen", error)),
    }
    findings.extend(blackhole(facts));
    findings
}

fn client(bits: FastOpenBits) -> Finding {
    const ID: &str = "client";
    if bits.contains(FastOpenBits::CLIENT) {
        return Finding::ok(
            ID,
            "Programs here may connect with data in the SYN.",
            format!("{}, with the client bit (0x1).", described(bits)),
        );
    }
    Finding::problem(
        ID,
        "Programs here can't connect with data in the SYN.",
        format!(
            "{}, without the client bit (0x1). A program that tries gets EOPNOTSUPP.",
            described(bits)
        ),
    )
    .mended_by(Remedy::automatic(Sysctl::FastOpen, mended(bits)))
}

fn without_cookie(bits: FastOpenBits) -> Option<Finding> {
    bits.contains(FastOpenBits::CLIENT_NO_COOKIE).then(|| {
        Finding::warning(
            "client-without-cookie",
            "Programs here send data in the SYN without a cookie.",
            "net.ipv4.tcp_fastopen has the bit 0x4. Servers that want cookies ignore that data and are never asked for one, so with \
             them no connection is ever fast.",
        )
        .mended_by(Remedy::by_hand(Sysctl::FastOpen, with_cookies(bits)))
    })
}

fn blackhole(facts: &Facts) -> Option<Finding> {
    const ID: &str = "blackhole";
    let timeout = match &facts.blackhole_timeout {
        Ok(timeout) => (*timeout)?,
        Err(error) => return Some(Finding::unknown(ID, "The blackhole timer", error)),
    };
    if timeout.is_zero() {
        return Some(Finding::ok(
            ID,
            "The kernel never switches Fast Open off by itself.",
            "net.ipv4.tcp_fastopen_blackhole_timeout_sec is 0, as it is by default since Linux 5.14. Paths that Fast Open does not \
             get through are for the program to remember; the fastopen library does.",
        ));
    }
    let fired = facts
        .counters
        .as_ref()
        .ok()
        .and_then(|counters| counters.get(Counter::Blackhole))
        .unwrap_or(0);
    let seconds = timeout.as_secs();
    if fired == 0 {
        return Some(Finding::ok(
            ID,
            format!(
                "The kernel would switch Fast Open off for {seconds} s after a suspected blackhole; it never has."
            ),
            "For every destination at once, and longer each time.",
        ));
    }
    Some(
        Finding::warning(
            ID,
            format!(
                "The kernel switched Fast Open off {}, for {seconds} s or longer each time.",
                count(fired, "time")
            ),
            "One bad path makes it do so for every destination of this network namespace, and connections are plain meanwhile. 0 \
             turns the detection off.",
        )
        .mended_by(Remedy::by_hand(Sysctl::BlackholeTimeout, 0)),
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use fastopen_host::counters::Counters;

    use super::super::super::finding::Level;
    use super::super::super::sample;
    use super::*;

    #[test]
    fn without_its_bit_the_client_is_a_problem_with_the_exact_command() {
        let finding = client(FastOpenBits::from_bits(0x802));
        assert_eq!(finding.level, Level::Problem);
        let remedy = finding.remedy.unwrap();
        assert_eq!(remedy.command, "sudo sysctl -w net.ipv4.tcp_fastopen=2051");
        assert_eq!(remedy.persist.line, "net.ipv4.tcp_fastopen = 2051");
        assert!(remedy.automatic);
    }

    #[test]
    fn doing_without_cookies_is_for_somebody_to_undo_by_hand() {
        let finding = without_cookie(FastOpenBits::from_bits(0x7)).unwrap();
        assert_eq!(finding.level, Level::Warning);
        let remedy = finding.remedy.unwrap();
        assert_eq!(remedy.command, "sudo sysctl -w net.ipv4.tcp_fastopen=3");
        assert!(!remedy.automatic);
        assert_eq!(without_cookie(FastOpenBits::from_bits(0x3)), None);
    }

    #[test]
    fn the_blackhole_timer_matters_once_it_fired() {
        let mut facts = sample::ready();
        facts.blackhole_timeout = Ok(Some(Duration::from_secs(3600)));
        assert_eq!(blackhole(&facts).unwrap().level, Level::Ok);
        facts.counters =
            Counters::parse("TcpExt: TCPFastOpenBlackhole\nTcpExt: 2\n").map_err(|_| String::new());
        let finding = blackhole(&facts).unwrap();
        assert_eq!(finding.level, Level::Warning);
        assert!(finding.sentence.contains("2 times"), "{finding:?}");
        facts.blackhole_timeout = Ok(None);
        assert_eq!(blackhole(&facts), None);
    }
}
