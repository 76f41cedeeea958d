//! Packets as they pass.

use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::time::{Duration, SystemTime};

use fastopen_host::packets::{Filter, Packets};
use fastopen_wire::LinkType;

use super::capture::Record;
use super::echoes::Echoes;
use super::selection::Selection;
use super::session::Session;
use super::stop::Stop;
use crate::hint;
use crate::printable::printable;
use crate::warning;

/// How long to wait for packets before looking whether connections have gone unanswered.
const PAUSE: Duration = Duration::from_millis(500);

/// The interface that is watched, or all of them.
pub(super) struct Live {
    packets: Packets,
    place: String,
}

/// Begins to watch an interface, or all of them.
pub(super) fn open(interface: Option<&str>, selection: &Selection) -> anyhow::Result<Live> {
    let mut filter = Filter::default().with_hosts(selection.hosts.iter().copied());
    if let Some(port) = selection.port {
        filter = filter.with_port(port);
    }
    let place = printable(interface.unwrap_or("all interfaces")).into_owned();
    match Packets::open(interface, &filter) {
        Ok(packets) => Ok(Live { packets, place }),
        Err(error) => Err(explain(error.into(), &place)),
    }
}

/// Follows what passes until the program is to stop.
pub(super) fn watch(live: Live, session: &mut Session, stop: &Stop) -> anyhow::Result<()> {
    let Live { mut packets, place } = live;
    session.begin(None)?;
    anstream::eprintln!("watching {place}; Ctrl-C ends it and prints the summary");
    let mut echoes = Echoes::default();
    let mut number = 0;
    let watched = loop {
        while let Some(packet) = packets.next_packet() {
            if echoes.repeats(&packet) {
                continue;
            }
            number += 1;
            session.packet(&Record {
                number,
                time: packet.time,
                link: LinkType::RAW,
                frame: packet.bytes,
                original_len: packet.original_len,
            })?;
        }
        session.advance(now())?;
        if stop.requested() {
            break Ok(());
        }
        if let Err(error) = packets.check() {
            break Err(explain(error.into(), &place));
        }
        stop.wait(packets.as_fd(), Some(PAUSE))?;
    };
    session.end()?;
    match packets.dropped()? {
        0 => {}
        dropped => warning::print(format_args!(
            "the kernel dropped {dropped} packets because they came too fast; --host and --port reduce their number"
        )),
    }
    watched
}

fn now() -> Duration {
    // With a clock before 1970, no connection is given up early.
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
}

fn explain(error: io::Error, place: &str) -> anyhow::Error {
    let advice = match error.kind() {
        ErrorKind::PermissionDenied => {
            "this needs CAP_NET_RAW: sudo setcap cap_net_raw+ep $(command -v tfo); tfo trace --read FILE and tfo demo work without it"
        }
        _ => "for a list of the interfaces: ip link",
    };
    hint::with(
        anyhow::Error::new(error).context(format!("can't watch {place}")),
        advice,
    )
}
