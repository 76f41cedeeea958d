//! Linux. What the kernel really does stands in its sources: `net/ipv4/tcp.c`, `net/ipv4/tcp_fastopen.c`.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::LazyLock;
use std::time::Duration;

use fastopen_host::sysctl::{self, FastOpenBits};
use fastopen_host::{Feature, KernelVersion, TcpState};
use libc::{c_int, c_void, socklen_t};
use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, Type};

use super::{FastSyn, Handshake, SocketOptions};
use crate::error::CallError;
use crate::key::{Key, KeyRing};
use crate::outcome::{Outcome, Reason, Sent};
use crate::tcp_info::TcpInfo;

pub(crate) fn open(
    address: SocketAddr,
    options: &SocketOptions,
    blocking: bool,
) -> Result<Socket, CallError> {
    let domain = Domain::for_address(address);
    let kind = if blocking {
        Type::STREAM
    } else {
        Type::STREAM.nonblocking()
    };
    let mptcp = options
        .mptcp
        .then(|| Socket::new(domain, kind, Some(Protocol::from(libc::IPPROTO_MPTCP))).ok())
        .flatten();
    let socket = match mptcp {
        Some(socket) => socket,
        None => Socket::new(domain, kind, Some(Protocol::TCP)).map_err(call("socket"))?,
    };
    if let Some(mark) = options.mark {
        socket.set_mark(mark).map_err(call("setsockopt(SO_MARK)"))?;
    }
    if let Some(device) = &options.device {
        socket
            .bind_device(Some(device.as_bytes()))
            .map_err(call("setsockopt(SO_BINDTODEVICE)"))?;
    }
    if options.nodelay {
        // What counts is the connection; this only makes it quicker.
        let _ = socket.set_tcp_nodelay(true);
    }
    if let Some(setup) = &options.setup {
        setup.run(&socket)?;
    }
    if let Some(local) = options.local_address(address) {
        bind_address(&socket, local)?;
    }
    Ok(socket)
}

/// Without a port the connect chooses it, so that two connections to different hosts can share one.
fn bind_address(socket: &Socket, local: SocketAddr) -> Result<(), CallError> {
    let on: c_int = 1;
    let (level, name, call_name) = match local.port() {
        0 => (
            libc::IPPROTO_IP,
            libc::IP_BIND_ADDRESS_NO_PORT,
            "setsockopt(IP_BIND_ADDRESS_NO_PORT)",
        ),
        _ => (libc::SOL_SOCKET, libc::SO_REUSEADDR, "setsockopt(SO_REUSEADDR)"),
    };
    set_option(socket.as_fd(), level, name, &on.to_ne_bytes()).map_err(call(call_name))?;
    socket.bind(&local.into()).map_err(call("bind"))
}

pub(crate) fn connect_plain(socket: &Socket, address: SocketAddr) -> Result<(), CallError> {
    match socket.connect(&address.into()) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => {
            Err(CallError::new("connect", &error))
        }
        _ => Ok(()),
    }
}

/// The call never waits, even on a blocking socket: a wait that a signal interrupts would send the data twice, or report a failure
/// for data that is sent all the same (`tcp_sendmsg_fastopen`).
pub(crate) fn connect_fast(socket: &Socket, address: SocketAddr, bytes: &[u8]) -> Result<FastSyn, CallError> {
    let flags = libc::MSG_FASTOPEN | libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    let error = match socket.send_to_with_flags(bytes, &SockAddr::from(address), flags) {
        Ok(sent) => return Ok(FastSyn::Sent(Sent::InSyn(sent))),
        Err(error) => error,
    };
    let failed = CallError::new("sendto(MSG_FASTOPEN)", &error);
    match error.raw_os_error() {
        Some(libc::EINPROGRESS) => Ok(FastSyn::Sent(Sent::Nothing)),
        Some(libc::EOPNOTSUPP) => Ok(FastSyn::NotPossible(why_not_supported(), failed)),
        // Before Linux 3.6 the flag is unknown, and the call an ordinary `sendto` on a socket without a connection.
        Some(libc::ENOTCONN | libc::EPIPE) => Ok(FastSyn::NotPossible(Reason::Unsupported, failed)),
        _ => Err(failed),
    }
}

