//! Capture files as a stream of frames: pcap and pcapng, plain or gzipped.
//!
//! The formats: <https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-05.html> and
//! <https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-03.html>. The pcap-file crate (2.0) reads them too, but not what real
//! captures hold: it refuses frames longer than the snapshot length, reads every pcapng time as microseconds, and takes a later
//! section in the byte order of the first.

mod pcap;
mod pcapng;
#[cfg(test)]
mod tests;
mod window;

use std::io::{self, Read};
use std::ops::Range;
use std::time::Duration;

use fastopen_wire::LinkType;
use flate2::read::MultiGzDecoder;

use window::Window;

/// What a gzipped file begins with.
pub(super) const GZIP: [u8; 2] = [0x1f, 0x8b];

/// No record has a later time, whatever its bytes say: so many nanoseconds as pcapng can write, the year 2554. With it, sums of times
/// stay far from what a [`Duration`] holds.
const LATEST: Duration = Duration::from_nanos(u64::MAX);

/// Reads a capture file from its start, record by record, in memory that does not grow with the file.
pub struct Capture<'r> {
    window: Window<'r>,
    format: Format,
    packets: u64,
    ending: Option<Ending>,
}

enum Format {
    Pcap(pcap::Header),
    PcapNg(pcapng::Section),
}

/// One frame of a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// The frame's number, from 1 on, as Wireshark counts.
    pub number: u64,
    /// When it was captured, from the Unix epoch.
    pub time: Duration,
    /// What its first byte belongs to.
    pub link: LinkType,
    /// As many of its bytes as were kept.
    pub frame: &'a [u8],
    /// How many bytes it had.
    pub original_len: usize,
}

/// How a capture ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ending {
    /// Behind a whole record.
    #[error("the capture is complete")]
    Complete,
    /// Within a record, as when a writer was stopped.
    #[error("the capture ends within the record at byte {at}")]
    Truncated {
        /// Where the record begins, in bytes from the start of the uncompressed capture.
        at: u64,
    },
    /// At a record that can't be read on from.
    #[error("the capture is damaged at byte {at}: {what}")]
    Corrupt {
        /// Where the record begins, in bytes from the start of the uncompressed capture.
        at: u64,
        /// What is wrong with it.
        what: &'static str,
    },
}

/// Why a capture can't be read.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The bytes could not be had.
    #[error("reading the capture failed")]
    Read(#[source] io::Error),
    /// There are no bytes, or fewer than any capture begins with.
    #[error("the capture is empty or ends within its header")]
    Empty,
    /// It begins like no capture.
    #[error("neither pcap nor pcapng: it begins with {0:02x?}")]
    Unrecognised([u8; 4]),
    /// The format is known, the version is none that exists.
    #[error("{format} {major}.{minor}: there is no such version")]
    Version {
        /// pcap or pcapng.
        format: &'static str,
        /// Its major version.
        major: u16,
        /// Its minor version.
        minor: u16,
    },
    /// It is another file that stands for the capture.
    #[error("{what}, not the capture itself")]
    StandIn {
        /// What it is.
        what: &'static str,
        /// What makes the capture of it: a command, without the file's name.
        command: &'static str,
    },
}

/// Why no record could be taken.
enum Stop {
    Truncated,
    Version {
        format: &'static str,
        major: u16,
        minor: u16,
    },
    Corrupt(&'static str),
    Read(io::Error),
}

/// A frame that was found, and where it stands in its record, which the window holds.
struct Found {
    time: Duration,
    link: LinkType,
    taken: usize,
    frame: Range<usize>,
    original_len: usize,
}

impl<'r> Capture<'r> {
    /// Takes a stream that begins with a capture file, gzipped or not.
    ///
    /// # Errors
    /// [`CaptureError`] where its first bytes are not a capture's.
    pub fn new(mut input: impl Read + 'r) -> Result<Self, CaptureError> {
        let mut start = Vec::with_capacity(GZIP.len());
        (&mut input)
            .take(GZIP.len() as u64)
            .read_to_end(&mut start)
            .map_err(CaptureError::Read)?;
        let gzipped = start == GZIP;
        let whole = io::Cursor::new(start).chain(input);
        let mut window = Window::new(match gzipped {
            true => Box::new(MultiGzDecoder::new(whole)),
            false => Box::new(whole),
        });
        let format = Format::recognise(&mut window)?;
        Ok(Self {
            window,
            format,
            packets: 0,
            ending: None,
        })
    }

