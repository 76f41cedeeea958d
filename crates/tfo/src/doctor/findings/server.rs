//! What decides for connections that come to this machine.

use fastopen_host::counters::Counter;
use fastopen_host::sysctl::{FastOpenBits, KeyState, SynCookies, Sysctl};

use super::super::facts::Facts;
use super::super::finding::{Finding, Remedy};
use super::listeners::{name, shortened};
use super::{count, described, mended, with_cookies};

pub(super) fn findings(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(bits) = facts.known_bits() {
        findings.push(server(bits, facts));
        findings.extend(without_cookie(bits));
        findings.extend(every_listener(bits));
        findings.extend(unknown_bits(bits));
    }
    findings.extend(key(facts));
    findings.extend(syn_cookies(facts));
    findings
}

fn server(bits: FastOpenBits, facts: &Facts) -> Finding {
    const ID: &str = "server";
    if bits.contains(FastOpenBits::SERVER) {
        return Finding::ok(
            ID,
            "Listeners here may accept data in a SYN.",
            format!("{}, with the server bit (0x2).", described(bits)),
        );
    }
    let remedy = Remedy::automatic(Sysctl::FastOpen, mended(bits));
    let asked: Vec<_> = facts.fast_listeners().map(name).collect();
    if !asked.is_empty() {
        return Finding::problem(
            ID,
            format!(
                "Listeners here can't accept data in a SYN, and {} in vain.",
                match asked.len() {
                    1 => "one asks to".to_owned(),
                    several => format!("{several} ask to"),
                }
            ),
            format!(
                "{}, without the server bit (0x2). Those that ask: {}.",
                described(bits),
                shortened(&asked)
            ),
        )
        .mended_by(remedy);
    }
    let requested = facts
        .counters
        .as_ref()
        .ok()
        .and_then(|counters| counters.get(Counter::CookieRequested))
        .unwrap_or(0);
    let reason = match requested {
        0 => "It matters once this machine is to serve; clients need nothing of it.".to_owned(),
        _ => format!(
            "Clients asked for cookies {} and got none.",
            count(requested, "time")
        ),
    };
    Finding::warning(
        ID,
        "Listeners here can't accept data in a SYN.",
        format!("{}, without the server bit (0x2). {reason}", described(bits)),
    )
    .mended_by(remedy)
}

fn without_cookie(bits: FastOpenBits) -> Option<Finding> {
    bits.contains(FastOpenBits::SERVER_NO_COOKIE).then(|| {
        Finding::warning(
            "server-without-cookie",
            "Listeners here want no cookies and grant none.",
            "net.ipv4.tcp_fastopen has the bit 0x200. Ordinary clients send data in a SYN only with a cookie, so they never will; and \
             anyone can make this machine work for a source address that is not theirs.",
        )
        .mended_by(Remedy::by_hand(Sysctl::FastOpen, with_cookies(bits)))
    })
}

fn every_listener(bits: FastOpenBits) -> Option<Finding> {
    const ID: &str = "every-listener";
    if !bits.contains(FastOpenBits::EVERY_LISTENER) {
        return None;
    }
    if !bits.contains(FastOpenBits::SERVER) {
        let finding = Finding::warning(
            ID,
            "Every listener is meant to use Fast Open, and none can.",
            "net.ipv4.tcp_fastopen has the bit 0x400, which does nothing without the server bit (0x2).",
        );
        return Some(finding.mended_by(Remedy::automatic(Sysctl::FastOpen, mended(bits))));
    }
    Some(Finding::ok(
        ID,
        "Every listener made since that was set uses Fast Open, asked for or not.",
        "net.ipv4.tcp_fastopen has the bit 0x400. Programs that don't know about it may see a request twice when a SYN is replayed.",
    ))
}

fn unknown_bits(bits: FastOpenBits) -> Option<Finding> {
    let unknown = bits.unknown();
    (unknown.bits() != 0).then(|| {
        Finding::ok(
            "unknown-bits",
            format!("net.ipv4.tcp_fastopen has bits that have no name here: {unknown}."),
            "Kernels before 4.15 took some of them; today's do nothing with them.",
        )
    })
}