/// The kernel refuses where the client bit is off, and for kinds of sockets that have no Fast Open, as MPTCP's before Linux 6.2.
fn why_not_supported() -> Reason {
    match sysctl::fast_open() {
        Ok(Some(bits)) if bits.contains(FastOpenBits::CLIENT) => Reason::Unsupported,
        _ => Reason::Sysctl,
    }
}

pub(crate) fn handshake(socket: BorrowedFd<'_>) -> Result<Handshake, CallError> {
    let info = tcp_info(socket).map_err(call("getsockopt(TCP_INFO)"))?;
    match info.state() {
        Some(TcpState::SynSent) => Ok(Handshake::UnderWay(Some(info))),
        // A connection that was made and is over already still has an answer to read.
        Some(TcpState::Close) if info.bytes_acked() == Some(0) => {
            let error = SockRef::from(&socket)
                .take_error()
                .map_err(call("getsockopt(SO_ERROR)"))?;
            Err(
                error.map_or(CallError::from_code("connect", libc::ECONNABORTED), |error| {
                    CallError::new("connect", &error)
                }),
            )
        }
        _ => Ok(Handshake::Complete(info)),
    }
}

pub(crate) fn outcome(_: BorrowedFd<'_>, sent: Sent, info: &TcpInfo, destination: IpAddr) -> Outcome {
    Outcome::judge(sent, info, destination, tells_client_failures())
}

/// Whether the kernel says why Fast Open failed on a client (`tcpi_fastopen_client_fail`). The field lies in what was padding before, so
/// that the length of `tcp_info` does not show it.
fn tells_client_failures() -> bool {
    static TELLS: LazyLock<bool> = LazyLock::new(|| runs_with(Feature::ClientFail));
    *TELLS
}

fn runs_with(feature: Feature) -> bool {
    KernelVersion::running().is_ok_and(|version| feature.is_expected_in(version))
}

pub(crate) fn is_out_of_descriptors(error: &CallError) -> bool {
    matches!(error.code(), libc::EMFILE | libc::ENFILE)
}

/// What a write to a connection that was reset reports.
pub(crate) fn connection_reset() -> CallError {
    CallError::from_code("send", libc::ECONNRESET)
}

pub(crate) fn send(socket: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    SockRef::from(&socket).send_with_flags(bytes, libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL)
}

pub(crate) fn tcp_info(socket: BorrowedFd<'_>) -> io::Result<TcpInfo> {
    let mut bytes = [0; TcpInfo::MAX_LEN];
    let len = option(socket, libc::IPPROTO_TCP, libc::TCP_INFO, &mut bytes)?;
    Ok(TcpInfo::from_bytes(&bytes[..len]))
}

/// What the kernel keeps when a connection ends (`tcp_update_metrics`). Where it can't be asked nothing is known.
pub(crate) fn rtt_of_earlier_connections(destination: IpAddr) -> Option<Duration> {
    fastopen_host::cookies::rtt(destination).ok().flatten()
}

