//! The settings for incoming connections.

use fastopen_host::counters::Counter;
use fastopen_host::sysctl::{FastOpenBits, KeyState, SynCookies, Sysctl};

use super::super::facts::Facts;
use super::super::finding::{Finding, Fix};
use super::super::place::Place;
use super::listeners::{name, shortened};
use super::{asking, count, described, wanted, with_cookies};

pub(super) fn findings(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(bits) = facts.known_bits() {
        findings.push(server(bits, facts));
        findings.extend(without_cookie(bits, facts));
        findings.extend(every_listener(bits, facts));
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
    let asked: Vec<_> = asking(facts).map(name).collect();
    if !asked.is_empty() {
        return Finding::problem(
            ID,
            format!(
                "Listeners here can't accept data in a SYN, although {}.",
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
        .with_fix(Fix::automatic(facts.place, Sysctl::FastOpen, wanted(bits, facts)));
    }
    let served = wanted(bits | FastOpenBits::SERVER, facts);
    let fix = Fix::by_hand(facts.place, Sysctl::FastOpen, served);
    let asked = match facts.count(Counter::CookieRequested) {
        0 => "Outgoing connections don't need it.".to_owned(),
        requested => format!(
            "Clients asked listeners here for cookies {} and got none.",
            count(requested, "time")
        ),
    };
    let reason = format!(
        "{}, without the server bit (0x2), which is off by default. {asked}",
        described(bits)
    );
    Finding::note(ID, "Listeners here use plain TCP.", reason).with_fix(fix)
}

fn without_cookie(bits: FastOpenBits, facts: &Facts) -> Option<Finding> {
    bits.contains(FastOpenBits::SERVER_NO_COOKIE).then(|| {
        Finding::warning(
            "server-without-cookie",
            "Listeners here require no cookies and grant none.",
            "net.ipv4.tcp_fastopen has the bit 0x200. Ordinary clients send data in a SYN only with a cookie, so they never will; and \
             anyone can make this machine work for a source address that is not theirs.",
        )
        .with_fix(Fix::by_hand(facts.place, Sysctl::FastOpen, with_cookies(bits, facts)))
    })
}

fn every_listener(bits: FastOpenBits, facts: &Facts) -> Option<Finding> {
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
        return Some(finding.with_fix(Fix::automatic(facts.place, Sysctl::FastOpen, wanted(bits, facts))));
    }
    Some(Finding::note(
        ID,
        "Every listener opened since the bit 0x400 was set uses Fast Open, asked for or not.",
        "Anyone who sees a SYN with data can replay it: programs that never asked for Fast Open may then receive a request twice.",
    ))
}

fn unknown_bits(bits: FastOpenBits) -> Option<Finding> {
    let unknown = bits.unknown();
    (unknown.bits() != 0).then(|| {
        Finding::ok(
            "unknown-bits",
            format!("net.ipv4.tcp_fastopen has bits that have no name here: {unknown}."),
            "Kernels before 4.15 took some of them; newer ones ignore them.",
        )
    })
}

fn key(facts: &Facts) -> Option<Finding> {
    const ID: &str = "key";
    const FARM: &str =
        "Servers that share an address must share the key, or they refuse each other's cookies.";
    let lifetime = facts.place.lifetime();
    let finding = match &facts.key {
        Ok(KeyState::Missing) => return None,
        Ok(KeyState::Unset) => Finding::ok(
            ID,
            "No key is set yet.",
            format!(
                "The kernel generates one for the first listener that uses Fast Open; it lasts {lifetime}. {FARM}"
            ),
        ),
        Ok(KeyState::One) => Finding::ok(
            ID,
            "A key is set.",
            format!(
                "An administrator set it, or the kernel generated it; a generated one lasts {lifetime}. {FARM}"
            ),
        ),
        Ok(KeyState::Two) => Finding::ok(
            ID,
            "A key and a backup key are set.",
            "Cookies of both are accepted, and clients that present one of the backup key get a new one: a rotation is under way.",
        ),
        Ok(KeyState::Unreadable) => Finding::ok(
            ID,
            "Only root can see whether a key is set.",
            format!(
                "{}tfo doctor as root shows it, without the key itself. One that the kernel generates lasts {lifetime}. {FARM}",
                facts.place.sudo()
            ),
        ),
        Err(error) => return Some(Finding::unknown(ID, "Whether a key is set", error)),
    };
    let serves = facts.fast_listeners().next().is_some();
    Some(match facts.place {
        Place::Machine => finding,
        // A server's operator has to know how long clients' cookies stay valid.
        place if serves => short_lived_key(finding, place),
        _ => finding,
    })
}

/// The key of a container or another network namespace is lost with it.
fn short_lived_key(finding: Finding, place: Place) -> Finding {
    let what = if place.is_container() {
        "container"
    } else {
        "network namespace"
    };
    let reason = format!(
        "Each {what} has its own key, and one that the kernel generates lasts {} at most: after a redeployment, and at another replica \
         behind the same address, no client's cookie is valid. Set one key for all of them, in place of KEY (16 random bytes as four \
         groups of eight hexadecimal digits, joined by dashes). It is a secret: anyone who can read it can make valid cookies.",
        place.lifetime()
    );
    let settings = place.persist("net.ipv4.tcp_fastopen_key", "KEY");
    Finding::note("key", finding.sentence, reason).with_advice(
        settings
            .into_iter()
            .map(|entry| format!("{}: {}", entry.place, entry.what)),
    )
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
            .with_fix(Fix::automatic(facts.place, Sysctl::SynCookies, 1)),
        ),
        Ok(_) => None,
        Err(error) => Some(Finding::unknown(ID, "net.ipv4.tcp_syncookies", error)),
    }
}

