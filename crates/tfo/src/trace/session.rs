//! From packets to reports.

use std::fs::File;
use std::io::BufWriter;
use std::time::Duration;

use fastopen_wire::{Connection, Content, Decoded, Limits, Tracker};

use super::annotated::Annotated;
use super::capture::Record;
use super::output::Output;
use super::selection::Selection;
use super::summary::Summary;
use super::unread::Unread;
use crate::diagram::PictureFile;
use crate::output::OutputFile;
use crate::warning;

/// Packets of one capture after the other go in; connections come out as soon as they are known.
pub(super) struct Session {
    selection: Selection,
    tracker: Tracker,
    output: Output,
    /// The file for the packets, which keeps what it had until the first capture begins.
    untouched: Option<OutputFile>,
    annotated: Option<Annotated<BufWriter<File>>>,
    picture: Option<PictureFile>,
    summary: Summary,
    begun: bool,
    file: Option<String>,
    unread: Unread,
}

impl Session {
    pub(super) fn new(
        selection: Selection,
        output: Output,
        packets: Option<OutputFile>,
        picture: Option<PictureFile>,
    ) -> Self {
        Self {
            selection,
            tracker: Tracker::new(Limits::default()),
            output,
            untouched: packets,
            annotated: None,
            picture,
            summary: Summary::default(),
            begun: false,
            file: None,
            unread: Unread::default(),
        }
    }

    /// Begins another capture: a file's, or a live one.
    pub(super) fn begin(&mut self, file: Option<&str>) -> anyhow::Result<()> {
        if let Some(file) = self.untouched.take() {
            self.annotated = Some(Annotated::begin(file)?);
        }
        self.begun = true;
        self.file = file.map(str::to_owned);
        self.tracker = Tracker::new(Limits::default());
        Ok(())
    }

    /// Whether there has been a capture.
    pub(super) fn has_begun(&self) -> bool {
        self.begun
    }

    /// Takes the capture's next packet.
    #[inline]
    pub(super) fn packet(&mut self, record: &Record<'_>) -> anyhow::Result<()> {
        match Decoded::from_frame(record.link, record.frame, record.original_len) {
            Ok(decoded) => self.decoded(record, &decoded),
            Err(error) => {
                self.unread.count(error, record);
                Ok(())
            }
        }
    }

    #[inline]
    fn decoded(&mut self, record: &Record<'_>, decoded: &Decoded<'_>) -> anyhow::Result<()> {
        let (source, destination) = match &decoded.content {
            Content::Segment(segment) => (segment.source, segment.destination),
            Content::IcmpError(error) => (error.source, error.destination),
        };
        if !self.selection.takes(source, destination) {
            return Ok(());
        }
        if let Some(annotated) = &mut self.annotated {
            annotated.packet(record);
        }
        if let Some(tunnel) = decoded.tunnel {
            self.summary.tunnelled(tunnel);
        }
        match &decoded.content {
            Content::Segment(segment) => self.tracker.observe(record.number, record.time, segment),
            Content::IcmpError(error) => {
                self.summary.icmp_errors += u64::from(error.syn != Some(false));
                self.tracker.observe_icmp(record.number, record.time, error);
            }
        }
        self.report()
    }

    /// Says that time has passed without a packet.
    pub(super) fn advance(&mut self, time: Duration) -> anyhow::Result<()> {
        self.tracker.advance(time);
        self.report()?;
        self.write(Annotated::flush)
    }

    /// Says that packets were passed over, because the capture does not say what they are.
    pub(super) fn undescribed(&mut self, packets: u64) {
        self.unread.undescribed += packets;
    }

    /// Ends the capture: what is still open is reported as far as it is known.
    pub(super) fn end(&mut self) -> anyhow::Result<()> {
        self.tracker.finish();
        self.report()?;
        self.summary.evicted += self.tracker.evicted();
        Ok(())
    }

    /// Prints the summary, then ends the files. Whether all packets could be read. Where an error ended it before there was a
    /// connection, it is not known that there was none.
    pub(super) fn finish(mut self, by_an_error: bool) -> anyhow::Result<bool> {
        let all_read = self.unread.is_nothing();
        if !by_an_error || !self.summary.is_empty() {
            self.output.finish(&self.summary, all_read)?;
        }
        self.unread.warn();
        if self.summary.evicted > 0 {
            let evicted = self.summary.evicted;
            warning::print(format_args!(
                "{evicted} connections were reported early: there were more at a time than are followed"
            ));
        }
        if let Some(annotated) = self.annotated {
            annotated.finish()?;
        }
        if let Some(picture) = self.picture {
            picture.finish()?;
        }
        Ok(all_read)
    }

    #[inline]
    fn report(&mut self) -> anyhow::Result<()> {
        while let Some(connection) = self.tracker.poll() {
            self.connection(&connection)?;
        }
        let followed = self.tracker.followed();
        self.write(|annotated| annotated.release(followed))
    }

    /// Writes to the file of packets. Where that fails once it is not tried again.
    #[inline]
    fn write(
        &mut self,
        write: impl FnOnce(&mut Annotated<BufWriter<File>>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let Some(annotated) = &mut self.annotated else {
            return Ok(());
        };
        let written = write(annotated);
        if written.is_err() {
            self.annotated = None;
        }
        written
    }

    fn connection(&mut self, connection: &Connection) -> anyhow::Result<()> {
        self.summary.add(connection);
        if let Some(annotated) = &mut self.annotated {
            annotated.comment(connection);
        }
        if let Some(picture) = &mut self.picture {
            picture.add(connection);
        }
        self.output.connection(connection, self.file.as_deref())?;
        Ok(())
    }
}
