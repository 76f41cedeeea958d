//! The frames of one interface (packet(7)).

use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::{Duration, SystemTime};

use socket2::{Domain, Protocol, Socket, Type};

use super::check;

/// The longest frame: an IP packet of 64 KiB behind an Ethernet header.
const MAX_FRAME: usize = 65_535 + ETHERNET_HEADER;
const ETHERNET_HEADER: usize = 14;
const ETHERTYPE: [[u8; 2]; 2] = [[0x08, 0x00], [0x86, 0xdd]];
/// Room for the frames that wait while the reader is busy, in bytes; what the system allows when that is less.
const RECEIVE_BUFFER: libc::c_int = 16 << 20;

/// A hardware address.
pub(crate) type Mac = [u8; 6];

/// A socket that sees what arrives at one interface and sends as if from it.
#[derive(Debug)]
pub(crate) struct PacketSocket {
    socket: Socket,
}

/// One frame that arrived.
#[derive(Debug)]
pub(crate) struct Arrival {
    /// When the kernel took it from the interface.
    pub(crate) at: SystemTime,
    /// The IP packet in it.
    pub(crate) packet: Vec<u8>,
}

impl PacketSocket {
    /// Opens one for an interface, by index, of the calling thread's network namespace.
    pub(crate) fn open(interface: u32) -> io::Result<Self> {
        // Protocol 0 until it is bound, or it would see every interface's frames for a moment.
        let socket = Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(0)))?;
        socket.set_nonblocking(true)?;
        // SO_RCVBUFFORCE needs privilege in the first user namespace; without it the system's limit holds.
        if set_option(&socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, RECEIVE_BUFFER).is_err() {
            set_option(&socket, libc::SOL_SOCKET, libc::SO_RCVBUF, RECEIVE_BUFFER)?;
        }
        set_option(&socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1)?;
        set_option(&socket, libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, 1)?;
        bind(&socket, interface)?;
        Ok(Self { socket })
    }

    /// The next IP packet, or `None` when there is none for now.
    pub(crate) fn receive(&self, buffer: &mut FrameBuffer) -> io::Result<Option<Arrival>> {
        loop {
            let (len, at) = match receive(&self.socket, &mut buffer.0) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                received => received?,
            };
            if let Some(packet) = ip_packet(&buffer.0[..len]) {
                return Ok(Some(Arrival {
                    at: at.unwrap_or_else(SystemTime::now),
                    packet: packet.to_vec(),
                }));
            }
        }
    }

    /// Sends an IP packet to the interface's other end. A full queue drops it, as a wire would.
    pub(crate) fn send(&self, packet: &[u8], from: Mac, to: Mac) -> io::Result<()> {
        let ethertype = ETHERTYPE[usize::from(packet.first().is_some_and(|byte| byte >> 4 == 6))];
        let header = [&to[..], &from, &ethertype].concat();
        let parts = [io::IoSlice::new(&header), io::IoSlice::new(packet)];
        self.socket.send_vectored(&parts).map(drop)
    }

    /// How many frames the kernel had no room for since the last call.
    pub(crate) fn overflowed(&self) -> io::Result<u32> {
        let mut statistics = libc::tpacket_stats {
            tp_packets: 0,
            tp_drops: 0,
        };
        let mut len = mem::size_of_val(&statistics) as libc::socklen_t;
        // SAFETY: the structure is the one that this option fills in, and the length is its own.
        check(unsafe {
            libc::getsockopt(
                self.socket.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_STATISTICS,
                (&raw mut statistics).cast(),
                &mut len,
            )
        })?;
        Ok(statistics.tp_drops)
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Where a frame is received.
#[derive(Debug)]
pub(crate) struct FrameBuffer(Box<[u8]>);

impl FrameBuffer {
    pub(crate) fn new() -> Self {
        Self(vec![0; MAX_FRAME].into())
    }
}

fn ip_packet(frame: &[u8]) -> Option<&[u8]> {
    let (header, packet) = frame.split_at_checked(ETHERNET_HEADER)?;
    ETHERTYPE
        .iter()
        .any(|ethertype| header.ends_with(ethertype))
        .then_some(packet)
}

/// `fastopen-host` has the same for its ring. They can't share it: its tests need the lab, which is published before it.
fn bind(socket: &Socket, interface: u32) -> io::Result<()> {
    // SAFETY: all zeros is a valid `sockaddr_ll`, which is nothing but integers.
    let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
    address.sll_family = libc::AF_PACKET as _;
    address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
    address.sll_ifindex = libc::c_int::try_from(interface).map_err(io::Error::other)?;
    // SAFETY: the address is a whole `sockaddr_ll`, and the length is its own.
    check(unsafe {
        libc::bind(
            socket.as_raw_fd(),
            (&raw const address).cast(),
            mem::size_of_val(&address) as libc::socklen_t,
        )
    })
    .map(drop)
}

fn set_option(socket: &Socket, level: libc::c_int, name: libc::c_int, value: libc::c_int) -> io::Result<()> {
    // SAFETY: each of the options used here takes an int, and the length is an int's.
    check(unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            (&raw const value).cast(),
            mem::size_of_val(&value) as libc::socklen_t,
        )
    })
    .map(drop)
}

/// Room for the one control message that is asked for, aligned as control messages are.
#[repr(C, align(8))]
struct Control([u8; 64]);

fn receive(socket: &Socket, frame: &mut [u8]) -> io::Result<(usize, Option<SystemTime>)> {
    let mut control = Control([0; 64]);
    let mut part = libc::iovec {
        iov_base: frame.as_mut_ptr().cast(),
        iov_len: frame.len(),
    };
    // SAFETY: all zeros is a valid `msghdr`: null pointers with lengths of zero.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_iov = &mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.0.as_mut_ptr().cast();
    message.msg_controllen = control.0.len() as _;
    // SAFETY: every pointer in the message is to memory of this function or its caller, with its own length.
    let len = unsafe { libc::recvmsg(socket.as_raw_fd(), &mut message, 0) };
    let len = usize::try_from(len).map_err(|_| io::Error::last_os_error())?;
    Ok((len, timestamp(&message)))
}

fn timestamp(message: &libc::msghdr) -> Option<SystemTime> {
    // SAFETY: the kernel has filled in the control buffer and its length, and the buffer outlives the reference.
    let header = unsafe { libc::CMSG_FIRSTHDR(message) };
    // SAFETY: the pointer is null or to a whole header inside the control buffer.
    let found = unsafe { header.as_ref() }?;
    if (found.cmsg_level, found.cmsg_type) != (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) {
        return None;
    }
    // SAFETY: the header was just found to be there.
    let data = unsafe { libc::CMSG_DATA(header) };
    // SAFETY: this kind of message holds a `timespec`; it need not be aligned.
    let time: libc::timespec = unsafe { data.cast::<libc::timespec>().read_unaligned() };
    let since_epoch = Duration::new(time.tv_sec.try_into().ok()?, time.tv_nsec.try_into().ok()?);
    SystemTime::UNIX_EPOCH.checked_add(since_epoch)
}
