//! IP packets inside every link layer.

use fastopen_wire::LinkType;

/// A link type, and the header that goes in front of an IPv4 or IPv6 packet.
pub(crate) struct Wrapper {
    pub(crate) link: LinkType,
    header: fn(v6: bool) -> Vec<u8>,
}

impl Wrapper {
    pub(crate) fn wrap(&self, packet: &[u8]) -> Vec<u8> {
        let v6 = packet[0] >> 4 == 6;
        let mut frame = (self.header)(v6);
        frame.extend(packet);
        if self.link == LinkType::ETHERNET {
            frame.resize(frame.len().max(60), 0);
        }
        frame
    }
}

fn ether_type(v6: bool) -> [u8; 2] {
    if v6 { [0x86, 0xdd] } else { [0x08, 0x00] }
}

pub(crate) const WRAPPERS: &[Wrapper] = &[
    Wrapper {
        link: LinkType::ETHERNET,
        header: |v6| [&[2; 12][..], &ether_type(v6)].concat(),
    },
    Wrapper {
        link: LinkType::ETHERNET,
        header: |v6| [&[2; 12][..], &[0x81, 0, 0, 5], &ether_type(v6)].concat(),
    },
    Wrapper {
        link: LinkType::ETHERNET,
        header: |v6| [&[2; 12][..], &[0x88, 0xa8, 0, 5, 0x81, 0, 0, 6], &ether_type(v6)].concat(),
    },
    Wrapper {
        link: LinkType::LINUX_SLL,
        header: |v6| [&[0, 4, 3, 4, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0][..], &ether_type(v6)].concat(),
    },
    Wrapper {
        link: LinkType::LINUX_SLL2,
        header: |v6| [&ether_type(v6)[..], &[0; 18]].concat(),
    },
    Wrapper {
        link: LinkType::RAW,
        header: |_| Vec::new(),
    },
    Wrapper {
        link: LinkType(12),
        header: |_| Vec::new(),
    },
    Wrapper {
        link: LinkType::NULL,
        header: |v6| u32::to_le_bytes(if v6 { 30 } else { 2 }).to_vec(),
    },
    Wrapper {
        link: LinkType::NULL,
        header: |v6| u32::to_be_bytes(if v6 { 24 } else { 2 }).to_vec(),
    },
    Wrapper {
        link: LinkType::LOOP,
        header: |v6| u32::to_be_bytes(if v6 { 28 } else { 2 }).to_vec(),
    },
    Wrapper {
        link: LinkType(14),
        header: |_| Vec::new(),
    },
    // PPPoE behind a VLAN tag.
    Wrapper {
        link: LinkType::ETHERNET,
        header: |v6| {
            let protocol = if v6 { 0x57 } else { 0x21 };
            [
                &[2; 12][..],
                &[0x81, 0, 0, 5, 0x88, 0x64, 0x11, 0, 0, 1, 0, 0, 0, protocol],
            ]
            .concat()
        },
    },
    // Two MPLS labels.
    Wrapper {
        link: LinkType::ETHERNET,
        header: |_| [&[2; 12][..], &[0x88, 0x47, 0, 1, 0, 64, 0, 2, 1, 64]].concat(),
    },
    // 802.2 LLC and SNAP.
    Wrapper {
        link: LinkType::ETHERNET,
        header: |v6| [&[2; 12][..], &[1, 0, 0xaa, 0xaa, 3, 0, 0, 0], &ether_type(v6)].concat(),
    },
    Wrapper {
        link: LinkType::PPP,
        header: |v6| vec![0xff, 3, 0, if v6 { 0x57 } else { 0x21 }],
    },
    Wrapper {
        link: LinkType::NFLOG,
        header: |v6| {
            vec![
                if v6 { 10 } else { 2 },
                0,
                0,
                1,
                6,
                0,
                10,
                0,
                0,
                0,
                0,
                0,
                0xff,
                0xff,
                9,
                0,
            ]
        },
    },
];
