//! The options that are walked lie one behind the other, within the bytes.

#![no_main]

use fastopen_wire::{FastOpen, Options, fast_open};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut covered = 0;
    for option in Options::new(bytes) {
        match option {
            Ok(option) => {
                assert_eq!(option.offset, covered);
                covered += option.data.len() + if option.kind == 1 { 1 } else { 2 };
            }
            Err(error) => {
                assert_eq!((error.offset, error.left), (covered, bytes.len() - covered));
                covered = bytes.len();
            }
        }
    }
    assert!(covered <= bytes.len());
    if let FastOpen::Cookie(_, cookie) = fast_open(bytes) {
        let cookie = cookie.as_bytes();
        assert!(bytes.windows(cookie.len()).any(|window| window == cookie));
    }
});
