//! Values that say whether two keys are the same, and nothing else.

use blake2::Blake2bMac;
use blake2::digest::FixedOutput;
use blake2::digest::consts::U8;
use fastopen::{Key, KeyRing};

/// A key's fingerprint: 16 hexadecimal digits.
///
/// BLAKE2b (RFC 7693) of no input, 8 bytes, with the Fast Open key as its key and a personalization of its own, so that it is no value that
/// anything else computes from the key. A key has 128 bits: nobody finds it by trying.
pub(crate) fn of(key: &Key) -> String {
    let mac = Blake2bMac::<U8>::new_with_salt_and_personal(Some(key.as_bytes()), &[], b"tfo-fingerprint\0");
    let mac = mac.expect("key and personalization have the lengths that BLAKE2b takes");
    let bytes: [u8; 8] = mac.finalize_fixed().into();
    format!("{:016x}", u64::from_be_bytes(bytes))
}

/// Of both keys, the primary one first.
pub(crate) fn of_ring(keys: &KeyRing) -> Vec<String> {
    let keys = [Some(keys.primary()), keys.backup()];
    keys.into_iter().flatten().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with Python: `hashlib.blake2b(digest_size=8, key=bytes(range(16)), person=b"tfo-fingerprint\0").hexdigest()`.
    #[test]
    fn it_is_that_of_rfc_7693() {
        let key = Key::new(std::array::from_fn(|i| i as u8));
        assert_eq!(of(&key), "59be52c41a21b96a");
    }
}
