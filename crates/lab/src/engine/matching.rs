//! Which packets a rule takes.

use fastopen_wire::{FastOpen, Segment};

use super::PortId;
use super::topology::{Name, Target, Topology};
use crate::scenario::{Action, OptionState, Pick, Rule, SegmentKind};

/// A rule at work: its names resolved, its packets counted.
#[derive(Debug)]
pub(super) struct ActiveRule {
    pub(super) action: Action,
    rule: Rule,
    from: Option<Name>,
    to: Option<Name>,
    count: u64,
    random: SplitMix,
}

/// A packet as rules see it.
pub(super) struct View<'a> {
    pub(super) from: PortId,
    pub(super) to: Option<Target>,
    pub(super) kind: Option<SegmentKind>,
    pub(super) packet: &'a [u8],
}

impl ActiveRule {
    pub(super) fn all(topology: &Topology, seed: u64, rules: &[Rule]) -> Vec<Self> {
        let active = rules.iter().enumerate().map(|(index, rule)| Self {
            action: rule.action.clone(),
            from: rule.from.as_deref().and_then(|name| topology.name(name)),
            to: rule.to.as_deref().and_then(|name| topology.name(name)),
            rule: rule.clone(),
            count: 0,
            // Rules choose independently of each other.
            random: SplitMix(seed ^ (index as u64).wrapping_mul(0xa076_1d64_78bd_642f)),
        });
        active.collect()
    }

    /// Whether the packet fits and is picked. A packet that fits counts.
    pub(super) fn takes(&mut self, view: &View<'_>) -> bool {
        if !self.fits(view) {
            return false;
        }
        self.count += 1;
        match self.rule.pick {
            Pick::All => true,
            Pick::Nth(n) => self.count == n,
            Pick::First(n) => self.count <= n,
            Pick::From(n) => self.count >= n,
            Pick::Every(n) => self.count.is_multiple_of(n),
            Pick::Probability(share) => self.random.next_share() < share,
        }
    }

    fn fits(&self, view: &View<'_>) -> bool {
        let rule = &self.rule;
        let from = self.from.is_none_or(|name| name == Name::Host(view.from));
        let to = self
            .to
            .is_none_or(|name| view.to.is_some_and(|target| is_for(target, name)));
        let length = rule.longer_than.is_none_or(|len| view.packet.len() > len);
        let kind = rule.segment.is_none_or(|kind| view.kind == Some(kind));
        from && to && length && kind && self.fits_segment(view.packet)
    }

    fn fits_segment(&self, packet: &[u8]) -> bool {
        let rule = &self.rule;
        if rule.option.is_none() && rule.data.is_none() && rule.port.is_none() {
            return true;
        }
        let Ok(segment) = Segment::from_ip(packet) else {
            return false;
        };
        let ports = [segment.source.port(), segment.destination.port()];
        rule.option.is_none_or(|state| says(&segment.fast_open(), state))
            && rule.data.is_none_or(|data| data == (segment.payload_len > 0))
            && rule.port.is_none_or(|port| ports.contains(&port))
    }
}

fn is_for(target: Target, name: Name) -> bool {
    match name {
        Name::Host(host) => target.host == Some(host),
        Name::Farm(farm) => target.farm == Some(farm),
    }
}

fn says(fast_open: &FastOpen, state: OptionState) -> bool {
    match state {
        OptionState::Absent => matches!(fast_open, FastOpen::Absent),
        OptionState::Present => !matches!(fast_open, FastOpen::Absent),
        OptionState::Request => matches!(fast_open, FastOpen::Request(_)),
        OptionState::Cookie => matches!(fast_open, FastOpen::Cookie(..) | FastOpen::Malformed { .. }),
    }
}

/// SplitMix64: few lines, and the same numbers everywhere for the same seed.
#[derive(Debug)]
struct SplitMix(u64);

impl SplitMix {
    /// From 0 up to but not including 1.
    fn next_share(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        (mixed >> 11) as f64 / (1_u64 << 53) as f64
    }
}