/// The IP and TCP headers of the SYN that began the connection, if the listener keeps them and nobody has read them yet. `None` also for
/// a socket that has no such option: one that an MPTCP listener accepted.
pub(crate) fn saved_syn(socket: BorrowedFd<'_>) -> io::Result<Option<Vec<u8>>> {
    // Enough for what kernels send. IPv6 extension headers make it longer, up to the 64 KiB of a reassembled packet: then the call
    // fails, says how much it takes, and keeps the SYN.
    let mut headers = vec![0; 256];
    let mut len = 0;
    let mut result = option_and_len(
        socket,
        libc::IPPROTO_TCP,
        libc::TCP_SAVED_SYN,
        &mut headers,
        &mut len,
    );
    if len as usize > headers.len() {
        headers.resize(len as usize, 0);
        result = option_and_len(
            socket,
            libc::IPPROTO_TCP,
            libc::TCP_SAVED_SYN,
            &mut headers,
            &mut len,
        );
    }
    match result {
        Ok(()) => {
            headers.truncate(len as usize);
            Ok(Some(headers).filter(|headers| !headers.is_empty()))
        }
        Err(error) if lacks_option(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

pub(crate) const LISTENS_FIRST: bool = false;

/// Sets the queue's length and answers what the kernel made of it; `None` where it has no Fast Open.
pub(crate) fn set_queue(listener: BorrowedFd<'_>, len: u32) -> Result<Option<u32>, CallError> {
    const NAME: &str = "setsockopt(TCP_FASTOPEN)";
    let asked = c_int::try_from(len).unwrap_or(c_int::MAX);
    match set_option(
        listener,
        libc::IPPROTO_TCP,
        libc::TCP_FASTOPEN,
        &asked.to_ne_bytes(),
    ) {
        Err(error) if lacks_option(&error) => return Ok(None),
        result => result.map_err(call(NAME))?,
    }
    let mut got = [0; size_of::<c_int>()];
    option(listener, libc::IPPROTO_TCP, libc::TCP_FASTOPEN, &mut got)
        .map_err(call("getsockopt(TCP_FASTOPEN)"))?;
    Ok(u32::try_from(c_int::from_ne_bytes(got)).ok())
}

pub(crate) fn set_keys(listener: BorrowedFd<'_>, keys: &KeyRing) -> Result<(), CallError> {
    let mut bytes = zeroize::Zeroizing::new([0; 2 * Key::LEN]);
    let mut len = Key::LEN;
    bytes[..len].copy_from_slice(keys.primary().as_bytes());
    if let Some(backup) = keys.backup() {
        bytes[len..].copy_from_slice(backup.as_bytes());
        len += Key::LEN;
    }
    set_option(listener, libc::IPPROTO_TCP, libc::TCP_FASTOPEN_KEY, &bytes[..len])
        .map_err(call("setsockopt(TCP_FASTOPEN_KEY)"))
}

/// Whether the kernel keeps SYNs; `false` where this kind of socket can't: an MPTCP listener.
pub(crate) fn set_save_syn(listener: BorrowedFd<'_>, save: bool) -> Result<bool, CallError> {
    let result = set_option(
        listener,
        libc::IPPROTO_TCP,
        libc::TCP_SAVE_SYN,
        &c_int::from(save).to_ne_bytes(),
    );
    is_there(result).map_err(call("setsockopt(TCP_SAVE_SYN)"))
}

/// How many times an unanswered SYN-ACK is sent again; `false` where this kind of socket has no such setting: an MPTCP listener.
pub(crate) fn set_synack_retries(listener: BorrowedFd<'_>, retries: u8) -> Result<bool, CallError> {
    let result = set_option(
        listener,
        libc::IPPROTO_TCP,
        libc::TCP_SYNCNT,
        &c_int::from(retries).to_ne_bytes(),
    );
    is_there(result).map_err(call("setsockopt(TCP_SYNCNT)"))
}

/// Whether the option was set; `false` where this kind of socket does not have it.
fn is_there(result: io::Result<()>) -> io::Result<bool> {
    match result {
        Err(error) if lacks_option(&error) => Ok(false),
        result => result.map(|()| true),
    }
}

/// MPTCP sockets answer `ENOPROTOOPT` when an option that they lack is set, and `EOPNOTSUPP` when it is read.
fn lacks_option(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOPROTOOPT | libc::EOPNOTSUPP))
}

/// Whether the server bit of `net.ipv4.tcp_fastopen` is on; `None` where it can't be read.
pub(crate) fn server_enabled() -> Option<bool> {
    let bits = sysctl::fast_open().ok()??;
    Some(bits.contains(FastOpenBits::SERVER))
}

/// Whether the kernel marks the server's end of a fast connection in `tcp_info` (`TCPI_OPT_TFO_CHILD`).
pub(crate) fn flags_fast_open_children() -> bool {
    static FLAGS: LazyLock<bool> = LazyLock::new(|| runs_with(Feature::FastOpenChild));
    *FLAGS
}

/// Waits for a socket's next change through an epoll instance of its own, so that nobody else misses an event.
#[derive(Debug)]
pub(crate) struct EdgeWaiter(OwnedFd);

impl EdgeWaiter {
    pub(crate) fn new(socket: BorrowedFd<'_>) -> io::Result<Self> {
        // SAFETY: the call takes no pointers.
        let fd = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: the descriptor is new, and nobody else has it.
        let epoll = unsafe { OwnedFd::from_raw_fd(fd) };
        let mut event = libc::epoll_event {
            events: (libc::EPOLLOUT | libc::EPOLLET) as u32,
            u64: 0,
        };
        // SAFETY: both descriptors are open, and `event` lives through the call.
        check(unsafe { libc::epoll_ctl(fd, libc::EPOLL_CTL_ADD, socket.as_raw_fd(), &raw mut event) })?;
        Ok(Self(epoll))
    }

    /// Returns at the next change, at a signal, or after `at_most`.
    pub(crate) fn wait(&self, at_most: Duration) -> io::Result<()> {
        let milliseconds = c_int::try_from(at_most.as_micros().div_ceil(1000)).unwrap_or(c_int::MAX);
        let mut event = libc::epoll_event { events: 0, u64: 0 };
        // SAFETY: there is room for the one event that the call may write.
        match check(unsafe { libc::epoll_wait(self.0.as_raw_fd(), &raw mut event, 1, milliseconds) }) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(error),
            _ => Ok(()),
        }
    }
}

