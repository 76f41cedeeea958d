//! `tfo trace`: every handshake on the wire, with a verdict.
//!
//! ```text
//!   capture ──▶ read ─┐
//!                     ├──▶ session ──▶ line, json, diagram  as connections are reported
//!   packets ──▶ live ─┘   (Tracker)├─▶ annotated             a little later
//!                                  └─▶ summary, picture     at the end
//! ```
//! `words` says what a verdict rests on, for all of them.

mod annotated;
pub mod capture;
#[cfg(target_os = "linux")]
mod echoes;
mod json;
mod line;
#[cfg_attr(not(target_os = "linux"), path = "no_live.rs")]
mod live;
mod output;
mod read;
mod selection;
mod session;
#[cfg_attr(windows, path = "stop_windows.rs")]
mod stop;
mod summary;
mod unread;
mod words;

use std::path::PathBuf;

use anyhow::Context;
use fastopen_host::privileges::{self, User};

use crate::diagram::PictureFile;
use crate::output::{self as files, Access, OutputFile};
use crate::status::Status;
use crate::width;

use output::{Format, Output};
use selection::Selection;
use session::Session;
use stop::Stop;

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
    #[arg(long, value_name = "PORT", value_parser = crate::values::number::<u16>(1..=65_535))]
    port: Option<u16>,
    /// Keep the TCP packets in a file (pcapng), with the verdicts as comments that Wireshark shows
    #[arg(short, long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// Draw each connection's handshake as a sequence diagram, its packets in words
    ///
    /// It has every SYN, SYN-ACK and reset, and of each side the first acknowledgment, data and FIN. It ends where the verdict stands
    /// and both sides have sent data, or one has sent its FIN: what follows says nothing of Fast Open.
    #[arg(long, conflicts_with = "json")]
    ladder: bool,
    /// Draw the diagrams in a picture, too (SVG; the first 50 connections)
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Print a JSON object for each connection (described by schemas/trace.json), and the summary on standard error
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
                                         The packets with that verdict, as Wireshark shows them
  tfo trace --read *.pcap --json | jq -r 'select(.verdict == \"ignored\") | .server'

Notes:
Captures are looked into through VLANs, PPPoE, MPLS, IP in IP, GRE (also EoIP), VXLAN, Geneve,
GTP-U and L2TP; packets of L2TP version 3 and of ESP are counted.
Live, tunnels are not looked into: watch the interface at the end of the tunnel.
As root, it becomes the user who called sudo, or nobody, once its files and sockets are open.

Verdicts:
  accepted            the SYN-ACK acknowledged all data in the SYN: one round trip saved, unless the
                      server then fell silent, or the connection was reset before it sent data
  ignored             the SYN carried data, and the SYN-ACK acknowledged none of it or not all
  syn-lost            the SYN with data or a cookie got no answer, and one without connected
  dataless            the SYN presented a cookie and carried no data
  cookie-granted      the SYN asked for a cookie and the SYN-ACK brought one
  cookie-not-granted  the SYN asked for a cookie and the SYN-ACK brought none
  plain               an ordinary handshake
  refused             the SYN was answered with a reset
  unanswered          no SYN was answered
  inconclusive        the packets do not show what happened

Exit status:
  0  all packets were read, or watching was ended with Ctrl-C
  2  wrong usage, or what can't be read, watched or written: the error says what to do
  3  a capture is damaged or cut short, or some of its packets could not be read";

/// Watches until there is no more, or until Ctrl-C.
///
/// # Errors
/// A name can't be resolved, something can't be read or written, or standard output was closed.
pub fn run(args: &Args) -> anyhow::Result<Status> {
    crate::json::failure_too(args.json, follow(args))
}

fn follow(args: &Args) -> anyhow::Result<Status> {
    let selection = Selection::new(args.host.as_deref(), args.port)?;
    let written = [&args.write, &args.svg].into_iter().flatten();
    files::refuse_same(
        args.read.iter().map(PathBuf::as_path),
        written.map(PathBuf::as_path),
    )?;
    let source = match args.read.is_empty() {
        true => Source::Live(live::open(args.interface.as_deref(), &selection)?),
        false => Source::Files(read::open(&args.read)?),
    };
    let finite = !args.read.is_empty() && read::is_finite(&args.read);
    let packets = args
        .write
        .as_deref()
        .map(|path| OutputFile::open(path, Access::Owner));
    let packets = packets.transpose()?;
    let picture = args.svg.as_deref().map(PictureFile::open).transpose()?;
    // Before there is a second thread, and before a byte is read that anybody may have sent.
    let user = User::behind_sudo().unwrap_or(User::NOBODY);
    privileges::drop_to(user).context("can't give up the privileges of root")?;
    let stop = Stop::listen()?;
    let mut session = Session::new(selection, Output::new(args.format(), finite), packets, picture);
    let followed = match source {
        Source::Live(live) => live::watch(live, &mut session, &stop).map(|()| Status::Works),
        Source::Files(inputs) => read::captures(inputs, &mut session, &stop),
    };
    if !session.has_begun() {
        return followed;
    }
    let finished = session.finish(followed.is_err());
    match (followed, finished) {
        (Err(error), _) | (_, Err(error)) => Err(error),
        (Ok(Status::Works), Ok(false)) => Ok(Status::Inconclusive),
        (Ok(status), Ok(_)) => Ok(status),
    }
}

/// Where the packets come from.
enum Source {
    Live(live::Live),
    Files(Vec<read::Input>),
}

impl Args {
    fn format(&self) -> Format {
        match (self.json, self.ladder) {
            (true, _) => Format::Json,
            (_, true) => Format::Ladder {
                width: width::of_stdout(),
            },
            _ => Format::Lines {
                width: width::of_terminal(),
            },
        }
    }
}
