//! The messages in a datagram from the kernel.

use netlink_packet_core::{NLMSG_DONE, NLMSG_ERROR, NLMSG_NOOP, NLMSG_OVERRUN, NetlinkBuffer};

/// The first message of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Message<'a> {
    pub(super) content: Content<'a>,
    pub(super) flags: u16,
    pub(super) sequence: u32,
    /// The bytes that it takes up in the datagram.
    pub(super) len: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content<'a> {
    /// Part of the answer.
    Reply(&'a [u8]),
    /// Nothing more comes; the number is a negative errno, or 0.
    End(i32),
    /// A message without meaning.
    Nothing,
    /// The kernel lost messages.
    Overrun,
}

const HEADER_LEN: usize = 16;

/// Takes the first message of a datagram that is not empty.
pub(super) fn first(datagram: &[u8]) -> Result<Message<'_>, String> {
    let header = NetlinkBuffer::new_checked(datagram).map_err(|error| error.to_string())?;
    let len = header.length() as usize;
    let payload = datagram
        .get(HEADER_LEN..len)
        .ok_or("a message is shorter than its header")?;
    let content = match header.message_type() {
        NLMSG_NOOP => Content::Nothing,
        NLMSG_OVERRUN => Content::Overrun,
        NLMSG_DONE | NLMSG_ERROR => Content::End(errno(payload)?),
        _ => Content::Reply(payload),
    };
    Ok(Message {
        content,
        flags: header.flags(),
        sequence: header.sequence_number(),
        len: len.next_multiple_of(4).min(datagram.len()),
    })
}

/// The end of a list may come without a number.
fn errno(payload: &[u8]) -> Result<i32, &'static str> {
    match payload.first_chunk() {
        Some(code) => Ok(i32::from_ne_bytes(*code)),
        None if payload.is_empty() => Ok(0),
        None => Err("the number of an error is cut short"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u16, payload: &[u8]) -> Vec<u8> {
        let len = (HEADER_LEN + payload.len()) as u32;
        let mut bytes = len.to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(2_u16.to_ne_bytes());
        bytes.extend(7_u32.to_ne_bytes());
        bytes.extend([0; 4]);
        bytes.extend(payload);
        bytes
    }

    #[test]
    fn messages_are_told_apart() {
        for (kind, payload, content) in [
            (20, &[1, 2, 3][..], Content::Reply(&[1, 2, 3])),
            (NLMSG_DONE, &[], Content::End(0)),
            (NLMSG_DONE, &(-4_i32).to_ne_bytes(), Content::End(-4)),
            (NLMSG_ERROR, &(-1_i32).to_ne_bytes(), Content::End(-1)),
            (NLMSG_NOOP, &[], Content::Nothing),
            (NLMSG_OVERRUN, &[], Content::Overrun),
        ] {
            let bytes = message(kind, payload);
            let first = first(&bytes).unwrap();
            assert_eq!((first.content, first.flags, first.sequence), (content, 2, 7));
        }
    }

    #[test]
    fn the_next_message_is_found_behind_the_padding() {
        let mut bytes = message(20, &[1, 2, 3]);
        assert_eq!(first(&bytes).unwrap().len, 19);
        bytes.push(0);
        bytes.extend(message(21, &[9]));
        assert_eq!(first(&bytes).unwrap().len, 20);
        assert_eq!(first(&bytes[20..]).unwrap().content, Content::Reply(&[9]));
    }

    #[test]
    fn broken_messages_are_refused() {
        let whole = message(NLMSG_ERROR, &[1, 2, 3, 4]);
        for cut in 0..whole.len() {
            assert!(first(&whole[..cut]).is_err(), "cut at {cut}");
        }
        let mut short = message(20, &[]);
        short[..4].copy_from_slice(&15_u32.to_ne_bytes());
        assert!(first(&short).is_err());
        assert!(first(&message(NLMSG_ERROR, &[1])).is_err());
    }

    proptest::proptest! {
        #[test]
        fn any_datagram_is_walked_to_its_end(bytes: Vec<u8>) {
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let Ok(message) = first(rest) else { break };
                assert!((HEADER_LEN..=rest.len()).contains(&message.len));
                rest = &rest[message.len..];
            }
        }
    }
}