#[cfg(test)]
mod tests {
    use fastopen_host::counters::Counters;

    use super::super::super::finding::Level;
    use super::super::super::sample::{self, held, held_by};
    use super::*;

    const CLIENT_ONLY: FastOpenBits = FastOpenBits::CLIENT;

    #[test]
    fn without_its_bit_the_server_is_a_problem_only_if_somebody_asks() {
        let mut facts = sample::ready();
        let finding = server(CLIENT_ONLY, &facts);
        assert_eq!(finding.level, Level::Problem);
        assert!(finding.reason.contains("0.0.0.0:443 (nginx)"), "{finding:?}");
        assert_eq!(
            finding.fix.unwrap().command,
            "sudo sysctl -w net.ipv4.tcp_fastopen=3"
        );

        facts.listeners = Ok(vec![held("0.0.0.0:22", 0, 1)]);
        let nobody_asks = server(CLIENT_ONLY, &facts);
        assert_eq!(nobody_asks.level, Level::Note);
        assert!(!nobody_asks.fix.unwrap().automatic, "nobody asked for it");
        facts.listeners = Ok(vec![held_by("dnsmasq", "0.0.0.0:53", 5)]);
        assert_eq!(
            server(CLIENT_ONLY, &facts).level,
            Level::Note,
            "it asks on every machine that has libvirt"
        );
    }

    #[test]
    fn the_key_of_a_container_goes_with_it() {
        let mut facts = sample::ready();
        facts.place = Place::Kubernetes;
        let finding = key(&facts).unwrap();
        assert_eq!(finding.level, Level::Note);
        assert!(finding.reason.contains("redeployment"), "{finding:?}");
        assert!(!finding.reason.contains("boot"), "{finding:?}");
        assert_eq!(
            finding.advice,
            [
                "the pod's securityContext: sysctls: [{name: net.ipv4.tcp_fastopen_key, value: \"KEY\"}]",
                "the kubelet's options: --allowed-unsafe-sysctls=net.ipv4.tcp_fastopen_key"
            ]
        );
        facts.place = Place::Docker;
        let advice = key(&facts).unwrap().advice;
        assert_eq!(advice[0], "docker run: --sysctl net.ipv4.tcp_fastopen_key=KEY");
        facts.listeners = Ok(vec![]);
        let finding = key(&facts).unwrap();
        assert_eq!(finding.level, Level::Ok, "a client has no key");
        assert!(!finding.reason.contains("boot"), "{finding:?}");
    }

    #[test]
    fn clients_that_asked_in_vain_are_told() {
        let mut facts = sample::stock();
        facts.counters =
            Counters::parse("TcpExt: TCPFastOpenCookieReqd\nTcpExt: 1\n").map_err(|_| String::new());
        let finding = server(CLIENT_ONLY, &facts);
        assert_eq!(finding.level, Level::Note, "every scanner asks");
        assert!(finding.reason.contains("1 time and got none"), "{finding:?}");
        assert!(!finding.fix.unwrap().automatic);
    }

    #[test]
    fn bits_that_work_against_fast_open_are_warnings() {
        let facts = sample::ready();
        let bits = FastOpenBits::from_bits(0xe03);
        assert_eq!(
            without_cookie(bits, &facts).unwrap().fix.unwrap().command,
            "sudo sysctl -w net.ipv4.tcp_fastopen=3075"
        );
        assert_eq!(every_listener(bits, &facts).unwrap().level, Level::Note);
        assert_eq!(
            every_listener(FastOpenBits::EVERY_LISTENER, &facts)
                .unwrap()
                .level,
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
