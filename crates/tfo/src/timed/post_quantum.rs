//! The key share of a post-quantum ClientHello: X25519MLKEM768 (draft-ietf-tls-ecdhe-mlkem), which rustls has for other providers
//! than ring.

use ml_kem::MlKem768;
use ml_kem::kem::{Kem, KeyExport};
use rustls::crypto::ring::kx_group::X25519;
use rustls::crypto::{ActiveKeyExchange, SharedSecret, SupportedKxGroup};
use rustls::{Error, NamedGroup};

/// Offers X25519MLKEM768. It is for a ClientHello that nobody carries on: the exchange can't be completed.
pub(super) static X25519_MLKEM768: OfferOnly = OfferOnly;

#[derive(Debug)]
pub(super) struct OfferOnly;

impl SupportedKxGroup for OfferOnly {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let (_, encapsulation_key) = MlKem768::generate_keypair();
        let mut public = encapsulation_key.to_bytes().to_vec();
        public.extend_from_slice(X25519.start()?.pub_key());
        Ok(Box::new(Offer(public)))
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519MLKEM768
    }
}

/// The encapsulation key, and behind it the X25519 key.
struct Offer(Vec<u8>);

impl ActiveKeyExchange for Offer {
    fn complete(self: Box<Self>, _peer: &[u8]) -> Result<SharedSecret, Error> {
        Err(Error::General(
            "this key share is for a ClientHello that is not carried on".to_owned(),
        ))
    }

    fn pub_key(&self) -> &[u8] {
        &self.0
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::X25519MLKEM768
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_as_long_as_the_draft_says_and_new_each_time() {
        let shares = [(); 2].map(|()| X25519_MLKEM768.start().unwrap().pub_key().to_vec());
        assert_eq!(shares[0].len(), 1184 + 32);
        assert_ne!(shares[0], shares[1]);
    }
}
