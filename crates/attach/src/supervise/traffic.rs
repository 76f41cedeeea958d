//! What a connection has carried, as the kernel counts it, and what that proves: pure.

use std::time::Duration;

/// The kernel's coarse clock is no finer than that (CONFIG_HZ=100).
const JIFFY: Duration = Duration::from_millis(10);

/// Offsets in `struct tcp_info`.
const LAST_SENT: usize = 44;
const LAST_RECEIVED: usize = 52;
const SEGMENTS_OUT: usize = 136;
const MIN_RTT: usize = 148;
const DATA_SEGMENTS_IN: usize = 152;
const DATA_SEGMENTS_OUT: usize = 156;
const BYTES_SENT: usize = 200;

/// From `struct tcp_info`; what an older kernel does not tell is zero.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Traffic {
    /// With or without data: SYNs, too.
    pub(crate) segments_out: u32,
    pub(crate) bytes_sent: u64,
    /// In place of `tcpi_bytes_received`, which counts the server's FIN too.
    pub(crate) data_segments_in: u32,
    pub(crate) data_segments_out: u32,
    /// Since the last one left and since the last one came, in jiffies that the kernel gives as milliseconds.
    pub(crate) since_out: Duration,
    pub(crate) since_in: Duration,
    /// The shortest round trip of this connection, if one was measured.
    pub(crate) min_rtt: Option<Duration>,
}

impl Traffic {
    /// As much of the structure as tells whether anything was sent.
    pub(crate) const COUNTERS_END: usize = SEGMENTS_OUT + 4;

    pub(crate) fn from_info(info: Option<&[u8]>) -> Self {
        let number = |at| field(info, at).map_or(0, u32::from_ne_bytes);
        let ms = |at| Duration::from_millis(number(at).into());
        // All bits are set until there is a sample.
        let min_rtt = Some(number(MIN_RTT)).filter(|us| !matches!(us, 0 | &u32::MAX));
        Self {
            segments_out: number(SEGMENTS_OUT),
            bytes_sent: field(info, BYTES_SENT).map_or(0, u64::from_ne_bytes),
            data_segments_in: number(DATA_SEGMENTS_IN),
            data_segments_out: number(DATA_SEGMENTS_OUT),
            since_out: ms(LAST_SENT),
            since_in: ms(LAST_RECEIVED),
            min_rtt: min_rtt.map(|us| Duration::from_micros(us.into())),
        }
    }

    /// Whether it is certain that the server spoke before it could have read anything. It is by the kernel's times: when the supervisor
    /// looks depends on the machine's load.
    pub(crate) fn proves_server_first(&self) -> bool {
        // The answer to a segment acknowledges it, so that it never takes less than the shortest round trip.
        let no_answer_within = self
            .min_rtt
            .map_or(Duration::ZERO, |rtt| (rtt * 3 / 4).saturating_sub(JIFFY));
        let waited = self.since_out.saturating_sub(self.since_in);
        match (self.data_segments_in, self.data_segments_out) {
            (0, _) => false,
            (_, 0) => true,
            (_, 1) => self.since_in > self.since_out || waited < no_answer_within,
            _ => false,
        }
    }
}

/// A field of that structure, which older kernels end earlier.
fn field<const N: usize>(info: Option<&[u8]>, at: usize) -> Option<[u8; N]> {
    info?.get(at..at + N)?.try_into().ok()
}
