//! A stream seen through a buffer of a fixed size.

use std::io::{self, Read};

use super::Stop;

/// Room for the largest record that is taken: twice what libpcap and Wireshark write at most.
pub(super) const LARGEST: usize = 512 * 1024;

/// The bytes of a stream that come next, without copying them out of the buffer.
pub(super) struct Window<'r> {
    input: Box<dyn Read + 'r>,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    /// Where in the stream `start` is.
    position: u64,
}

impl<'r> Window<'r> {
    pub(super) fn new(input: Box<dyn Read + 'r>) -> Self {
        Self {
            input,
            buffer: vec![0; LARGEST].into(),
            start: 0,
            end: 0,
            position: 0,
        }
    }

    /// How many bytes have been passed.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Whether the stream ends here.
    pub(super) fn at_end(&mut self) -> Result<bool, Stop> {
        Ok(self.start == self.end && self.fill()? == 0)
    }

    /// The next bytes, which stay the next.
    #[inline]
    pub(super) fn peek(&mut self, len: usize) -> Result<&[u8], Stop> {
        self.require(len)?;
        Ok(&self.buffer[self.start..self.start + len])
    }

    /// As [`peek`](Self::peek), for a number of bytes that is known.
    #[inline]
    pub(super) fn peek_array<const N: usize>(&mut self) -> Result<[u8; N], Stop> {
        let mut array = [0; N];
        array.copy_from_slice(self.peek(N)?);
        Ok(array)
    }

    /// Passes bytes that were [required](Self::require).
    #[inline]
    pub(super) fn pass(&mut self, len: usize) -> &[u8] {
        let passed = self.start..self.start + len;
        self.start += len;
        self.position += len as u64;
        &self.buffer[passed]
    }

    /// Passes bytes, more than there is room for if need be.
    pub(super) fn skip(&mut self, mut len: u64) -> Result<(), Stop> {
        loop {
            let passed = usize::try_from(len).map_or(self.available(), |len| len.min(self.available()));
            self.start += passed;
            self.position += passed as u64;
            len -= passed as u64;
            if len == 0 {
                return Ok(());
            }
            if self.fill()? == 0 {
                return Err(Stop::Truncated);
            }
        }
    }

    #[inline]
    fn available(&self) -> usize {
        self.end - self.start
    }

    /// Has so many bytes in the buffer.
    #[inline]
    pub(super) fn require(&mut self, len: usize) -> Result<(), Stop> {
        while self.available() < len {
            if len > self.buffer.len() {
                return Err(Stop::Corrupt("a record is larger than any packet"));
            }
            if self.fill()? == 0 {
                return Err(Stop::Truncated);
            }
        }
        Ok(())
    }

    /// Reads what there is room for, and says how much came.
    #[cold]
    fn fill(&mut self) -> Result<usize, Stop> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        loop {
            match self.input.read(&mut self.buffer[self.end..]) {
                Ok(came) => {
                    self.end += came;
                    return Ok(came);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // What a gzip stream that is cut short or broken says.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(Stop::Truncated),
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput
                    ) =>
                {
                    return Err(Stop::Corrupt("the compressed data are damaged"));
                }
                Err(error) => return Err(Stop::Read(error)),
            }
        }
    }
}
