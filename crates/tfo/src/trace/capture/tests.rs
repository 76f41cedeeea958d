//! The same frames come out of every container, byte order, resolution and compression, and out of what is left of a damaged one.

use std::io::{self, Read, Write};
use std::time::Duration;

use fastopen_wire::LinkType;
use flate2::{Compression, write::GzEncoder};

use super::window::LARGEST;
use super::{Capture, CaptureError, Ending};

/// A record as a value: number, time, link, frame, original length.
type Kept = (u64, Duration, u32, Vec<u8>, usize);

const FRAMES: [(u64, &[u8], usize); 3] = [
    (1_700_000_000_123_456_000, b"first", 5),
    (1_700_000_000_123_457_000, b"", 0),
    (1_700_000_001_000_000_000, b"a longer one", 1500),
];

fn expected() -> Vec<Kept> {
    let kept = |(number, (nanos, frame, len)): (u64, (u64, &[u8], usize))| {
        (number, Duration::from_nanos(nanos), 1, frame.to_vec(), len)
    };
    (1..).zip(FRAMES).map(kept).collect()
}

/// Writes integers in a byte order.
#[derive(Clone, Copy)]
struct Writer {
    big: bool,
}

impl Writer {
    fn u32(self, value: u32) -> Vec<u8> {
        match self.big {
            true => value.to_be_bytes().to_vec(),
            false => value.to_le_bytes().to_vec(),
        }
    }

    fn u16s(self, first: u16, second: u16) -> Vec<u8> {
        match self.big {
            true => [first.to_be_bytes(), second.to_be_bytes()].concat(),
            false => [first.to_le_bytes(), second.to_le_bytes()].concat(),
        }
    }

    fn pcap(self, nanoseconds: bool) -> Vec<u8> {
        let magic = if nanoseconds { 0xa1b2_3c4d } else { 0xa1b2_c3d4 };
        let mut file = [
            self.u32(magic),
            self.u16s(2, 4),
            vec![0; 8],
            self.u32(65_535),
            self.u32(1),
        ]
        .concat();
        for (nanos, frame, len) in FRAMES {
            let fraction = (nanos % 1_000_000_000) as u32;
            file.extend(self.u32((nanos / 1_000_000_000) as u32));
            file.extend(self.u32(if nanoseconds { fraction } else { fraction / 1000 }));
            file.extend(self.u32(frame.len() as u32));
            file.extend(self.u32(len as u32));
            file.extend(frame);
        }
        file
    }

    fn block(self, kind: u32, body: &[u8]) -> Vec<u8> {
        let padding = vec![0; body.len().next_multiple_of(4) - body.len()];
        let len = self.u32((12 + body.len() + padding.len()) as u32);
        [&self.u32(kind)[..], &len, body, &padding, &len].concat()
    }

    fn section(self) -> Vec<u8> {
        let body = [self.u32(0x1a2b_3c4d), self.u16s(1, 0), vec![0xff; 8]].concat();
        self.block(0x0a0d_0d0a, &body)
    }

    fn section_of_version(self, major: u16, minor: u16) -> Vec<u8> {
        let body = [self.u32(0x1a2b_3c4d), self.u16s(major, minor), vec![0xff; 8]].concat();
        self.block(0x0a0d_0d0a, &body)
    }

    fn interface(self, link: u16, options: &[u8]) -> Vec<u8> {
        let body = [&self.u16s(link, 0)[..], &self.u32(0), options].concat();
        self.block(1, &body)
    }

    fn packet(self, interface: u32, ticks: u64, frame: &[u8], len: usize) -> Vec<u8> {
        let fields = [
            interface,
            (ticks >> 32) as u32,
            ticks as u32,
            frame.len() as u32,
            len as u32,
        ];
        let mut body: Vec<u8> = fields.into_iter().flat_map(|field| self.u32(field)).collect();
        body.extend(frame);
        self.block(6, &body)
    }

    /// Two sections, blocks that are none of ours, and interfaces with different clocks.
    fn pcapng(self) -> Vec<u8> {
        let [first, second, third] = FRAMES;
        let other = Writer { big: !self.big };
        let name = [self.u16s(2, 3), b"eth\0".to_vec()].concat();
        let nanoseconds = [name, self.u16s(9, 1), vec![9, 0, 0, 0], self.u16s(0, 0)].concat();
        let binary = [other.u16s(9, 1), vec![0x80 | 30, 0, 0, 0]].concat();
        [
            self.section(),
            self.interface(113, &[]),
            self.interface(1, &nanoseconds),
            self.block(0x0bad, &[7; 9]),
            self.packet(1, first.0, first.1, first.2),
            self.block(5, &[0; 12]),
            other.section(),
            other.interface(1, &[]),
            other.packet(0, second.0 / 1000, second.1, second.2),
            other.interface(1, &binary),
            other.packet(1, (third.0 / 1_000_000_000) << 30, third.1, third.2),
        ]
        .concat()
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn containers() -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for big in [false, true] {
        let writer = Writer { big };
        files.push((format!("pcap, µs, big {big}"), writer.pcap(false)));
        files.push((format!("pcap, ns, big {big}"), writer.pcap(true)));
        files.push((format!("pcapng, big {big}"), writer.pcapng()));
    }
    files
}

fn read(input: impl Read) -> Result<(Vec<Kept>, Option<Ending>), CaptureError> {
    let mut capture = Capture::new(input)?;
    let mut records = Vec::new();
    while let Some(record) = capture.next_record()? {
        let frame = record.frame.to_vec();
        records.push((
            record.number,
            record.time,
            record.link.0,
            frame,
            record.original_len,
        ));
    }
    Ok((records, capture.ending()))
}

/// Gives a byte at a time, and is interrupted before each.
struct Trickle<'a>(&'a [u8], bool);

