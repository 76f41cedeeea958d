//! What passes on the client's end of the path, as `tfo trace` would see it there.

use fastopen_lab::{Frame, Point};
use fastopen_wire::{Connection, Limits, Tracker};

/// The client's connection from that port.
pub(super) fn of_connection_from(port: u16, frames: &[Frame]) -> Option<Connection> {
    let segments = frames
        .iter()
        .filter(|frame| is_seen_by_client(frame))
        .filter_map(|frame| Some((frame.at, frame.segment().ok()?)))
        .filter(|(_, segment)| {
            [segment.source, segment.destination]
                .map(|end| end.port())
                .contains(&port)
        });
    let mut tracker = Tracker::new(Limits::default());
    for (number, (at, segment)) in (1..).zip(segments) {
        tracker.observe(number, at, &segment);
    }
    tracker.finish();
    tracker.poll()
}

fn is_seen_by_client(frame: &Frame) -> bool {
    let host = match frame.point {
        Point::Sent => &frame.from,
        Point::Delivered => &frame.to,
    };
    host.as_deref() == Some("client")
}
