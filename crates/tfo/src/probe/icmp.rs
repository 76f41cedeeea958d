//! An ICMP error that answered a SYN: who sent it, what it says, and what to do about it.

use std::fmt;
use std::net::IpAddr;

use fastopen_host::connecting::IcmpError;

/// An ICMP error that answered a SYN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rejection {
    pub(super) icmp: IcmpError,
    sender: Sender,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sender {
    ThisMachine,
    /// The same, and the SYN was for it.
    ThisMachineAsTarget,
    /// The address that the SYN was for.
    Target,
    /// A router or firewall.
    Another,
}

impl Rejection {
    /// `own` is the address that this machine connects from.
    pub(super) fn new(icmp: IcmpError, target: IpAddr, own: Option<IpAddr>) -> Self {
        let from = icmp.from.to_canonical();
        let is_own = own.is_some_and(|own| own.to_canonical() == from);
        let sender = match (is_own, from == target.to_canonical()) {
            (true, true) => Sender::ThisMachineAsTarget,
            (true, false) => Sender::ThisMachine,
            (false, true) => Sender::Target,
            (false, false) => Sender::Another,
        };
        Self { icmp, sender }
    }

    /// What to do where every SYN gets it.
    pub(super) fn advice(&self) -> String {
        let from = self.icmp.from;
        match (self.sender, self.icmp.meaning()) {
            (Sender::Target | Sender::ThisMachineAsTarget, _) => self.its_rules(),
            (Sender::ThisMachine, "host unreachable") => {
                "nothing answers for the target, or for the router to it: see ip neigh, and whether the target is up".to_owned()
            }
            (_, "network unreachable" | "no route to destination") => {
                format!("see why {from} has no route to the target: ip route get ADDRESS there")
            }
            (_, "host unreachable") => format!(
                "check whether the target is up: {from} does not reach it, or a rule of its firewall says so"
            ),
            (_, "time exceeded") => {
                "the packets run in a circle: traceroute ADDRESS shows between which routers".to_owned()
            }
            (_, "beyond the scope of the source address") => {
                format!("connect from an address that {from} routes: see ip -6 address")
            }
            _ => self.its_rules(),
        }
    }

    /// What to do where fast SYNs alone get it: no route is at fault.
    pub(super) fn advice_for_fast(&self) -> String {
        format!("{}; until then leave Fast Open off here", self.its_rules())
    }

    fn its_rules(&self) -> String {
        let from = self.icmp.from;
        match self.sender {
            Sender::ThisMachine | Sender::ThisMachineAsTarget => {
                "change the rule of this machine's own firewall that rejects them: nft list ruleset"
                    .to_owned()
            }
            Sender::Target => format!(
                "change the firewall rule that rejects them: the target itself ({from}) sent the ICMP error, or a firewall in its name; \
                 nft list ruleset there shows it"
            ),
            Sender::Another => {
                format!(
                    "{from}, which sent the ICMP error, filters the connection: change its rule, or ask its operator"
                )
            }
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = match self.sender {
            Sender::ThisMachine | Sender::ThisMachineAsTarget => ", this machine itself",
            Sender::Target => ", the target itself",
            Sender::Another => "",
        };
        write!(f, "{}{who}", self.icmp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejection(v6: bool, (kind, code): (u8, u8), from: &str) -> Rejection {
        let [from, target, own] =
            [from, "192.0.2.2", "::ffff:192.0.2.1"].map(|address| address.parse().unwrap());
        Rejection::new(IcmpError { from, v6, kind, code }, target, Some(own))
    }

    #[test]
    fn code_and_sender_tell_what_helps() {
        for (v6, code, from, advice) in [
            (false, (3, 0), "192.0.2.254", "has no route"),
            (true, (1, 0), "2001:db8::254", "has no route"),
            (false, (3, 1), "192.0.2.254", "whether the target is up"),
            (false, (3, 1), "192.0.2.1", "ip neigh"),
            (false, (3, 1), "192.0.2.2", "the target itself"),
            (false, (3, 2), "192.0.2.254", "change its rule"),
            (false, (3, 3), "192.0.2.2", "the target itself"),
            (false, (3, 3), "192.0.2.1", "this machine's own firewall"),
            (false, (3, 13), "192.0.2.254", "change its rule"),
            (false, (11, 0), "192.0.2.254", "circle"),
        ] {
            let rejection = rejection(v6, code, from);
            let said = rejection.advice();
            assert!(said.contains(advice), "{rejection}: {said}");
        }
        let icmp = rejection(false, (3, 1), "192.0.2.1").icmp;
        let own = Rejection::new(icmp, icmp.from, Some(icmp.from));
        assert!(
            own.advice().contains("this machine's own firewall"),
            "{}",
            own.advice()
        );
    }
}
