//! The bytes of a first write, which the caller gives in pieces and may give again.

use std::io::IoSlice;

/// The first `most` bytes of the pieces, in one.
pub(super) fn gather(pieces: &[IoSlice<'_>], most: usize) -> Vec<u8> {
    let total: usize = pieces.iter().map(|piece| piece.len()).sum();
    let mut bytes = Vec::with_capacity(total.min(most));
    for piece in pieces {
        let room = most - bytes.len();
        bytes.extend_from_slice(&piece[..piece.len().min(room)]);
    }
    bytes
}

/// Whether the pieces begin with these bytes.
pub(super) fn begins_with(pieces: &[IoSlice<'_>], mut bytes: &[u8]) -> bool {
    for piece in pieces {
        let len = piece.len().min(bytes.len());
        let (now, later) = bytes.split_at(len);
        if piece[..len] != *now {
            return false;
        }
        bytes = later;
    }
    bytes.is_empty()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn slices(pieces: &[Vec<u8>]) -> Vec<IoSlice<'_>> {
        pieces.iter().map(|piece| IoSlice::new(piece)).collect()
    }

    proptest! {
        #[test]
        fn what_is_gathered_is_the_beginning(
            pieces in prop::collection::vec(prop::collection::vec(0_u8..3, 0..6), 0..6),
            most in 0_usize..20,
            other in prop::collection::vec(0_u8..3, 0..20),
        ) {
            let whole = pieces.concat();
            let gathered = gather(&slices(&pieces), most);
            prop_assert_eq!(&gathered[..], &whole[..most.min(whole.len())]);
            prop_assert!(begins_with(&slices(&pieces), &gathered));
            prop_assert_eq!(begins_with(&slices(&pieces), &other), whole.starts_with(&other));
        }
    }
}
