//! Interfaces that send and receive what would be on a wire: checksums filled in, nothing merged or left to be split.

use std::io;
use std::mem;
use std::os::fd::AsRawFd;

use socket2::{Domain, Socket, Type};

use super::check;

/// `struct ethtool_value` of linux/ethtool.h.
#[repr(C)]
struct EthtoolValue {
    command: u32,
    data: u32,
}

const SET_RX_CHECKSUM: u32 = 0x15;
const SET_TX_CHECKSUM: u32 = 0x17;
const SET_SCATTER_GATHER: u32 = 0x19;
const SET_TCP_SEGMENTATION: u32 = 0x1f;
const SET_SEGMENTATION: u32 = 0x24;
const SET_RECEIVE_MERGING: u32 = 0x2c;

/// Turns offloads off on an interface of the calling thread's network namespace. What the driver doesn't know stays as it is.
pub(crate) fn turn_off(interface: &str) -> io::Result<()> {
    let socket = Socket::new(Domain::UNIX, Type::DGRAM, None)?;
    for command in [
        SET_TCP_SEGMENTATION,
        SET_SEGMENTATION,
        SET_RECEIVE_MERGING,
        SET_TX_CHECKSUM,
        SET_RX_CHECKSUM,
        SET_SCATTER_GATHER,
    ] {
        match set(&socket, interface, EthtoolValue { command, data: 0 }) {
            Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => {}
            done => done?,
        }
    }
    Ok(())
}

fn set(socket: &Socket, interface: &str, mut value: EthtoolValue) -> io::Result<()> {
    // SAFETY: all zeros is a valid `ifreq`: a name, and a union of numbers and pointers.
    let mut request: libc::ifreq = unsafe { mem::zeroed() };
    let room = request.ifr_name.len() - 1;
    if interface.len() > room {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    for (to, from) in request.ifr_name.iter_mut().zip(interface.bytes()) {
        *to = from as libc::c_char;
    }
    request.ifr_ifru.ifru_data = (&raw mut value).cast();
    // SAFETY: the request's pointer is to an `ethtool_value` that outlives the call, which is what these commands read.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL as _, &mut request) }).map(drop)
}
