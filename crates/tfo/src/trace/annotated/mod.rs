//! A copy of the packets, with the verdicts as comments on the packets that they rest on.
//!
//! A verdict comes later than its packet, so packets are held back: until no verdict can come any more, or until they would take too
//! much room. A verdict that comes later than that is counted instead.

mod pcapng;

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::time::Duration;

use anyhow::Context;
use fastopen_wire::{Connection, Limits};

use super::capture::Record;
use super::words;
use crate::output::OutputFile;
use crate::warning;
use pcapng::Writer;

/// What a held packet takes in memory beside its bytes, roughly.
const OVERHEAD: usize = 128;

/// The packets held back, and the file that they go to.
pub(super) struct Annotated<W: Write> {
    writer: Writer<W>,
    held: VecDeque<Held>,
    bytes: usize,
    room: usize,
    hold: Duration,
    late: u64,
}

struct Held {
    number: u64,
    time: Duration,
    link: u16,
    frame: Box<[u8]>,
    original_len: usize,
    comments: Vec<String>,
}

impl Annotated<BufWriter<File>> {
    /// Empties the file, and writes what stands before the packets.
    pub(super) fn begin(file: OutputFile) -> anyhow::Result<Self> {
        let mut annotated =
            Self::new(BufWriter::with_capacity(1 << 20, file.begin()?)).context(CAN_NOT_WRITE)?;
        annotated.flush()?;
        Ok(annotated)
    }
}

const CAN_NOT_WRITE: &str = "can't write the packets";

impl<W: Write> Annotated<W> {
    const ROOM: usize = 64 << 20;

    fn new(out: W) -> io::Result<Self> {
        let Limits { patience, settle, .. } = Limits::default();
        Ok(Self {
            writer: Writer::new(out)?,
            held: VecDeque::new(),
            bytes: 0,
            room: Self::ROOM,
            hold: patience + settle,
            late: 0,
        })
    }

    /// Takes the next packet.
    pub(super) fn packet(&mut self, record: &Record<'_>) {
        self.bytes += record.frame.len() + OVERHEAD;
        self.held.push_back(Held {
            number: record.number,
            time: record.time,
            link: u16::try_from(record.link.0).unwrap_or(u16::MAX),
            frame: record.frame.into(),
            original_len: record.original_len,
            comments: Vec::new(),
        });
    }

    /// Puts the verdict on the packet that it rests on; where there is none, on the connection's first.
    pub(super) fn comment(&mut self, connection: &Connection) {
        let first = connection.steps.first().map(|step| step.number);
        let Some(number) = connection.evidence.or(first) else {
            return;
        };
        let found = self.held.binary_search_by_key(&number, |held| held.number);
        match found.ok().and_then(|place| self.held.get_mut(place)) {
            Some(held) => held.comments.push(words::comment(connection)),
            None => self.late += 1,
        }
    }

    /// Writes the packets that need not be held back: all, where no connection is followed.
    pub(super) fn release(&mut self, followed: usize) -> anyhow::Result<()> {
        let now = self.held.back().map_or(Duration::ZERO, |newest| newest.time);
        while let Some(oldest) = self.held.front()
            && (followed == 0 || self.bytes > self.room || oldest.time.saturating_add(self.hold) < now)
        {
            self.writer
                .packet(
                    oldest.link,
                    oldest.time,
                    &oldest.frame,
                    oldest.original_len,
                    &oldest.comments,
                )
                .context(CAN_NOT_WRITE)?;
            self.bytes -= oldest.frame.len() + OVERHEAD;
            self.held.pop_front();
        }
        Ok(())
    }

    /// Writes out what was released, so that a full disk is noticed at once.
    pub(super) fn flush(&mut self) -> anyhow::Result<()> {
        self.writer.flush().context(CAN_NOT_WRITE)
    }