fn option(socket: BorrowedFd<'_>, level: c_int, name: c_int, value: &mut [u8]) -> io::Result<usize> {
    let mut len = 0;
    option_and_len(socket, level, name, value, &mut len)?;
    Ok((len as usize).min(value.len()))
}

/// As [`option`], and tells the length that the kernel wrote also when the call failed.
fn option_and_len(
    socket: BorrowedFd<'_>,
    level: c_int,
    name: c_int,
    value: &mut [u8],
    len: &mut socklen_t,
) -> io::Result<()> {
    *len = value.len() as socklen_t;
    // SAFETY: `value` has room for `len` bytes and lives through the call, as does `len`.
    check(unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            level,
            name,
            value.as_mut_ptr().cast::<c_void>(),
            &raw mut *len,
        )
    })?;
    Ok(())
}

fn set_option(socket: BorrowedFd<'_>, level: c_int, name: c_int, value: &[u8]) -> io::Result<()> {
    let len = value.len() as socklen_t;
    // SAFETY: `value` has `len` bytes and lives through the call.
    check(unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            value.as_ptr().cast::<c_void>(),
            len,
        )
    })?;
    Ok(())
}

fn check(result: c_int) -> io::Result<c_int> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

fn call(name: &'static str) -> impl Fn(io::Error) -> CallError {
    move |error| CallError::new(name, &error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listen::ListenOptions;

    #[test]
    fn a_listener_has_a_handshake_timeout_unless_the_kernels_is_wanted() {
        let synack_retries = |socket: BorrowedFd<'_>| {
            let mut retries = [0; size_of::<c_int>()];
            option(socket, libc::IPPROTO_TCP, libc::TCP_SYNCNT, &mut retries).expect("TCP_SYNCNT");
            c_int::from_ne_bytes(retries)
        };
        let of = |options: &ListenOptions| {
            let listening = options.listen("127.0.0.1:0").expect("a listener");
            synack_retries(listening.listener.as_fd())
        };
        let untouched = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        assert_eq!(of(&ListenOptions::new()), 3, "15 seconds");
        assert_eq!(
            of(&ListenOptions::new().with_handshake_timeout(Duration::from_secs(1))),
            1
        );
        assert_eq!(
            of(&ListenOptions::new().with_handshake_timeout(None)),
            synack_retries(untouched.as_fd())
        );
    }
}
