//! What the middlebox has seen.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fastopen_wire::{DecodeError, Segment};

/// A packet, where and when the middlebox saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// When, since the lab began.
    pub at: Duration,
    /// Whether it came from a host or went to one.
    pub point: Point,
    /// The host that sent it; `None` for what the middlebox made itself.
    pub from: Option<Arc<str>>,
    /// The host that it is for; `None` when nobody has that address.
    pub to: Option<Arc<str>>,
    /// The packet, from the IP header on.
    pub packet: Arc<[u8]>,
}

impl Frame {
    /// The TCP segment in it.
    ///
    /// # Errors
    /// [`DecodeError`] when there is none.
    pub fn segment(&self) -> Result<Segment<'_>, DecodeError> {
        Segment::from_ip(&self.packet)
    }
}

/// Where a packet was seen. A packet that goes through untouched is seen at both points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Point {
    /// It came from a host, and no rule has seen it.
    Sent,
    /// It goes to a host, and every rule has done its work.
    Delivered,
}

/// The packets that the middlebox sees from the moment it was made; see [`Lab::capture`](crate::Lab::capture).
///
/// It keeps the latest 32 MiB, and counts what it dropped.
#[derive(Debug)]
pub struct Capture {
    tap: Arc<Tap>,
}

impl Capture {
    /// The packets so far, in order.
    pub fn frames(&self) -> Vec<Frame> {
        self.tap.lock().frames.iter().cloned().collect()
    }

    /// The packets so far, in order, and forgets them.
    pub fn take(&self) -> Vec<Frame> {
        let mut ring = self.tap.lock();
        ring.bytes = 0;
        std::mem::take(&mut ring.frames).into()
    }

    /// How many packets were dropped because the capture was full.
    pub fn dropped(&self) -> u64 {
        self.tap.lock().dropped
    }

    /// The first packet that fits, which may have come already; `None` when there is none in that time.
    pub fn wait_for(&self, timeout: Duration, fits: impl Fn(&Frame) -> bool) -> Option<Frame> {
        let deadline = Instant::now() + timeout;
        let mut ring = self.tap.lock();
        loop {
            if let Some(frame) = ring.frames.iter().find(|frame| fits(frame)) {
                return Some(frame.clone());
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            let waited = self.tap.more.wait_timeout(ring, left);
            ring = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    pub(crate) fn new(tap: Arc<Tap>) -> Self {
        Self { tap }
    }
}

/// Bytes of packets that a capture keeps.
const ROOM: usize = 32 << 20;
/// What a packet takes beside its bytes, roughly.
const FRAME_OVERHEAD: usize = 128;

/// Where the middlebox puts what it sees.
#[derive(Debug, Default)]
pub(crate) struct Tap {
    ring: Mutex<Ring>,
    more: Condvar,
}

#[derive(Debug, Default)]
struct Ring {
    frames: VecDeque<Frame>,
    bytes: usize,
    dropped: u64,
}

impl Tap {
    pub(crate) fn record(&self, frame: Frame) {
        self.lock().push(frame, ROOM);
        self.more.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    fn push(&mut self, frame: Frame, room: usize) {
        self.bytes += frame.packet.len() + FRAME_OVERHEAD;
        self.frames.push_back(frame);
        while self.bytes > room {
            let Some(oldest) = self.frames.pop_front() else {
                return;
            };
            self.bytes -= oldest.packet.len() + FRAME_OVERHEAD;
            self.dropped += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(number: u8) -> Frame {
        Frame {
            at: Duration::ZERO,
            point: Point::Sent,
            from: None,
            to: None,
            packet: vec![number; 100].into(),
        }
    }

    #[test]
    fn the_oldest_are_forgotten_and_counted() {
        let mut ring = Ring::default();
        for number in 0..10 {
            ring.push(frame(number), 3 * (100 + FRAME_OVERHEAD));
        }
        assert_eq!(ring.dropped, 7);
        assert_eq!(ring.frames, [frame(7), frame(8), frame(9)]);
    }

    #[test]
    fn waiting_finds_what_is_there_and_what_comes_and_ends() {
        let tap = Arc::new(Tap::default());
        let capture = Capture::new(Arc::clone(&tap));
        tap.record(frame(1));
        let later = std::thread::spawn(move || tap.record(frame(2)));
        for number in [1, 2] {
            let found = capture.wait_for(Duration::from_secs(10), |frame| frame.packet[0] == number);
            assert_eq!(found, Some(frame(number)));
        }
        later.join().unwrap();
        assert_eq!(capture.wait_for(Duration::from_millis(1), |_| false), None);
        assert_eq!(capture.take().len(), 2);
        assert_eq!(capture.frames(), []);
    }
}
