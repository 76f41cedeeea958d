//! What a server's cookies prove. Pure: no connection is made, and the time is given.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use fastopen::{Cookie, Rotation};

use super::super::report::Verdict;
use super::contact::{Contact, Step};

/// How many periods back are looked at: a rotation may have stopped long ago, with the default interval more than a year.
const BEHIND: i64 = 400;
/// How many periods ahead are looked at.
const AHEAD: i64 = 3;
/// By how much clocks may differ before it is said, beside the schedule's own margin.
const TOLERANCE: Duration = Duration::from_secs(3);

/// A verdict with its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Judgement {
    pub(super) verdict: Verdict,
    pub(super) periods: Option<i64>,
    pub(super) evidence: String,
}

impl Judgement {
    fn new(verdict: Verdict, evidence: impl Into<String>) -> Self {
        Self {
            verdict,
            periods: None,
            evidence: evidence.into(),
        }
    }
}

/// How one cookie stands to the schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// The key of this many periods ahead of now made it; behind where negative; 0 where the clocks may be that far apart.
    Period(i64),
    /// The key of so many periods ahead made it, as above, for these addresses.
    Translated(i64, IpAddr, IpAddr),
    Unknown,
}

const OF_ANOTHER_TIME: &str = "not that of this time: check its clock (timedatectl), and whether its rotation runs (systemctl status tfo-keys)";

/// Judges one server with the fleet's secret. `translated` are addresses that either side may have behind an address translation.
pub(super) fn with_secret(contact: &Contact, rotation: &Rotation, translated: &[IpAddr]) -> Judgement {
    let cookies = match granted(contact) {
        Ok(cookies) => cookies,
        Err(judgement) => return judgement,
    };
    let mut origins: Vec<Origin> = cookies
        .iter()
        .map(|(cookie, at)| origin(cookie, *at, contact, rotation, translated))
        .collect();
    origins.dedup();
    match origins[..] {
        [Origin::Period(0)] => Judgement::new(
            Verdict::Agrees,
            format!(
                "its cookie for {} is the one that the schedule's key of this time makes",
                contact.client
            ),
        ),
        [Origin::Period(periods)] => Judgement {
            verdict: if periods < 0 {
                Verdict::Behind
            } else {
                Verdict::Ahead
            },
            periods: Some(periods),
            evidence: format!("a key of the schedule makes its cookies, but {OF_ANOTHER_TIME}"),
        },
        [Origin::Translated(0, client, server)] => Judgement::new(
            Verdict::AddressTranslation,
            format!(
                "the schedule's key of this time makes its cookie for a connection from {client} to {server}, as named with --translated; this one goes from {} to {}",
                contact.client,
                contact.server.ip()
            ),
        ),
        [Origin::Translated(periods, client, server)] => Judgement {
            verdict: if periods < 0 {
                Verdict::Behind
            } else {
                Verdict::Ahead
            },
            periods: Some(periods),
            evidence: format!(
                "a key of the schedule makes its cookies for a connection from {client} to {server}, as named with --translated, but {OF_ANOTHER_TIME}"
            ),
        },
        [Origin::Unknown] if surely_translated(contact) => Judgement::new(
            Verdict::CantTell,
            format!(
                "no key of the schedule makes its cookie for {}, but that is a private address, and the server sees another one: name it with --translated ADDR",
                contact.client
            ),
        ),
        [Origin::Unknown] => Judgement::new(
            Verdict::OwnKey,
            format!(
                "no key of the schedule, from {BEHIND} periods back to {AHEAD} ahead, makes its cookie for {}. Where an address translation is in between, name the address with --translated ADDR",
                contact.client
            ),
        ),
        _ => Judgement::new(
            Verdict::Disagrees,
            format!(
                "{} connections got cookies of {} different keys: there are several servers behind this address",
                contact.steps.len(),
                origins.len()
            ),
        ),
    }
}

/// Judges one address without the secret: whether those behind it accept each other's cookies.
pub(super) fn without_secret(contact: &Contact) -> Judgement {
    if let Err(judgement) = granted(contact) {
        return judgement;
    }
    let refused = refused(contact);
    let accepted = contact.steps.iter().filter(|step| step.accepted).count();
    match (refused, accepted) {
        (1.., _) => Judgement::new(
            Verdict::Disagrees,
            format!(
                "{refused} of {} connections had the cookie of the one before refused, and got another: there are servers with different keys behind it, or its key was replaced without becoming the backup",
                contact.steps.len()
            ),
        ),
        (0, 0) => Judgement::new(
            Verdict::CantTell,
            "it grants a cookie, and no connection could show that it accepts it: try more with -n",
        ),
        (0, _) => Judgement::new(
            Verdict::Agrees,
            format!(
                "{accepted} of {} connections had their cookie accepted, and none refused",
                contact.steps.len()
            ),
        ),
    }
}

