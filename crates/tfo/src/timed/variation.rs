//! One connection that differs in a single thing from what a program would do, to tell causes apart that look alike otherwise.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use fastopen::{ClientFail, TcpInfo, TcpState};
use fastopen_host::connecting::{self, IcmpError};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// In what it differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variation {
    /// An ordinary SYN, on a socket that keeps ICMP errors.
    Plain,
    /// A SYN with the Fast Open option, on such a socket.
    Fast,
    /// A SYN with data and without a cookie (TCP_FASTOPEN_NO_COOKIE).
    WithoutCookie,
    /// As `Plain`, and no segment is longer than 536 bytes, either way.
    PlainSmall,
    /// As `Fast`, with such segments.
    FastSmall,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// This system does not do it: no SYN left.
    NotPossible,
    /// An ICMP error answered the SYN.
    Icmp(IcmpError),
    /// A RST did, or something that this system does not tell.
    Refused,
    /// Nothing did.
    Unanswered,
    Connected {
        /// Whether the SYN's data was taken.
        accepted: bool,
        /// Whether anything was received.
        answered: bool,
        first_syn: FirstSyn,
    },
}

/// What became of the first SYN of a connection. After a failure the kernel sends a plain one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FirstSyn {
    Answered,
    /// An ICMP error came while it was being sent, which the kernel does not report to the program.
    Rejected(IcmpError),
    /// Nothing answered it.
    Lost,
}

/// The segments that every path carries (RFC 9293, section 3.7.1).
const SMALL: u32 = 536;
/// How often the handshake is looked at.
const INTERVAL: Duration = Duration::from_millis(5);

/// Connects once, which may take as long as `patience`, and waits for an answer for as long as `silence`.
pub(crate) async fn connect(
    address: SocketAddr,
    variation: Variation,
    first_bytes: &[u8],
    patience: Duration,
    silence: Duration,
) -> Ended {
    match begin(address, variation, first_bytes) {
        Ok((socket, Ok(taken))) => follow(socket, &first_bytes[taken..], patience, silence).await,
        Ok((socket, Err(error))) => match connecting::next(&socket) {
            Ok(Some(icmp)) => Ended::Icmp(icmp),
            _ if error.kind() == io::ErrorKind::ConnectionRefused => Ended::Refused,
            _ => Ended::NotPossible,
        },
        Err(_) => Ended::NotPossible,
    }
}

/// Sends the SYN; says how many of the bytes it carries, or what the system answered at once.
fn begin(
    address: SocketAddr,
    variation: Variation,
    first_bytes: &[u8],
) -> io::Result<(Socket, io::Result<usize>)> {
    let kind = Type::STREAM.nonblocking();
    let socket = Socket::new(Domain::for_address(address), kind, Some(Protocol::TCP))?;
    connecting::keep(&socket, address.ip())?;
    if matches!(variation, Variation::PlainSmall | Variation::FastSmall) {
        socket.set_tcp_mss(SMALL)?;
    }
    if variation == Variation::WithoutCookie {
        connecting::send_without_cookie(&socket)?;
    }
    let address = SockAddr::from(address);
    let sent = match variation {
        Variation::Plain | Variation::PlainSmall => socket.connect(&address).map(|()| 0),
        Variation::Fast | Variation::FastSmall | Variation::WithoutCookie => {
            let flags = libc::MSG_FASTOPEN | libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
            socket.send_to_with_flags(first_bytes, &address, flags)
        }
    };
    let sent = match sent {
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => Ok(0),
        sent => sent,
    };
    Ok((socket, sent))
}

async fn follow(socket: Socket, rest: &[u8], patience: Duration, silence: Duration) -> Ended {
    let deadline = Instant::now() + patience;
    let info = loop {
        let info = match TcpInfo::of(&socket) {
            Ok(info) => info,
            Err(_) => return Ended::NotPossible,
        };
        match info.state() {
            Some(TcpState::SynSent) if Instant::now() < deadline => sleep(INTERVAL).await,
            Some(TcpState::SynSent) => {
                let icmp = connecting::next(&socket).ok().flatten();
                return icmp.map_or(Ended::Unanswered, Ended::Icmp);
            }
            Some(TcpState::Close) => return closed(&socket),
            _ => break info,
        }
    };
    let first_syn = first_syn(&socket, &info);
    let answered = timeout(silence, answer(socket, rest)).await;
    Ended::Connected {
        accepted: info.syn_data(),
        answered: matches!(answered, Ok(Ok(bytes)) if bytes > 0),
        first_syn,
    }
}

fn first_syn(socket: &Socket, info: &TcpInfo) -> FirstSyn {
    let repeated = || info.total_retrans().is_some_and(|segments| segments > 0);
    match (connecting::next(socket), info.client_fail()) {
        (Ok(Some(icmp)), _) => FirstSyn::Rejected(icmp),
        (_, Some(ClientFail::SynRetransmitted)) => FirstSyn::Lost,
        // Data that was not taken is sent again, too.
        (_, Some(ClientFail::DataNotAcked)) => FirstSyn::Answered,
        _ if repeated() => FirstSyn::Lost,
        _ => FirstSyn::Answered,
    }
}

/// Why a socket is closed again whose SYN had left.
fn closed(socket: &Socket) -> Ended {
    match (connecting::next(socket), socket.take_error()) {
        (Ok(Some(icmp)), _) => Ended::Icmp(icmp),
        (_, Ok(Some(error))) if error.kind() == io::ErrorKind::TimedOut => Ended::Unanswered,
        _ => Ended::Refused,
    }
}

async fn answer(socket: Socket, rest: &[u8]) -> io::Result<usize> {
    let mut stream = TcpStream::from_std(socket.into())?;
    stream.write_all(rest).await?;
    stream.read(&mut [0; 4096]).await
}
