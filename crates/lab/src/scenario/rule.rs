//! Which packets the middlebox does something to.

use std::time::Duration;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use super::{Action, Forgery, Hold, Moment, Rebind, Replay};

/// What the middlebox does to the packets that fit.
///
/// A new rule fits every packet; each method narrows it down. The middlebox applies all rules that fit, in order, and each sees what
/// the ones before it made of the packet.
///
/// ```
/// use fastopen_lab::{OptionState, Pick, Rule, SegmentKind};
///
/// // The first SYN that presents a cookie and goes to port 80 is lost.
/// let rule = Rule::drop()
///     .from("client")
///     .on(SegmentKind::Syn)
///     .with_option(OptionState::Cookie)
///     .port(80)
///     .pick(Pick::First(1));
/// # let _ = rule;
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Rule {
    /// What it does.
    #[serde(rename = "do")]
    pub action: Action,
    /// The host that sends the packet; any when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The host or farm that the packet is for; any when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Where in its connection the TCP segment stands; any packet, TCP or not, when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segment: Option<SegmentKind>,
    /// What a TCP segment says of Fast Open; anything when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub option: Option<OptionState>,
    /// Whether a TCP segment carries data; either when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<bool>,
    /// The TCP port at either end; any when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The length in bytes that the IP packet exceeds; any when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longer_than: Option<usize>,
    /// Which of the packets that fit it takes.
    #[serde(
        default,
        deserialize_with = "possible_pick",
        skip_serializing_if = "Pick::is_all"
    )]
    pub pick: Pick,
}

impl Rule {
    /// Does something to every packet.
    pub fn new(action: Action) -> Self {
        Self {
            action,
            from: None,
            to: None,
            segment: None,
            option: None,
            data: None,
            port: None,
            longer_than: None,
            pick: Pick::All,
        }
    }

    /// Delays packets by this much more than the path does.
    pub fn delay(by: Duration) -> Self {
        Self::new(Action::Delay(by))
    }

    /// Drops packets.
    pub fn drop() -> Self {
        Self::new(Action::Drop)
    }

    /// Delivers packets twice.
    pub fn duplicate() -> Self {
        Self::new(Action::Duplicate)
    }

    /// Replaces the Fast Open option by no-operations.
    pub fn strip_option() -> Self {
        Self::new(Action::StripOption)
    }

    /// Removes the data from TCP segments.
    pub fn strip_data() -> Self {
        Self::new(Action::StripData)
    }

    /// Drops TCP segments and answers them with a RST.
    pub fn reset() -> Self {
        Self::new(Action::Reset)
    }

    /// Drops packets of more than so many bytes, and tells their sender by ICMP, as a hop with that MTU does.
    pub fn too_big(mtu: u16) -> Self {
        Self::new(Action::TooBig(mtu)).longer_than(mtu.into())
    }

    /// Drops packets, and tells their sender by ICMP that they are prohibited, as a firewall's reject rule does.
    pub fn prohibit() -> Self {
        Self::new(Action::Prohibit)
    }

    /// Changes the cookie that is presented or granted.
    pub fn forge_cookie(forgery: Forgery) -> Self {
        Self::new(Action::ForgeCookie(forgery))
    }

    /// Holds packets back, and whatever follows them in their connection and direction.
    pub fn hold(until: Moment) -> Self {
        Self::new(Action::Hold(Hold {
            until,
            following: true,
        }))
    }

    /// Delivers SYNs once more, so long afterwards, as they were.
    pub fn replay(after: Duration) -> Self {
        Self::new(Action::Replay(Replay {
            after,
            closed: false,
            source_port: None,
        }))
    }

    /// Gives the connection another client address, as an address translator does.
    pub fn rebind(to: Rebind) -> Self {
        Self::new(Action::Rebind(to))
    }

    /// Answers SYNs in the server's place, and opens the connection to the server once the client's ACK has come.
    pub fn syn_proxy() -> Self {
        Self::new(Action::SynProxy)
    }

    /// Lets the connection's handshake through and nothing after it.
    pub fn blackhole() -> Self {
        Self::new(Action::Blackhole)
    }

    /// Takes packets from this host only.
    pub fn from(mut self, host: impl Into<String>) -> Self {
        self.from = Some(host.into());
        self
    }

    /// Takes packets for this host or farm only.
    pub fn to(mut self, host: impl Into<String>) -> Self {
        self.to = Some(host.into());
        self
    }

    /// Takes such TCP segments only.
    pub fn on(mut self, segment: SegmentKind) -> Self {
        self.segment = Some(segment);
        self
    }

    /// Takes TCP segments that say this of Fast Open.
    pub fn with_option(mut self, option: OptionState) -> Self {
        self.option = Some(option);
        self
    }

    /// Takes TCP segments with data only, or those without.
    pub fn with_data(mut self, data: bool) -> Self {
        self.data = Some(data);
        self
    }

    /// Takes TCP segments from or to this port only.
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Takes IP packets of more than so many bytes only.
    pub fn longer_than(mut self, len: usize) -> Self {
        self.longer_than = Some(len);
        self
    }

    /// Takes some of the packets that fit.
    pub fn pick(mut self, pick: Pick) -> Self {
        self.pick = pick;
        self
    }

    /// Whether no connection that it applies to completes, however often a packet is sent again.
    pub(super) fn cuts_off(&self) -> bool {
        let every_packet = Self {
            from: self.from.clone(),
            to: self.to.clone(),
            ..Self::drop()
        };
        self.action == Action::Blackhole || *self == every_packet
    }
}

/// Where a TCP segment stands in its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SegmentKind {
    /// SYN without ACK, retransmissions included.
    Syn,
    /// SYN with ACK.
    SynAck,
    /// The client's first segment after a SYN-ACK: the last ACK of the handshake, with or without data.
    HandshakeAck,
    /// Everything else.
    Established,
}

/// What a TCP segment says of Fast Open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OptionState {
    /// There is no such option.
    Absent,
    /// There is one, whatever it holds.
    Present,
    /// It is empty: a request for a cookie.
    Request,
    /// It holds a cookie.
    Cookie,
}

/// Which of the packets that fit a rule it takes. Packets are counted from 1, retransmissions included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pick {
    /// All of them.
    #[default]
    All,
    /// The n-th alone.
    Nth(u64),
    /// The first n.
    First(u64),
    /// The n-th and all after it.
    From(u64),
    /// The n-th, the 2n-th, and so on.
    Every(u64),
    /// Each with this probability, from 0 to 1, by the scenario's seed.
    Probability(f64),
}

impl Pick {
    fn is_all(&self) -> bool {
        *self == Self::All
    }
}

/// A pick that some packet can fit.
fn possible_pick<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Pick, D::Error> {
    match Pick::deserialize(deserializer)? {
        Pick::Nth(0) | Pick::From(0) | Pick::Every(0) => Err(D::Error::custom("packets are counted from 1")),
        Pick::Probability(share) if !(0.0..=1.0).contains(&share) => {
            Err(D::Error::custom("a probability lies between 0 and 1"))
        }
        pick => Ok(pick),
    }
}