/// How many connections had a cookie refused: their data was not taken, and they got another.
pub(super) fn refused(contact: &Contact) -> usize {
    contact.steps.iter().filter(|step| step.is_refused()).count()
}

/// The cookies that the server's primary keys made, with the time. The judgement is that there is none.
fn granted(contact: &Contact) -> Result<Vec<(Cookie, SystemTime)>, Judgement> {
    if let (true, Some(error)) = (contact.steps.is_empty(), &contact.error) {
        return Err(Judgement::new(Verdict::Unreachable, error.clone()));
    }
    let made: Vec<_> = contact
        .steps
        .iter()
        .filter(|step| step.is_evidence())
        .filter_map(|step| Some((step.after?, step.at)))
        .collect();
    if !made.is_empty() {
        return Ok(made);
    }
    if contact.steps.iter().all(|step| step.not_attempted.is_some()) {
        let reason = contact
            .steps
            .iter()
            .find_map(|step| step.not_attempted.clone())
            .unwrap_or_default();
        return Err(Judgement::new(
            Verdict::CantTell,
            format!("this machine attempted no Fast Open: {reason}"),
        ));
    }
    let evidence = match contact.steps.iter().any(|step| step.after.is_some()) {
        true => {
            "it does not accept the cookie that is cached for it, and grants no other: Fast Open is off there, its queue is full, or the path strips the option"
        }
        false => {
            "it grants no cookie: Fast Open is off there (doctor on that machine says why), or the path strips the option (tfo probe)"
        }
    };
    Err(Judgement::new(Verdict::NoFastOpen, evidence))
}

fn origin(
    cookie: &Cookie,
    at: SystemTime,
    contact: &Contact,
    rotation: &Rotation,
    translated: &[IpAddr],
) -> Origin {
    let (client, server) = (contact.client, contact.server.ip());
    let makes = |offset: i64, client: IpAddr, server: IpAddr| {
        let period = rotation.period(at).saturating_add_signed(offset);
        rotation.key(period).cookie(client, server) == Some(*cookie)
    };
    // 0 where the clocks may be that far apart.
    let periods = |offset: i64| {
        let slack = TOLERANCE.min(rotation.interval() / 4);
        let earlier = rotation.period(at - Rotation::MARGIN - slack).cast_signed();
        let later = rotation.period(at + slack).cast_signed();
        let now = rotation.period(at).cast_signed();
        match (earlier..=later).contains(&(now + offset)) {
            true => 0,
            false => offset,
        }
    };
    if let Some(offset) = by_nearness().find(|offset| makes(*offset, client, server)) {
        return Origin::Period(periods(offset));
    }
    for (client, server) in candidates(client, server, translated) {
        if let Some(offset) = by_nearness().find(|offset| makes(*offset, client, server)) {
            return Origin::Translated(periods(offset), client, server);
        }
    }
    Origin::Unknown
}

/// 0, -1, 1, -2, 2, …
fn by_nearness() -> impl Iterator<Item = i64> {
    (0..=BEHIND).flat_map(|distance| {
        [Some(-distance), (distance <= AHEAD).then_some(distance)]
            .into_iter()
            .flatten()
    })
}

fn candidates(client: IpAddr, server: IpAddr, translated: &[IpAddr]) -> Vec<(IpAddr, IpAddr)> {
    let or_translated = |address| std::iter::once(address).chain(translated.iter().copied());
    or_translated(client)
        .flat_map(|client| or_translated(server).map(move |server| (client, server)))
        .filter(|pair| *pair != (client, server))
        .collect()
}

/// A private address reaches a public one through a translation, or not at all.
fn surely_translated(contact: &Contact) -> bool {
    match (contact.client.to_canonical(), contact.server.ip().to_canonical()) {
        (IpAddr::V4(client), IpAddr::V4(server)) => {
            client.is_private() && !server.is_private() && !server.is_loopback() && !server.is_link_local()
        }
        _ => false,
    }
}

impl Step {
    fn is_refused(&self) -> bool {
        !self.accepted && self.before.is_some() && self.after.is_some() && self.before != self.after
    }

