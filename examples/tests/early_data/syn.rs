//! What a SYN carries, read from the packet.

use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InSyn {
    Nothing,
    /// HTTP/2's preface without a request.
    Preface,
    Request,
    /// A ClientHello.
    Hello,
    /// A ClientHello, and early data.
    EarlyData,
}

impl fmt::Display for InSyn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "-",
            Self::Preface => "preface",
            Self::Request => "request",
            Self::Hello => "hello",
            Self::EarlyData => "hello+early",
        })
    }
}

/// `None` where it is no SYN. Over IPv4 without options.
pub(crate) fn in_syn(packet: &[u8]) -> Option<InSyn> {
    const SYN: u8 = 0x02;
    const ACK: u8 = 0x10;
    let tcp = &packet[20..];
    if tcp[13] & (SYN | ACK) != SYN {
        return None;
    }
    let payload = &tcp[usize::from(tcp[12] >> 4) * 4..];
    Some(match payload {
        [] => InSyn::Nothing,
        [0x16, ..] if has_application_data(payload) => InSyn::EarlyData,
        [0x16, ..] => InSyn::Hello,
        _ => match payload.strip_prefix(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") {
            Some(frames) if !has_headers(frames) => InSyn::Preface,
            _ => InSyn::Request,
        },
    })
}

fn has_application_data(mut records: &[u8]) -> bool {
    while let [kind, _, _, high, low, rest @ ..] = records {
        if *kind == 23 {
            return true;
        }
        records = rest
            .get(usize::from(u16::from_be_bytes([*high, *low]))..)
            .unwrap_or_default();
    }
    false
}

fn has_headers(mut frames: &[u8]) -> bool {
    while let [a, b, c, kind, _, _, _, _, _, rest @ ..] = frames {
        if *kind == 1 {
            return true;
        }
        frames = rest
            .get(u32::from_be_bytes([0, *a, *b, *c]) as usize..)
            .unwrap_or_default();
    }
    false
}