    /// Ends the file.
    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        self.release(0)?;
        self.flush()?;
        if self.late > 0 {
            let late = self.late;
            warning::print(format_args!(
                "{late} verdicts came too late to be written beside their packets"
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use fastopen_wire::LinkType;

    use super::super::capture::{Capture, Ending};
    use super::*;
    use crate::diagram::sample;

    fn record(number: u64) -> Record<'static> {
        Record {
            number,
            time: Duration::new(1_700_000_000 + number, 123_456_789),
            link: LinkType(if number.is_multiple_of(2) { 101 } else { 1 }),
            frame: &b"packets of any length"[..number as usize],
            original_len: 1500,
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let mut written = Vec::new();
        let mut annotated = Annotated::new(&mut written).unwrap();
        for number in 1..=14 {
            annotated.packet(&record(number));
        }
        for connection in sample::connections() {
            annotated.comment(&connection);
        }
        assert_eq!(annotated.late, 0);
        annotated.finish().unwrap();

        let text = String::from_utf8_lossy(&written).into_owned();
        for comment in sample::connections().iter().map(words::comment) {
            assert_eq!(text.matches(&comment).count(), 1, "{comment}");
        }
        let mut capture = Capture::new(Cursor::new(written)).unwrap();
        for number in 1..=14 {
            assert_eq!(capture.next_record().unwrap(), Some(record(number)));
        }
        assert_eq!(capture.next_record().unwrap(), None);
        assert_eq!(capture.ending(), Some(Ending::Complete));
    }

    #[test]
    fn packets_are_held_back_as_long_as_there_is_room() {
        let mut annotated = Annotated::new(Vec::new()).unwrap();
        annotated.room = 5 * (OVERHEAD + 14);
        for number in 1..=5 {
            annotated.packet(&record(number));
            annotated.release(1).unwrap();
        }
        assert_eq!(annotated.held.len(), 5);
        annotated.packet(&record(14));
        annotated.release(1).unwrap();
        assert_eq!(annotated.held.front().unwrap().number, 2);
        let accepted = &sample::connections()[1];
        annotated.comment(accepted);
        assert_eq!(annotated.late, 1, "its packet 6 is not there");
        annotated.release(0).unwrap();
        assert_eq!((annotated.held.len(), annotated.bytes), (0, 0));
    }

    #[test]
    fn packets_are_held_back_no_longer_than_a_verdict_can_take() {
        let mut annotated = Annotated::new(Vec::new()).unwrap();
        for number in [1, 10, 20] {
            annotated.packet(&record(number));
        }
        annotated.hold = Duration::from_secs(15);
        annotated.release(1).unwrap();
        assert_eq!(annotated.held.front().unwrap().number, 10);
    }

    proptest::proptest! {
        /// The fuzz target `writer` does the same with any bytes.
        #[test]
        fn a_clock_of_any_rate_is_written_and_read_again(resolution: u8, offset: i64, ticks in proptest::collection::vec(proptest::num::u64::ANY, 1..5)) {
            let option = |code: u16, value: &[u8]| {
                let mut option = [code.to_le_bytes(), (value.len() as u16).to_le_bytes()].concat();
                option.extend(value);
                option.resize(option.len().next_multiple_of(4), 0);
                option
            };
            let block = |kind: u32, body: &[u8]| {
                let len = (body.len() as u32 + 12).to_le_bytes();
                [&kind.to_le_bytes()[..], &len, body, &len].concat()
            };
            let mut file = block(0x0a0d_0d0a, &[&0x1a2b_3c4d_u32.to_le_bytes()[..], &[1, 0, 0, 0], &[0xff; 8]].concat());
            let options = [option(9, &[resolution]), option(14, &offset.to_le_bytes())].concat();
            file.extend(block(1, &[&[101, 0, 0, 0, 0, 0, 0, 0], &options[..]].concat()));
            for ticks in &ticks {
                let [high, low] = [(ticks >> 32) as u32, *ticks as u32].map(u32::to_le_bytes);
                file.extend(block(6, &[&[0; 4], &high, &low, &[4, 0, 0, 0], &[9, 0, 0, 0], &b"data"[..]].concat()));
            }
            let mut written = Vec::new();
            let mut annotated = Annotated::new(&mut written).unwrap();
            let mut read = Capture::new(&file[..]).unwrap();
            let mut times = Vec::new();
            while let Some(record) = read.next_record().unwrap() {
                annotated.packet(&record);
                annotated.release(1).unwrap();
                times.push(record.time);
            }
            annotated.finish().unwrap();
            assert_eq!(times.len(), ticks.len());
            let mut again = Capture::new(&written[..]).unwrap();
            for time in times {
                assert_eq!(again.next_record().unwrap().map(|record| record.time), Some(time));
            }
        }
    }
}
