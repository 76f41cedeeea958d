//! `tfo trace`: every handshake on the wire, with a verdict.
//!
//! ```text
//!   capture ──▶ read ─┐
//!                     ├──▶ session ──▶ line, ladder, json   as connections are reported
//!   packets ──▶ live ─┘   (Tracker)├─▶ annotated             a little later
//!                                  └─▶ summary, svg         at the end
//! ```
//! `words` says what a verdict rests on, for all of them.

mod annotated;
pub mod capture;
mod echoes;
mod json;
pub(crate) mod ladder;
mod line;
mod live;
mod output;
mod read;
#[cfg(test)]
pub(crate) mod sample;
mod selection;
mod session;
mod stop;
mod summary;
mod svg;
mod words;

use std::path::PathBuf;

use crate::status::Status;

use annotated::Annotated;
use output::{Format, Output};
use selection::Selection;
use session::Session;
use stop::Stop;
pub(crate) use svg::PictureFile;

/// Watch handshakes, live or in a capture, with a verdict for each
///
/// Follows every TCP connection from its SYN: whether it asked for a cookie or presented one, how many bytes it carried, and what the
/// SYN-ACK made of them. Each verdict comes with the packet that says so; where the packets leave it open, the verdict is inconclusive.
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER)]
pub struct Args {
    /// Read captures instead: pcap or pcapng, gzipped or not; - for standard input
    #[arg(short, long, value_name = "FILE", num_args = 1.., conflicts_with = "interface")]
    read: Vec<PathBuf>,
    /// Watch this network interface only (default: all)
    #[arg(short, long, value_name = "IFACE")]
    interface: Option<String>,
    /// Only connections from or to this host: a name or an address
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// Only connections from or to this port
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// Keep the TCP packets in a file (pcapng), with the verdicts as comments that Wireshark shows
    #[arg(short, long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// Draw each connection's packets as a sequence diagram, each in words
    #[arg(long, conflicts_with = "json")]
    ladder: bool,
    /// Draw the diagrams in a picture, too (SVG; the first 50 connections)
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Print a JSON object for each connection (its schema: schemas/trace.json), and the summary on standard error
    #[arg(long)]
    json: bool,
}

const AFTER: &str = "\
Examples:
  sudo tfo trace --port 443              Every handshake of this machine with that port, as it happens
  tfo trace --read capture.pcapng.gz     What became of each handshake in a capture
  ssh gateway tcpdump -Uw - tcp | tfo trace --read -
                                         What another machine sees, as it happens
  tfo trace --read capture.pcap --host 192.0.2.7 --ladder --svg handshakes.svg
                                         Each packet in words, and as a picture for a report
  tfo trace --read capture.pcap --write verdicts.pcapng
  tshark -r verdicts.pcapng -Y 'frame.comment contains \"tfo: ignored\"'
                                         The packets that say so, in Wireshark's words
  tfo trace --read *.pcap --json | jq -r 'select(.verdict == \"ignored\") | .server'

Verdicts:
  accepted            the SYN-ACK acknowledged all data in the SYN: one round trip saved
  ignored             the SYN carried data, and the SYN-ACK acknowledged none of it or not all
  syn-lost            the SYN with data or a cookie got no answer, and one without connected
  dataless            the SYN presented a cookie and carried no data
  cookie-granted      the SYN asked for a cookie and the SYN-ACK brought one
  cookie-not-granted  the SYN asked for a cookie in vain
  plain               an ordinary handshake
  refused             the SYN was answered with a reset
  unanswered          no SYN was answered
  inconclusive        the packets do not tell

Exit status:
  0  all was read, or watching was ended with Ctrl-C
  2  wrong usage, or there is nothing to be read or watched: the error says what to do
  3  a capture is damaged or cut short: what was there has been told";

/// Watches until there is no more, or until Ctrl-C.
///
/// # Errors
/// A name that can't be resolved, what can't be read or written, or nobody reads standard output any more.
pub fn run(args: &Args) -> anyhow::Result<Status> {
    let selection = Selection::new(args.host.as_deref(), args.port)?;
    let stop = Stop::listen()?;
    let format = match (args.json, args.ladder) {
        (true, _) => Format::Json,
        (_, true) => Format::Ladder {
            width: ladder::width(),
        },
        _ => Format::Lines,
    };
    for written in args.write.iter().chain(&args.svg) {
        read::refuse_to_overwrite(&args.read, written)?;
    }
    let annotated = args.write.as_deref().map(Annotated::create).transpose()?;
    let picture = args.svg.as_deref().map(PictureFile::create).transpose()?;
    let finite = !args.read.is_empty() && read::is_finite(&args.read);
    let mut session = Session::new(selection.clone(), Output::new(format, finite), annotated, picture);
    let watched = match args.read.is_empty() {
        true => {
            live::watch(args.interface.as_deref(), &selection, &mut session, &stop).map(|()| Status::Works)
        }
        false => read::captures(&args.read, &mut session, &stop),
    };
    if watched.is_ok() || session.has_begun() {
        session.finish()?;
    }
    watched
}
