//! Writing pcapng (<https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-03.html>).

use std::io::{self, Write};
use std::time::Duration;

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const ENHANCED_PACKET: u32 = 6;

const END_OF_OPTIONS: u16 = 0;
const COMMENT: u16 = 1;
const APPLICATION: u16 = 4;
const TIME_RESOLUTION: u16 = 9;

/// Times count nanoseconds: ten to the power of minus this.
const NANOSECONDS: u8 = 9;

/// Writes a section with an interface for each link layer.
pub(super) struct Writer<W: Write> {
    out: W,
    interfaces: Vec<u16>,
}

impl<W: Write> Writer<W> {
    pub(super) fn new(out: W) -> io::Result<Self> {
        let mut writer = Self {
            out,
            interfaces: Vec::new(),
        };
        let mut body = Vec::new();
        body.extend(0x1a2b_3c4d_u32.to_le_bytes());
        body.extend([1, 0, 0, 0]);
        // The section's length, which is not known yet.
        body.extend([0xff; 8]);
        option(
            &mut body,
            APPLICATION,
            concat!("tfo ", env!("CARGO_PKG_VERSION")).as_bytes(),
        );
        option(&mut body, END_OF_OPTIONS, &[]);
        writer.block(SECTION_HEADER, &body)?;
        Ok(writer)
    }

    pub(super) fn packet(
        &mut self,
        link: u16,
        time: Duration,
        frame: &[u8],
        original_len: usize,
        comments: &[String],
    ) -> io::Result<()> {
        let interface = self.interface(link)?;
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let mut body = Vec::with_capacity(frame.len() + 32);
        for word in [
            interface,
            (nanoseconds >> 32) as u32,
            nanoseconds as u32,
            length(frame.len()),
            length(original_len),
        ] {
            body.extend(word.to_le_bytes());
        }
        padded(&mut body, frame);
        if !comments.is_empty() {
            for comment in comments {
                option(&mut body, COMMENT, comment.as_bytes());
            }
            option(&mut body, END_OF_OPTIONS, &[]);
        }
        self.block(ENHANCED_PACKET, &body)
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// The number of the interface with that link layer.
    fn interface(&mut self, link: u16) -> io::Result<u32> {
        if let Some(place) = self.interfaces.iter().position(|known| *known == link) {
            return Ok(place as u32);
        }
        let mut body = Vec::new();
        body.extend(link.to_le_bytes());
        // Reserved, and no limit to a packet's length.
        body.extend([0; 6]);
        option(&mut body, TIME_RESOLUTION, &[NANOSECONDS]);
        option(&mut body, END_OF_OPTIONS, &[]);
        self.block(INTERFACE_DESCRIPTION, &body)?;
        self.interfaces.push(link);
        Ok(self.interfaces.len() as u32 - 1)
    }

    fn block(&mut self, kind: u32, body: &[u8]) -> io::Result<()> {
        let len = length(body.len() + 12).to_le_bytes();
        self.out.write_all(&kind.to_le_bytes())?;
        self.out.write_all(&len)?;
        self.out.write_all(body)?;
        self.out.write_all(&len)
    }
}

fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    let len = u16::try_from(value.len()).unwrap_or(u16::MAX);
    body.extend(code.to_le_bytes());
    body.extend(len.to_le_bytes());
    padded(body, &value[..len.into()]);
}

/// Blocks and options are made of words of four bytes.
fn padded(body: &mut Vec<u8>, bytes: &[u8]) {
    body.extend(bytes);
    body.resize(body.len().next_multiple_of(4), 0);
}

fn length(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