impl Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.1 = !self.1;
        if self.1 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let len = buffer.len().min(1);
        self.0.read(&mut buffer[..len])
    }
}

#[test]
fn every_container_gives_the_same_frames() {
    for (name, file) in containers() {
        let whole = (expected(), Some(Ending::Complete));
        assert_eq!(read(&file[..]).unwrap(), whole, "{name}");
        assert_eq!(read(&gzip(&file)[..]).unwrap(), whole, "{name}, gzipped");
        assert_eq!(read(Trickle(&file, false)).unwrap(), whole, "{name}, slowly");
    }
}

#[test]
fn concatenated_gzip_members_are_one_file() {
    let file = Writer { big: false }.pcap(false);
    let (one, other) = file.split_at(50);
    let members = [gzip(one), gzip(other)].concat();
    assert_eq!(read(&members[..]).unwrap().0, expected());
}

#[test]
fn what_is_left_of_a_cut_file_is_read() {
    for (name, file) in containers() {
        for cut in 0..file.len() {
            match read(&file[..cut]) {
                Ok((records, ending)) => {
                    assert_eq!(records, expected()[..records.len()], "{name} cut at {cut}");
                    let ending = ending.unwrap();
                    assert!(
                        !matches!(ending, Ending::Corrupt { .. }),
                        "{name} cut at {cut}: {ending}"
                    );
                    assert!(records.len() < 3, "{name} cut at {cut}");
                }
                Err(CaptureError::Empty) => assert!(cut < 24, "{name} cut at {cut}"),
                Err(error) => panic!("{name} cut at {cut}: {error}"),
            }
        }
        let gzipped = gzip(&file);
        let (_, ending) = read(&gzipped[..gzipped.len() - 1]).unwrap();
        assert!(
            matches!(ending, Some(Ending::Truncated { .. })),
            "{name}: {ending:?}"
        );
    }
}

#[test]
fn any_changed_byte_is_survived() {
    for (name, file) in containers() {
        for index in 0..file.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut file = file.clone();
                file[index] = value;
                if let Ok((records, ending)) = read(&file[..]) {
                    assert!(ending.is_some(), "{name}, byte {index} is {value}");
                    assert!(records.len() <= 3, "{name}, byte {index} is {value}");
                }
            }
        }
    }
}

#[test]
fn hostile_lengths_end_the_capture() {
    let writer = Writer { big: false };
    let mut pcap = writer.pcap(false);
    pcap[24 + 8..24 + 12].copy_from_slice(&u32::MAX.to_le_bytes());
    let ending = read(&pcap[..]).unwrap().1;
    assert!(
        matches!(ending, Some(Ending::Corrupt { at: 24, .. })),
        "{ending:?}"
    );

    let largest = vec![7; LARGEST - 12 - 20];
    let file = |frame: &[u8]| {
        [
            writer.section(),
            writer.interface(1, &[]),
            writer.packet(0, 0, frame, frame.len()),
        ]
        .concat()
    };
    assert_eq!(read(&file(&largest)[..]).unwrap().0.len(), 1);
    let larger = [&largest[..], &[7; 4]].concat();
    let (records, ending) = read(&file(&larger)[..]).unwrap();
    assert!(records.is_empty() && matches!(ending, Some(Ending::Corrupt { .. })));
}

#[test]
fn large_blocks_of_other_kinds_are_passed_over() {
    let writer = Writer { big: true };
    let (nanos, frame, len) = FRAMES[0];
    let file = [
        writer.section(),
        writer.interface(1, &[]),
        writer.block(10, &vec![0; 3 * LARGEST]),
        writer.packet(0, nanos / 1000, frame, len),
    ]
    .concat();
    assert_eq!(read(&file[..]).unwrap().0, expected()[..1]);
    assert!(matches!(
        read(&file[..file.len() / 2]).unwrap().1,
        Some(Ending::Truncated { .. })
    ));
}

