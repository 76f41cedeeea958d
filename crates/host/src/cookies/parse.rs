//! One entry of the cookie cache.

use std::net::IpAddr;
use std::time::Duration;

use fastopen_wire::Cookie;

use super::Entry;
use crate::netlink::{Attribute, attributes};

// `TCP_METRICS_ATTR_*`.
pub(super) const ADDR_IPV4: u16 = 1;
pub(super) const ADDR_IPV6: u16 = 2;
const AGE: u16 = 3;
const VALUES: u16 = 6;
const FOPEN_MSS: u16 = 7;
const FOPEN_SYN_DROPS: u16 = 8;
const FOPEN_SYN_DROP_TS: u16 = 9;
const FOPEN_COOKIE: u16 = 10;
const SADDR_IPV4: u16 = 11;
const SADDR_IPV6: u16 = 12;

/// `TCP_METRIC_RTT_US`; the attributes inside [`VALUES`] are numbered from 1, and the metrics from 0.
const RTT_MICROSECONDS: u16 = 5 + 1;
/// The kernel keeps the smoothed time with three binary digits behind the point (`struct tcp_sock`, `srtt_us`).
const RTT_SCALE: u32 = 8;

/// Takes the attributes of an entry.
pub(super) fn entry(bytes: &[u8]) -> Result<Entry, String> {
    let mut destination = None;
    let mut entry = Entry {
        destination: IpAddr::from([0; 4]),
        source: None,
        age: None,
        mss: None,
        syn_drops: 0,
        last_syn_drop: None,
        cookie: None,
        rtt: None,
    };
    for attribute in attributes(bytes) {
        let attribute = attribute?;
        match attribute.kind {
            ADDR_IPV4 | ADDR_IPV6 => destination = Some(address(attribute)?),
            SADDR_IPV4 | SADDR_IPV6 => entry.source = Some(address(attribute)?),
            VALUES => entry.rtt = rtt(attribute.value)?,
            AGE => entry.age = Some(milliseconds(attribute)?),
            FOPEN_MSS => entry.mss = Some(u16::from_ne_bytes(attribute.array()?)),
            FOPEN_SYN_DROPS => entry.syn_drops = u16::from_ne_bytes(attribute.array()?),
            FOPEN_SYN_DROP_TS => entry.last_syn_drop = Some(milliseconds(attribute)?),
            FOPEN_COOKIE => {
                entry.cookie = Some(Cookie::new(attribute.value).map_err(|error| error.to_string())?);
            }
            _ => {}
        }
    }
    entry.destination = destination.ok_or("an entry has no destination")?;
    Ok(entry)
}

fn address(attribute: Attribute<'_>) -> Result<IpAddr, String> {
    match attribute.kind {
        ADDR_IPV4 | SADDR_IPV4 => attribute.array::<4>().map(IpAddr::from),
        _ => attribute.array::<16>().map(IpAddr::from),
    }
}

/// Among the kernel's measurements; it leaves out those that it does not have.
fn rtt(values: &[u8]) -> Result<Option<Duration>, String> {
    for value in attributes(values) {
        let value = value?;
        if value.kind == RTT_MICROSECONDS {
            let scaled = u32::from_ne_bytes(value.array()?);
            return Ok(Some(Duration::from_micros(u64::from(scaled)) / RTT_SCALE));
        }
    }
    Ok(None)
}

fn milliseconds(attribute: Attribute<'_>) -> Result<Duration, String> {
    attribute
        .array()
        .map(u64::from_ne_bytes)
        .map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::encode;

    const COOKIE: [u8; 8] = [0x5e, 0x7d, 0x24, 0xdf, 0xa6, 0x71, 0x42, 0xf7];

    fn whole() -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut values = Vec::new();
        encode(
            &mut values,
            [
                (1, &20_u32.to_ne_bytes()),
                (RTT_MICROSECONDS, &160_800_u32.to_ne_bytes()),
            ],
        );
        encode(
            &mut bytes,
            [
                (FOPEN_COOKIE, &COOKIE),
                (ADDR_IPV4, &[127, 0, 0, 1]),
                (SADDR_IPV4, &[127, 0, 0, 2]),
                (AGE, &4_u64.to_ne_bytes()),
                (VALUES, &values),
                (FOPEN_MSS, &65495_u16.to_ne_bytes()),
                (FOPEN_SYN_DROPS, &2_u16.to_ne_bytes()),
                (FOPEN_SYN_DROP_TS, &1500_u64.to_ne_bytes()),
            ],
        );
        bytes
    }

    #[test]
    fn an_entry_is_read() {
        assert_eq!(
            entry(&whole()).unwrap(),
            Entry {
                destination: "127.0.0.1".parse().unwrap(),
                source: Some("127.0.0.2".parse().unwrap()),
                age: Some(Duration::from_millis(4)),
                mss: Some(65495),
                syn_drops: 2,
                last_syn_drop: Some(Duration::from_millis(1500)),
                cookie: Some(Cookie::new(&COOKIE).unwrap()),
                rtt: Some(Duration::from_micros(20_100)),
            }
        );
    }

    #[test]
    fn an_ipv6_entry_is_read() {
        let mut bytes = Vec::new();
        let address = std::net::Ipv6Addr::LOCALHOST;
        encode(
            &mut bytes,
            [(ADDR_IPV6, &address.octets()), (SADDR_IPV6, &address.octets())],
        );
        let entry = entry(&bytes).unwrap();
        assert_eq!(
            (entry.destination, entry.source),
            (address.into(), Some(address.into()))
        );
        assert!(!entry.is_about_fast_open());
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (kind, value) in [
            (ADDR_IPV4, &[1, 2, 3][..]),
            (ADDR_IPV6, &[1; 15]),
            (AGE, &[1; 4]),
            (VALUES, &[8, 0, 6]),
            (VALUES, &[6, 0, 6, 0, 1, 2, 0, 0]),
            (FOPEN_MSS, &[1; 4]),
            (FOPEN_COOKIE, &[1; 18]),
            (FOPEN_COOKIE, &[]),
        ] {
            let mut bytes = whole();
            encode(&mut bytes, [(kind, value)]);
            assert!(entry(&bytes).is_err(), "attribute {kind}: {value:?}");
        }
        assert!(entry(&[]).is_err());
    }

    #[test]
    fn every_cut_is_taken_or_refused() {
        let whole = whole();
        for cut in 0..whole.len() {
            let _ = entry(&whole[..cut]);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_taken_or_refused(bytes: Vec<u8>) {
            let _ = entry(&bytes);
        }
    }
}
