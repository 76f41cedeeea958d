//! The packets of any bytes as a capture file are written and read again as they were.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/tfo/src/trace/capture/mod.rs"]
mod capture;
#[path = "../../crates/tfo/src/trace/annotated/pcapng.rs"]
mod pcapng;

use capture::Capture;

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut read) = Capture::new(bytes) else {
        return;
    };
    let mut written = Vec::new();
    let mut writer = pcapng::Writer::new(&mut written).expect("a vector takes everything");
    let mut kept = Vec::new();
    while let Ok(Some(record)) = read.next_record() {
        let comments = vec![format!("packet {}", record.number); record.frame.len() % 3];
        let link = u16::try_from(record.link.0).expect("files have no larger numbers");
        writer
            .packet(link, record.time, record.frame, record.original_len, &comments)
            .expect("a vector takes everything");
        kept.push((
            record.time,
            record.link,
            record.frame.to_vec(),
            record.original_len,
        ));
    }
    writer.flush().expect("a vector takes everything");
    let mut again = Capture::new(&written[..]).expect("it begins as a capture does");
    for (time, link, frame, original_len) in kept {
        let record = again
            .next_record()
            .expect("bytes in memory can be read")
            .expect("a packet");
        assert_eq!((record.time, record.link, record.frame), (time, link, &frame[..]));
        assert_eq!(record.original_len, original_len);
    }
    assert!(matches!(again.next_record(), Ok(None)));
    assert_eq!(again.ending(), Some(capture::Ending::Complete));
    assert_eq!(again.undescribed(), 0);
});
