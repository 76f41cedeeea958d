//! The settings for outgoing connections.

use fastopen_host::counters::Counter;
use fastopen_host::sysctl::{FastOpenBits, Sysctl};

use super::super::facts::Facts;
use super::super::finding::{Finding, Fix};
use super::{count, described, wanted, with_cookies};

pub(super) fn findings(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    match &facts.bits {
        Ok(Some(bits)) => {
            findings.push(client(*bits, facts));
            findings.extend(without_cookie(*bits, facts));
        }
        Ok(None) => {}
        Err(error) => findings.push(Finding::unknown("client", "net.ipv4.tcp_fastopen", error)),
    }
    findings.extend(blackhole(facts));
    findings
}

fn client(bits: FastOpenBits, facts: &Facts) -> Finding {
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
    .with_fix(Fix::automatic(facts.place, Sysctl::FastOpen, wanted(bits, facts)))
}

fn without_cookie(bits: FastOpenBits, facts: &Facts) -> Option<Finding> {
    bits.contains(FastOpenBits::CLIENT_NO_COOKIE).then(|| {
        Finding::warning(
            "client-without-cookie",
            "Programs here send data in the SYN without a cookie.",
            "net.ipv4.tcp_fastopen has the bit 0x4. Servers that want cookies ignore that data and are never asked for one, so with \
             them no connection is ever fast.",
        )
        .with_fix(Fix::by_hand(facts.place, Sysctl::FastOpen, with_cookies(bits, facts)))
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
            "net.ipv4.tcp_fastopen_blackhole_timeout_sec is 0, as it is by default since Linux 5.14. Paths on which fast connections die \
             after the handshake are then for the program to remember, as the fastopen library does.",
        ));
    }
    let fired = facts.count(Counter::Blackhole);
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
    let off = Fix::by_hand(facts.place, Sysctl::BlackholeTimeout, 0).command;
    let finding = Finding::warning(
        ID,
        format!(
            "The kernel switched Fast Open off {}, for {seconds} s or longer each time.",
            count(fired, "time")
        ),
        "Fast connections died after their handshakes: outgoing ones, or ones accepted here whose client vanished. Each time the kernel \
         makes connections from here plain for a while, to every destination of this network namespace, because of one bad path or client.",
    );
    Some(finding.with_advice([
        "Leave it as it is where programs here don't remember bad paths themselves: the timer is the kernel's only guard against paths that \
         drop what follows a fast handshake, and without it each connection over them hangs."
            .to_owned(),
        format!(
            "Turn it off where one bad path must not make all others plain, and the programs have a guard of their own, as the fastopen \
             library has: {off}"
        ),
    ]))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use fastopen_host::counters::Counters;

    use super::super::super::finding::Level;
    use super::super::super::sample::{self, held};
    use super::*;

    #[test]
    fn without_its_bit_the_client_is_a_problem_with_the_exact_command() {
        let finding = client(FastOpenBits::from_bits(0x802), &sample::ready());
        assert_eq!(finding.level, Level::Problem);
        let fix = finding.fix.unwrap();
        assert_eq!(fix.command, "sudo sysctl -w net.ipv4.tcp_fastopen=2051");
        assert_eq!(fix.persist[0].what, "net.ipv4.tcp_fastopen = 2051");
        assert!(fix.automatic);
    }

    #[test]
    fn opening_the_client_opens_no_server() {
        let mut facts = sample::ready();
        let off = FastOpenBits::from_bits(0);
        let value = |facts: &Facts| client(off, facts).fix.unwrap().value;
        assert_eq!(value(&facts), "3", "a listener asks");
        facts.listeners = Ok(vec![held("0.0.0.0:22", 0, 1)]);
        assert_eq!(value(&facts), "1");
    }

    #[test]
    fn doing_without_cookies_is_for_somebody_to_undo_by_hand() {
        let finding = without_cookie(FastOpenBits::from_bits(0x7), &sample::ready()).unwrap();
        assert_eq!(finding.level, Level::Warning);
        let fix = finding.fix.unwrap();
        assert_eq!(fix.command, "sudo sysctl -w net.ipv4.tcp_fastopen=3");
        assert!(!fix.automatic);
        assert_eq!(
            without_cookie(FastOpenBits::from_bits(0x3), &sample::ready()),
            None
        );
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
        assert_eq!(finding.fix, None, "which is right depends on the network");
        assert!(finding.advice[0].contains("only guard"), "{finding:?}");
        assert!(finding.advice[1].ends_with("timeout_sec=0"), "{finding:?}");
        facts.blackhole_timeout = Ok(None);
        assert_eq!(blackhole(&facts), None);
    }
}
