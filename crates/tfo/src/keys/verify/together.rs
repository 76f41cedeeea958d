//! Whether several addresses have the same keys, as far as that can be told without the secret. Pure: the connections were made.
//!
//! A cookie is made of the key, the client's address and the server's, so that one address's cookie says nothing of another's key. What can
//! be seen is when an address begins to grant another cookie: addresses on one schedule do so at the same time.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use super::super::derive;
use super::super::report::{Change, Together, Verdict};
use super::contact::Contact;

/// By how much clocks may differ, beside the time between two connections.
const TOLERANCE: Duration = Duration::from_secs(3);

/// When an address began to grant another cookie: after one connection, and not later than another.
#[derive(Clone, Copy, Debug)]
struct Moment {
    after: SystemTime,
    by: SystemTime,
    kept: bool,
}

/// Compares the addresses; `None` where there is only one. `watched` says that they were watched for a time.
pub(super) fn judge<'a>(contacts: impl IntoIterator<Item = &'a Contact>, watched: bool) -> Option<Together> {
    let mut addresses: Vec<(IpAddr, Vec<Moment>)> = Vec::new();
    for contact in contacts {
        let address = contact.server.ip();
        match addresses.iter_mut().find(|(known, _)| *known == address) {
            // Ports of one address share the client's cookie: the first that sees a change sees it for all.
            Some((_, moments)) => moments.extend(self::moments(contact)),
            None => addresses.push((address, self::moments(contact))),
        }
    }
    if addresses.len() < 2 {
        return None;
    }
    let (verdict, evidence) = verdict(&addresses, watched);
    let changes = addresses.iter().flat_map(|(address, moments)| {
        moments.iter().map(|moment| Change {
            address: *address,
            after: derive::time(moment.after),
            by: derive::time(moment.by),
            kept: moment.kept,
        })
    });
    Some(Together {
        verdict,
        evidence,
        changes: changes.collect(),
    })
}

fn verdict(addresses: &[(IpAddr, Vec<Moment>)], watched: bool) -> (Verdict, String) {
    const UNKNOWABLE: &str = "whether they have the same keys can't be told without the secret, since a cookie depends on the server's address too";
    if !watched {
        return (
            Verdict::CantTell,
            format!("{UNKNOWABLE}; --for TIME watches whether they change at the same time"),
        );
    }
    let alone = addresses.iter().find_map(|(address, moments)| {
        let alone = moments.iter().find_map(|moment| {
            let lacking = addresses
                .iter()
                .find(|(_, others)| !others.iter().any(|other| moment.is_near(other)));
            lacking.map(|(lacking, _)| (moment, lacking))
        });
        alone.map(|(moment, lacking)| (address, moment, lacking))
    });
    let changes: usize = addresses.iter().map(|(_, moments)| moments.len()).sum();
    match alone {
        Some((address, moment, lacking)) => (
            Verdict::RotatesApart,
            format!(
                "{address} changed its key at {}, and {lacking} did not: look at its rotation there (systemctl status tfo-keys) and at its clock (timedatectl)",
                derive::time(moment.by)
            ),
        ),
        None if changes == 0 => (
            Verdict::CantTell,
            "none of them changed its key in that time: watch them when they do, two seconds after an interval begins (by default at 00:00:02 UTC)".to_owned(),
        ),
        None => (
            Verdict::RotatesTogether,
            format!("they changed their keys at the same time, as on one schedule; {UNKNOWABLE}"),
        ),
    }
}

/// The times at which a cookie came that this address had not granted before.
fn moments(contact: &Contact) -> Vec<Moment> {
    let mut seen = Vec::new();
    let mut moments = Vec::new();
    let mut before: Option<SystemTime> = None;
    for step in &contact.steps {
        let Some(cookie) = step.after else { continue };
        if !seen.contains(&cookie) {
            // The first cookie may be of any age.
            if let (Some(after), false) = (before, seen.is_empty()) {
                moments.push(Moment {
                    after,
                    by: step.at,
                    kept: step.accepted,
                });
            }
            seen.push(cookie);
        }
        before = Some(step.at);
    }
    moments
}

impl Moment {
    fn is_near(&self, other: &Self) -> bool {
        self.after <= other.by + TOLERANCE && other.after <= self.by + TOLERANCE
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use fastopen::Cookie;

    use super::super::contact::Step;
    use super::*;

    /// A contact every second, whose cookies are these.
    fn contact(address: &str, cookies: &[u8]) -> Contact {
        let cookie = |number: u8| Cookie::new(&[number; 8]).unwrap();
        let mut contact = Contact::new(format!("{address}:443").parse().unwrap());
        let mut before = None;
        for (second, number) in (0..).zip(cookies) {
            let after = Some(cookie(*number));
            contact.steps.push(Step {
                at: UNIX_EPOCH + Duration::from_secs(1_000 + second),
                before,
                after,
                accepted: before.is_some(),
                not_attempted: None,
            });
            before = after;
        }
        contact
    }

    fn judged(one: &[u8], other: &[u8], watched: bool) -> Together {
        let contacts = [contact("192.0.2.1", one), contact("192.0.2.2", other)];
        judge(&contacts, watched).unwrap()
    }

    #[test]
    fn addresses_are_compared_by_the_time_of_their_changes() {
        let stays = [1; 20];
        let mut changes = [1; 20];
        changes[9..].fill(2);
        let mut a_little_later = [5; 20];
        a_little_later[11..].fill(6);
        let mut much_later = [5; 20];
        much_later[17..].fill(6);
        for (one, other, verdict, count) in [
            (changes, a_little_later, Verdict::RotatesTogether, 2),
            (changes, much_later, Verdict::RotatesApart, 2),
            (changes, stays, Verdict::RotatesApart, 1),
            (stays, stays, Verdict::CantTell, 0),
        ] {
            let together = judged(&one, &other, true);
            assert_eq!((together.verdict, together.changes.len()), (verdict, count));
        }
        assert_eq!(judged(&changes, &changes, false).verdict, Verdict::CantTell);
    }

    #[test]
    fn one_address_is_not_compared_and_its_ports_are_one() {
        let mut ports = [contact("192.0.2.1", &[1, 1, 2]), contact("192.0.2.1", &[1, 1, 1])];
        ports[1].server.set_port(80);
        assert!(judge(&ports, true).is_none());
        let other = contact("192.0.2.2", &[7, 7, 8]);
        let together = judge(ports.iter().chain([&other]), true).unwrap();
        assert_eq!(together.verdict, Verdict::RotatesTogether);
    }

    /// Members behind one address that change one after the other: the cookies alternate for a while.
    #[test]
    fn cookies_that_come_back_are_no_change() {
        let alternating = contact("192.0.2.1", &[1, 2, 1, 2, 1, 2, 2]);
        assert_eq!(moments(&alternating).len(), 1);
    }
}
