//! From packets to reports.

use std::fs::File;
use std::io::BufWriter;
use std::time::Duration;

use fastopen_wire::{Connection, DecodeError, Limits, LinkError, LinkType, Segment, Tracker};

use super::annotated::Annotated;
use super::capture::Record;
use super::output::Output;
use super::selection::Selection;
use super::summary::Summary;
use super::svg::PictureFile;
use crate::warning;

/// Packets of one capture after the other go in; connections come out as soon as they are known.
pub(super) struct Session {
    selection: Selection,
    tracker: Tracker,
    output: Output,
    annotated: Option<Annotated<BufWriter<File>>>,
    picture: Option<PictureFile>,
    summary: Summary,
    begun: bool,
    file: Option<String>,
    unread: Unread,
}

/// What kept packets from being looked at.
#[derive(Debug, Default)]
struct Unread {
    /// A link layer that can't be read, and how many such frames there were.
    link: Option<(LinkType, u64)>,
    /// How many were cut too short in the capture.
    short: u64,
}

impl Session {
    pub(super) fn new(
        selection: Selection,
        output: Output,
        annotated: Option<Annotated<BufWriter<File>>>,
        picture: Option<PictureFile>,
    ) -> Self {
        Self {
            selection,
            tracker: Tracker::new(Limits::default()),
            output,
            annotated,
            picture,
            summary: Summary::default(),
            begun: false,
            file: None,
            unread: Unread::default(),
        }
    }

    /// Begins another capture: a file's, or a live one.
    pub(super) fn begin(&mut self, file: Option<&str>) -> anyhow::Result<()> {
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
        match Segment::from_frame(record.link, record.frame, record.original_len) {
            Ok(segment) if self.selection.takes(&segment) => {
                if let Some(annotated) = &mut self.annotated {
                    annotated.packet(record);
                }
                self.tracker.observe(record.number, record.time, &segment);
                self.report()
            }
            Ok(_) => Ok(()),
            Err(error) => {
                self.unread.count(error, record);
                Ok(())
            }
        }
    }

    /// Says that time has passed without a packet.
    pub(super) fn advance(&mut self, time: Duration) -> anyhow::Result<()> {
        self.tracker.advance(time);
        self.report()
    }

    /// Ends the capture: what is still open is reported as far as it is known.
    pub(super) fn end(&mut self) -> anyhow::Result<()> {
        self.tracker.finish();
        self.report()?;
        self.summary.evicted += self.tracker.evicted();
        Ok(())
    }

    /// Prints the summary.
    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        if let Some(annotated) = self.annotated {
            annotated.finish()?;
        }
        if let Some(picture) = self.picture {
            picture.finish()?;
        }
        self.output.finish(&self.summary)?;
        self.unread.warn();
        if self.summary.evicted > 0 {
            let evicted = self.summary.evicted;
            warning::print(format_args!(
                "{evicted} connections were reported early: there were more at a time than are followed"
            ));
        }
        Ok(())
    }

    #[inline]
    fn report(&mut self) -> anyhow::Result<()> {
        while let Some(connection) = self.tracker.poll() {
            self.connection(&connection)?;
        }
        match &mut self.annotated {
            Some(annotated) => annotated.release(self.tracker.followed()),
            None => Ok(()),
        }
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

impl Unread {
    #[cold]
    fn count(&mut self, error: DecodeError, record: &Record<'_>) {
        match error {
            DecodeError::Link(LinkError::Unknown(link)) => {
                self.link.get_or_insert((link, 0)).1 += 1;
            }
            DecodeError::NotTcp { .. }
            | DecodeError::Fragment
            | DecodeError::Link(LinkError::NotIp { .. }) => {}
            DecodeError::Link(_) | DecodeError::Ip | DecodeError::Tcp => {
                self.short += u64::from(record.frame.len() < record.original_len);
            }
        }
    }

    fn warn(&self) {
        if let Some((link, count)) = self.link {
            warning::print(format_args!(
                "{count} packets can't be read: their link layer is {link}"
            ));
        }
        if self.short > 0 {
            let count = self.short;
            warning::print(format_args!(
                "{count} packets were captured too short to be read: capture at least 128 bytes of each (tcpdump -s 128)"
            ));
        }
    }
}
