//! Any bytes as a capture file, and whatever frames come out of it as connections.

#![no_main]

use fastopen_wire::{Content, Decoded, Limits, Tracker};
use libfuzzer_sys::fuzz_target;

#[path = "../../crates/tfo/src/trace/capture/mod.rs"]
mod capture;

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut capture) = capture::Capture::new(bytes) else {
        return;
    };
    let mut tracker = Tracker::new(Limits::default());
    let mut last = 0;
    while let Ok(Some(record)) = capture.next_record() {
        assert!(record.number > last);
        last = record.number;
        match Decoded::from_frame(record.link, record.frame, record.original_len)
            .map(|decoded| decoded.content)
        {
            Ok(Content::Segment(segment)) => tracker.observe(record.number, record.time, &segment),
            Ok(Content::IcmpError(error)) => tracker.observe_icmp(record.number, record.time, &error),
            Err(_) => {}
        }
    }
    assert!(capture.ending().is_some());
    assert!(bytes.len() as u64 >= capture.undescribed());
    tracker.finish();
    while let Some(connection) = tracker.poll() {
        assert!(connection.steps.iter().all(|step| step.number <= last));
    }
});