    /// Whether the cookie in the cache is what the server's primary key makes: it was granted now, or accepted and not replaced.
    fn is_evidence(&self) -> bool {
        self.accepted || self.before != self.after
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use fastopen::Secret;

    use super::*;

    const CLIENT: &str = "192.0.2.1";
    const INTERVAL: u64 = 1_000;

    fn rotation() -> Rotation {
        Rotation::new(Secret::new([3; 32]), Duration::from_secs(INTERVAL)).unwrap()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_000_000 + seconds)
    }

    fn cookie(offset: i64, client: &str, server: &str) -> Cookie {
        let period = rotation().period(at(500)).saturating_add_signed(offset);
        rotation().key(period).cookie(ip(client), ip(server)).unwrap()
    }

    fn step(seconds: u64, before: Option<Cookie>, after: Option<Cookie>, accepted: bool) -> Step {
        Step {
            at: at(seconds),
            before,
            after,
            accepted,
            not_attempted: None,
        }
    }

    fn contact(steps: Vec<Step>) -> Contact {
        Contact {
            server: "192.0.2.2:443".parse().unwrap(),
            client: ip(CLIENT),
            steps,
            error: None,
        }
    }

    fn granted_at(seconds: u64, cookie: Cookie) -> Contact {
        contact(vec![step(seconds, None, Some(cookie), false)])
    }

    fn verdict(contact: &Contact) -> (Verdict, Option<i64>) {
        let judgement = with_secret(contact, &rotation(), &[ip("198.51.100.7"), ip("10.0.0.2")]);
        (judgement.verdict, judgement.periods)
    }

    #[test]
    fn keys_of_the_schedule_are_told_by_their_time() {
        let own = |offset| cookie(offset, CLIENT, "192.0.2.2");
        for (seconds, offset, expected) in [
            (500, 0, (Verdict::Agrees, None)),
            (500, -1, (Verdict::Behind, Some(-1))),
            (500, 2, (Verdict::Ahead, Some(2))),
            (500, -365, (Verdict::Behind, Some(-365))),
            // The schedule's margin, and clocks that differ a little.
            (4, -1, (Verdict::Agrees, None)),
            (998, 1, (Verdict::Agrees, None)),
            (6, -1, (Verdict::Behind, Some(-1))),
            (996, 1, (Verdict::Ahead, Some(1))),
        ] {
            assert_eq!(
                verdict(&granted_at(seconds, own(offset))),
                expected,
                "{seconds} {offset}"
            );
        }
    }

    #[test]
    fn behind_an_address_translation_that_was_named_the_key_counts() {
        for (client, server) in [
            ("198.51.100.7", "192.0.2.2"),
            (CLIENT, "10.0.0.2"),
            ("198.51.100.7", "10.0.0.2"),
        ] {
            for (offset, expected) in [
                (0, (Verdict::AddressTranslation, None)),
                (-2, (Verdict::Behind, Some(-2))),
                (1, (Verdict::Ahead, Some(1))),
            ] {
                let contact = granted_at(500, cookie(offset, client, server));
                assert_eq!(verdict(&contact), expected, "{client} {server}");
            }
        }
        let mut other = granted_at(500, Cookie::new(&[1; 8]).unwrap());
        assert_eq!(verdict(&other).0, Verdict::OwnKey);
        other.client = ip("192.168.1.2");
        assert_eq!(verdict(&other).0, Verdict::CantTell);
    }

    #[test]
    fn what_is_cached_proves_something_only_when_it_is_accepted() {
        let own = cookie(0, CLIENT, "192.0.2.2");
        let cached = |accepted| contact(vec![step(500, Some(own), Some(own), accepted)]);
        assert_eq!(verdict(&cached(true)).0, Verdict::Agrees);
        assert_eq!(verdict(&cached(false)).0, Verdict::NoFastOpen);
        assert_eq!(
            verdict(&contact(vec![step(500, None, None, false)])).0,
            Verdict::NoFastOpen
        );
    }

    #[test]
    fn several_behind_one_address_are_told() {
        let (own, other) = (cookie(0, CLIENT, "192.0.2.2"), Cookie::new(&[1; 8]).unwrap());
        let mixed = contact(vec![
            step(500, None, Some(own), false),
            step(501, Some(own), Some(other), false),
        ]);
        assert_eq!(verdict(&mixed).0, Verdict::Disagrees);
        assert_eq!(without_secret(&mixed).verdict, Verdict::Disagrees);
        // In the middle of a rotation: each accepts what the other grants.
        let rotating = contact(vec![
            step(500, None, Some(own), false),
            step(501, Some(own), Some(other), true),
        ]);
        assert_eq!(without_secret(&rotating).verdict, Verdict::Agrees);
        assert_eq!(without_secret(&granted_at(500, own)).verdict, Verdict::CantTell);
    }
}