#[test]
fn packets_of_undescribed_interfaces_count_but_are_not_given() {
    let writer = Writer { big: false };
    let (nanos, frame, len) = FRAMES[0];
    let file = [
        writer.section(),
        writer.packet(0, 0, b"lost", 4),
        writer.interface(1, &[]),
        writer.packet(0, nanos / 1000, frame, len),
    ]
    .concat();
    let records = read(&file[..]).unwrap().0;
    assert_eq!(records.iter().map(|record| record.0).collect::<Vec<_>>(), [2]);
}

#[test]
fn simple_and_obsolete_packet_blocks_are_read() {
    let writer = Writer { big: true };
    let simple = [&writer.u32(9)[..], b"simple"].concat();
    let old = [
        writer.u16s(0, 77),
        writer.u32(0),
        writer.u32(5_000_000),
        writer.u32(3),
        writer.u32(3),
        b"old".to_vec(),
    ]
    .concat();
    let file = [
        writer.section(),
        writer.interface(101, &[]),
        writer.block(2, &old),
        writer.block(3, &simple),
    ]
    .concat();
    let (records, _) = read(&file[..]).unwrap();
    let five = Duration::from_secs(5);
    assert_eq!(
        records,
        [
            (1, five, 101, b"old".to_vec(), 3),
            (2, five, 101, b"simple\0\0".to_vec(), 9)
        ]
    );
}

#[test]
fn what_is_no_capture_is_named() {
    assert!(matches!(read(&b""[..]), Err(CaptureError::Empty)));
    assert!(matches!(read(&b"GIF8"[..]), Err(CaptureError::Unrecognised(magic)) if &magic == b"GIF8"));
    assert!(matches!(
        read(&gzip(b"GIF8")[..]),
        Err(CaptureError::Unrecognised(_))
    ));
    assert!(read(&[0x1f, 0x8b, 9, 9, 9][..]).is_err());
}

#[test]
fn versions_that_do_not_exist_are_refused() {
    for big in [false, true] {
        let writer = Writer { big };
        for (major, minor, exists) in [
            (2, 4, true),
            (2, 2, true),
            (1, 0, false),
            (2, 5, false),
            (3, 0, false),
        ] {
            let mut file = writer.pcap(false);
            file.splice(4..8, writer.u16s(major, minor));
            match read(&file[..]) {
                Ok((records, _)) => assert!(exists && records.len() >= 2, "{major}.{minor}"),
                Err(error) => {
                    let expected = format!("pcap {major}.{minor}: there is no such version");
                    assert_eq!((exists, error.to_string()), (false, expected));
                }
            }
        }
        for (major, minor, exists) in [(1, 0, true), (1, 2, true), (1, 1, false), (2, 0, false)] {
            let file = [writer.section_of_version(major, minor), writer.interface(1, &[])].concat();
            assert_eq!(read(&file[..]).is_ok(), exists, "{major}.{minor}");
            let later = [writer.section(), file].concat();
            let corrupt = matches!(read(&later[..]), Ok((_, Some(Ending::Corrupt { at: 28, .. }))));
            assert_eq!(corrupt, !exists, "{major}.{minor}");
        }
    }
}

#[test]
fn the_oldest_pcaps_give_the_original_length_first() {
    let writer = Writer { big: true };
    let mut file = writer.pcap(false);
    file.splice(4..8, writer.u16s(2, 2));
    // Of the third record.
    let at = 24 + 16 + 5 + 16 + 8;
    file.splice(at..at + 8, [writer.u32(1500), writer.u32(12)].concat());
    assert_eq!(read(&file[..]).unwrap().0, expected());
    file.splice(4..8, writer.u16s(2, 3));
    assert_eq!(read(&file[..]).unwrap().0, expected());
}

#[test]
fn what_stands_for_a_capture_is_recognised() {
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
    for (start, what) in [
        (&pointer[..], "a Git LFS pointer, not the capture itself"),
        (
            &[0x28, 0xb5, 0x2f, 0xfd, 0, 0][..],
            "compressed with zstd, not the capture itself",
        ),
        (b"BZh9", "compressed with bzip2, not the capture itself"),
        (
            b"\x04\x22\x4d\x18x",
            "compressed with lz4, not the capture itself",
        ),
    ] {
        assert_eq!(read(start).unwrap_err().to_string(), what);
    }
}

#[test]
fn odd_clocks_do_not_overflow() {
    let writer = Writer { big: false };
    for (resolution, offset) in [
        (127, i64::MAX),
        (0xff, i64::MIN),
        (0, -1),
        (19, 0),
        (63 | 0x80, 0),
    ] {
        let options = [
            writer.u16s(9, 1),
            vec![resolution, 0, 0, 0],
            writer.u16s(14, 8),
            offset.to_le_bytes().to_vec(),
        ]
        .concat();
        let file = [
            writer.section(),
            writer.interface(LinkType::RAW.0 as u16, &options),
            writer.packet(0, u64::MAX, b"x", 1),
        ]
        .concat();
        let records = read(&file[..]).unwrap().0;
        assert!(records.len() == 1 && records[0].1 <= super::LATEST);
    }
}
