//! Netlink attributes: numbers with bytes behind them.

use netlink_packet_core::{DefaultNla, Emitable, NlasIterator};

/// One attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attribute<'a> {
    pub(crate) kind: u16,
    pub(crate) value: &'a [u8],
}

impl<'a> Attribute<'a> {
    /// The value, if it is exactly as long as it should be.
    pub(crate) fn array<const N: usize>(self) -> Result<[u8; N], String> {
        self.value.try_into().map_err(|_| {
            format!(
                "attribute {} has {} bytes where {N} belong",
                self.kind,
                self.value.len()
            )
        })
    }
}

const HEADER_LEN: usize = 4;

/// Walks attributes up to the first one that can't be.
pub(crate) fn attributes(bytes: &[u8]) -> impl Iterator<Item = Result<Attribute<'_>, String>> {
    NlasIterator::new(bytes).map(|attribute| {
        // The iterator's items borrow the iterator's own copy of the value, so the bytes are taken from behind it.
        let attribute = attribute.map_err(|error| error.to_string())?;
        let (kind, len) = (attribute.kind(), usize::from(attribute.length()));
        let value = attribute
            .into_inner()
            .get(HEADER_LEN..len)
            .ok_or("an attribute is cut short")?;
        Ok(Attribute { kind, value })
    })
}

/// Writes attributes behind what is there.
pub(crate) fn encode<const N: usize>(body: &mut Vec<u8>, attributes: [(u16, &[u8]); N]) {
    let attributes = attributes.map(|(kind, value)| DefaultNla::new(kind, value.to_vec()));
    let attributes = attributes.as_slice();
    let start = body.len();
    body.resize(start + attributes.buffer_len(), 0);
    attributes.emit(&mut body[start..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let mut bytes = Vec::new();
        encode(&mut bytes, [(1, &[1, 2, 3]), (7, &[]), (0x8006, &[9; 4])]);
        let read: Vec<_> = attributes(&bytes)
            .map(|attribute| attribute.map(|attribute| (attribute.kind, attribute.value)))
            .collect();
        assert_eq!(read, [Ok((1, &[1, 2, 3][..])), Ok((7, &[])), Ok((6, &[9; 4]))]);
    }

    #[test]
    fn lengths_are_checked() {
        let attribute = Attribute {
            kind: 7,
            value: &[1, 0],
        };
        assert_eq!(attribute.array(), Ok([1, 0]));
        assert_eq!(
            attribute.array::<4>().unwrap_err(),
            "attribute 7 has 2 bytes where 4 belong"
        );
    }

    #[test]
    fn a_broken_attribute_ends_the_walk() {
        for broken in [&[8, 0, 1, 0, 0, 0][..], &[3, 0, 1, 0], &[0, 0, 0, 0], &[4]] {
            let walked: Vec<_> = attributes(broken).collect();
            assert!(matches!(walked[..], [Err(_)]), "{broken:?}: {walked:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_walked(bytes: Vec<u8>) {
            assert!(attributes(&bytes).count() <= bytes.len());
        }
    }
}