fn key(facts: &Facts) -> Option<Finding> {
    const ID: &str = "key";
    const FARM: &str =
        "Servers that share an address must share the key, or they refuse each other's cookies.";
    Some(match &facts.key {
        Ok(KeyState::Missing) => return None,
        Ok(KeyState::Unset) => Finding::ok(
            ID,
            "No key is set yet.",
            format!(
                "The kernel makes one up for the first listener that uses Fast Open, and another after the next boot. {FARM}"
            ),
        ),
        Ok(KeyState::One) => Finding::ok(
            ID,
            "A key is set.",
            format!("By somebody, or by the kernel, whose own lasts until the next boot. {FARM}"),
        ),
        Ok(KeyState::Two) => Finding::ok(
            ID,
            "A key and a backup key are set.",
            "Cookies of either are taken, and clients that show one of the backup key get a new one: a rotation is under way.",
        ),
        Ok(KeyState::Unreadable) => Finding::ok(
            ID,
            "Whether a key is set only root can see.",
            format!("sudo tfo doctor tells; the key itself it never shows. {FARM}"),
        ),
        Err(error) => Finding::unknown(ID, "Whether a key is set", error),
    })
}

fn syn_cookies(facts: &Facts) -> Option<Finding> {
    const ID: &str = "syn-cookies";
    match &facts.syn_cookies {
        Ok(Some(SynCookies::Always)) => Some(
            Finding::problem(
                ID,
                "Every SYN is answered with a SYN cookie, so its data is ignored.",
                "net.ipv4.tcp_syncookies is 2, which is meant for tests: no Fast Open cookie is granted or looked at.",
            )
            .mended_by(Remedy::automatic(Sysctl::SynCookies, 1)),
        ),
        Ok(_) => None,
        Err(error) => Some(Finding::unknown(ID, "net.ipv4.tcp_syncookies", error)),
    }
}

#[cfg(test)]
mod tests {
    use fastopen_host::counters::Counters;

    use super::super::super::finding::Level;
    use super::super::super::sample::{self, held};
    use super::*;

    const CLIENT_ONLY: FastOpenBits = FastOpenBits::CLIENT;

    #[test]
    fn without_its_bit_the_server_is_a_problem_only_if_somebody_asks() {
        let mut facts = sample::ready();
        let finding = server(CLIENT_ONLY, &facts);
        assert_eq!(finding.level, Level::Problem);
        assert!(finding.reason.contains("0.0.0.0:443 (nginx)"), "{finding:?}");
        assert_eq!(
            finding.remedy.unwrap().command,
            "sudo sysctl -w net.ipv4.tcp_fastopen=3"
        );

        facts.listeners = Ok(vec![held("0.0.0.0:22", 0, 1)]);
        assert_eq!(server(CLIENT_ONLY, &facts).level, Level::Warning);
    }

    #[test]
    fn clients_that_asked_in_vain_are_told() {
        let mut facts = sample::stock();
        facts.counters =
            Counters::parse("TcpExt: TCPFastOpenCookieReqd\nTcpExt: 1\n").map_err(|_| String::new());
        let finding = server(CLIENT_ONLY, &facts);
        assert!(finding.reason.contains("1 time and got none"), "{finding:?}");
    }

    #[test]
    fn bits_that_work_against_fast_open_are_warnings() {
        let bits = FastOpenBits::from_bits(0xe03);
        assert_eq!(
            without_cookie(bits).unwrap().remedy.unwrap().command,
            "sudo sysctl -w net.ipv4.tcp_fastopen=3075"
        );
        assert_eq!(every_listener(bits).unwrap().level, Level::Ok);
        assert_eq!(
            every_listener(FastOpenBits::EVERY_LISTENER).unwrap().level,
            Level::Warning
        );
        assert!(unknown_bits(bits).unwrap().sentence.contains("0x800"));
        assert_eq!(unknown_bits(FastOpenBits::from_bits(0x607)), None);
    }

    #[test]
    fn each_state_of_the_key_is_told_apart_and_none_is_a_problem() {
        let mut sentences = Vec::new();
        for state in [
            KeyState::Unset,
            KeyState::One,
            KeyState::Two,
            KeyState::Unreadable,
        ] {
            let mut facts = sample::ready();
            facts.key = Ok(state);
            let finding = key(&facts).unwrap();
            assert_eq!(finding.level, Level::Ok);
            sentences.push(finding.sentence);
        }
        sentences.dedup();
        assert_eq!(sentences.len(), 4);
    }

    #[test]
    fn syn_cookies_for_every_syn_are_a_problem() {
        let mut facts = sample::ready();
        assert_eq!(syn_cookies(&facts), None);
        facts.syn_cookies = Ok(Some(SynCookies::Always));
        assert_eq!(syn_cookies(&facts).unwrap().level, Level::Problem);
    }
}
