//! Any frame of any link layer is a segment within the frame's bounds, or an error.

#![no_main]

use fastopen_wire::{Content, Decoded, LinkType};
use libfuzzer_sys::fuzz_target;

const LINKS: [u32; 21] = [
    0,
    1,
    9,
    12,
    14,
    50,
    51,
    100,
    101,
    104,
    108,
    113,
    147,
    166,
    204,
    219,
    228,
    229,
    239,
    276,
    u32::MAX,
];

fuzz_target!(|bytes: &[u8]| {
    let Some((&[link, more], frame)) = bytes.split_first_chunk() else {
        return;
    };
    let link = LinkType(LINKS[usize::from(link) % LINKS.len()]);
    match Decoded::from_frame(link, frame, frame.len() + usize::from(more) * 64)
        .map(|decoded| decoded.content)
    {
        Ok(Content::Segment(segment)) => {
            let inside = |part: &[u8]| frame.as_ptr_range().contains(&part.as_ptr()) || part.is_empty();
            assert!(inside(segment.options) && inside(segment.payload));
            assert!(segment.options.len() <= 40);
            assert!(segment.payload.len() <= segment.payload_len);
            segment.fast_open();
        }
        Ok(Content::IcmpError(error)) => assert!(!error.kind.to_string().is_empty()),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
