//! A connection that the server ended before it had taken everything, and whose answer may still be there to be read.

use std::io::{Error, ErrorKind};

/// What a send buffer grows to: the default maximum of `net.ipv4.tcp_wmem`.
const SEND_BUFFER: usize = 4 << 20;

/// Lets a writer end as it would have with an ordinary handshake.
///
/// There it writes before the server has received anything, so what fits into the send buffer is taken, and the reset shows when the
/// answer has been read. With data in the SYN the reset may come with the SYN-ACK, before the rest is written; a write that failed
/// then would keep an HTTP client from reading a 413. So until something has been read, what a send buffer can hold counts as
/// written, and the reset is kept for the reader.
#[derive(Debug, Default)]
pub(super) struct CutShort {
    written: usize,
    /// The error that a write took from the socket, for whoever reads to the end.
    error: Option<Error>,
    /// Something has been read, or the end.
    read: bool,
}

impl CutShort {
    /// A write took so many bytes.
    pub(super) fn wrote(&mut self, bytes: usize) {
        self.written = self.written.saturating_add(bytes);
    }

    /// The write of the first bytes failed with that.
    pub(super) fn failed(&mut self, error: Error) {
        self.error = Some(error);
    }

    /// How many of `len` bytes count as written although the write failed.
    pub(super) fn write_failed(&mut self, error: Error, len: usize) -> Result<usize, Error> {
        let ended = matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe);
        let room = SEND_BUFFER.saturating_sub(self.written).min(len);
        if !ended || self.read || room == 0 {
            return Err(error);
        }
        self.wrote(room);
        self.error.get_or_insert(error);
        Ok(room)
    }

    /// A read was given so many bytes, 0 at the end: then what it is to be told instead, if a write was told nothing.
    pub(super) fn read(&mut self, bytes: usize) -> Result<(), Error> {
        self.read = true;
        match bytes {
            0 => self.error.take().map_or(Ok(()), Err),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reset() -> Error {
        ErrorKind::ConnectionReset.into()
    }

    #[test]
    fn what_a_send_buffer_holds_counts_as_written_and_the_reader_is_told() {
        let mut cut_short = CutShort::default();
        cut_short.wrote(SEND_BUFFER - 10);
        assert_eq!(cut_short.write_failed(reset(), 7).unwrap(), 7);
        assert_eq!(cut_short.write_failed(reset(), 7).unwrap(), 3);
        assert!(cut_short.write_failed(reset(), 7).is_err());
        cut_short.read(5).unwrap();
        assert_eq!(cut_short.read(0).unwrap_err().kind(), ErrorKind::ConnectionReset);
        cut_short.read(0).expect("it is told once");
    }

    #[test]
    fn whoever_has_read_and_other_errors_are_told_at_once() {
        let mut cut_short = CutShort::default();
        assert!(cut_short.write_failed(ErrorKind::TimedOut.into(), 7).is_err());
        cut_short.read(1).unwrap();
        assert!(cut_short.write_failed(reset(), 7).is_err());
        cut_short.read(0).unwrap();
    }
}
