//! Any frame of any link layer is a segment within the frame's bounds, or an error.

#![no_main]

use fastopen_wire::{LinkType, Segment};
use libfuzzer_sys::fuzz_target;

const LINKS: [u32; 12] = [0, 1, 12, 14, 101, 108, 113, 147, 228, 229, 276, u32::MAX];

fuzz_target!(|bytes: &[u8]| {
    let Some((&[link, more], frame)) = bytes.split_first_chunk() else {
        return;
    };
    let link = LinkType(LINKS[usize::from(link) % LINKS.len()]);
    match Segment::from_frame(link, frame, frame.len() + usize::from(more) * 64) {
        Ok(segment) => {
            let inside = |part: &[u8]| frame.as_ptr_range().contains(&part.as_ptr()) || part.is_empty();
            assert!(inside(segment.options) && inside(segment.payload));
            assert!(segment.options.len() <= 40);
            assert!(segment.payload.len() <= segment.payload_len);
            segment.fast_open();
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