    /// The next frame; `None` behind the last, where [`ending`](Self::ending) says how the capture ended.
    ///
    /// # Errors
    /// [`CaptureError::Read`] where the bytes could not be had. What is wrong with the bytes is an [`Ending`].
    pub fn next_record(&mut self) -> Result<Option<Record<'_>>, CaptureError> {
        if self.ending.is_some() {
            return Ok(None);
        }
        let found = match &mut self.format {
            Format::Pcap(header) => header.find(&mut self.window),
            Format::PcapNg(section) => section.find(&mut self.window, &mut self.packets),
        };
        match found {
            Ok(Some(found)) => {
                self.packets += 1;
                let record = self.window.pass(found.taken);
                Ok(Some(Record {
                    number: self.packets,
                    time: found.time.min(LATEST),
                    link: found.link,
                    frame: &record[found.frame],
                    original_len: found.original_len,
                }))
            }
            Ok(None) => {
                self.ending = Some(Ending::Complete);
                Ok(None)
            }
            Err(Stop::Truncated) => {
                let at = self.window.position();
                self.ending = Some(Ending::Truncated { at });
                Ok(None)
            }
            Err(Stop::Corrupt(what)) => {
                let at = self.window.position();
                self.ending = Some(Ending::Corrupt { at, what });
                Ok(None)
            }
            Err(Stop::Version { .. }) => {
                let (at, what) = (
                    self.window.position(),
                    "a section of a version that does not exist",
                );
                self.ending = Some(Ending::Corrupt { at, what });
                Ok(None)
            }
            Err(Stop::Read(error)) => Err(CaptureError::Read(error)),
        }
    }

    /// How many packets so far could not be given, because their interface is not described.
    pub fn undescribed(&self) -> u64 {
        match &self.format {
            Format::Pcap(_) => 0,
            Format::PcapNg(section) => section.undescribed(),
        }
    }

    /// How the capture ended; `None` before its end.
    pub fn ending(&self) -> Option<Ending> {
        self.ending
    }
}

impl Format {
    fn recognise(window: &mut Window<'_>) -> Result<Self, CaptureError> {
        let header = |stop| match stop {
            Stop::Read(error) => CaptureError::Read(error),
            Stop::Corrupt(what) => CaptureError::Read(io::Error::new(io::ErrorKind::InvalidData, what)),
            Stop::Truncated => CaptureError::Empty,
            Stop::Version { format, major, minor } => CaptureError::Version { format, major, minor },
        };
        let magic = window.peek_array().map_err(header)?;
        if pcapng::begins_with(magic) {
            return pcapng::Section::first(window).map(Self::PcapNg).map_err(header);
        }
        if pcap::begins_with(magic) {
            return pcap::Header::read(window).map(Self::Pcap).map_err(header);
        }
        Err(stand_in(window).unwrap_or(CaptureError::Unrecognised(magic)))
    }
}

/// What often takes the place of a capture, by its first bytes.
const STAND_INS: &[(&[u8], &str, &str)] = &[
    (
        b"version https://git-lfs",
        "a Git LFS pointer",
        "git lfs pull --include",
    ),
    (b"/annex/objects/", "a git-annex pointer", "git annex get"),
    (&[0x28, 0xb5, 0x2f, 0xfd], "compressed with zstd", "zstd -d"),
    (b"\xfd7zXZ\0", "compressed with xz", "xz -d"),
    (b"BZh", "compressed with bzip2", "bzip2 -d"),
    (&[0x04, 0x22, 0x4d, 0x18], "compressed with lz4", "lz4 -d"),
];

fn stand_in(window: &mut Window<'_>) -> Option<CaptureError> {
    STAND_INS.iter().find_map(|&(start, what, command)| {
        let begins = window.peek(start.len()).is_ok_and(|bytes| bytes == start);
        begins.then_some(CaptureError::StandIn { what, command })
    })
}

/// Integers in a file's byte order.
#[derive(Clone, Copy, Debug, Default)]
enum Order {
    #[default]
    Little,
    Big,
}

impl Order {
    #[inline]
    fn u16(self, bytes: [u8; 2]) -> u16 {
        match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        }
    }

    #[inline]
    fn u32(self, bytes: [u8; 4]) -> u32 {
        match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        }
    }

    #[inline]
    fn u32s<const N: usize>(self, bytes: &[u8]) -> [u32; N] {
        let (words, _) = bytes.as_chunks::<4>();
        std::array::from_fn(|index| words.get(index).map_or(0, |word| self.u32(*word)))
    }
}
