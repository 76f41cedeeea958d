//! A packet socket with a ring of blocks (<https://docs.kernel.org/networking/packet_mmap.html>, TPACKET_V3).

use std::ffi::CString;
use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::atomic::{AtomicU32, Ordering};

use socket2::{Domain, Protocol, SockFilter, Socket, Type};

use super::instruction::Instruction;
use crate::error::Error;

const BLOCK_LEN: usize = 256 << 10;
const BLOCKS: usize = 64;
/// The kernel requires it and does not use it: packets stand behind each other, whatever their length.
const FRAME_LEN: usize = 2048;
/// A block that is not full is handed over after this many milliseconds.
const RETIRE_AFTER_MS: u32 = 50;
/// Offset of the word in a block that says whether the kernel or this process owns it.
const STATUS: usize = 8;

/// The socket, its memory, and which of its blocks comes next.
#[derive(Debug)]
pub(crate) struct Ring {
    socket: Socket,
    memory: NonNull<u8>,
    block: usize,
}

// SAFETY: the memory belongs to this value alone, which any thread may own.
unsafe impl Send for Ring {}

impl Ring {
    pub(crate) fn open(interface: Option<&str>, program: &[Instruction]) -> Result<Self, Error> {
        let interface = interface.map_or(Ok(0), index)?;
        // Protocol 0 until it is bound, or packets would come before there is a filter.
        let socket = Socket::new(Domain::PACKET, Type::DGRAM, Some(Protocol::from(0)))
            .map_err(failed("socket(AF_PACKET)"))?;
        let program: Vec<_> = program
            .iter()
            .map(|it| SockFilter::new(it.code, it.if_true, it.if_false, it.value))
            .collect();
        socket
            .attach_filter(&program)
            .map_err(failed("setsockopt(SO_ATTACH_FILTER)"))?;
        set_option(&socket, libc::PACKET_VERSION, &libc::tpacket_versions::TPACKET_V3)
            .map_err(failed("setsockopt(PACKET_VERSION)"))?;
        let ring = libc::tpacket_req3 {
            tp_block_size: BLOCK_LEN as u32,
            tp_block_nr: BLOCKS as u32,
            tp_frame_size: FRAME_LEN as u32,
            tp_frame_nr: (BLOCKS * BLOCK_LEN / FRAME_LEN) as u32,
            tp_retire_blk_tov: RETIRE_AFTER_MS,
            tp_sizeof_priv: 0,
            tp_feature_req_word: 0,
        };
        set_option(&socket, libc::PACKET_RX_RING, &ring).map_err(failed("setsockopt(PACKET_RX_RING)"))?;
        let memory = map(&socket).map_err(failed("mmap of the packet ring"))?;
        let ring = Self {
            socket,
            memory,
            block: 0,
        };
        ring.bind(interface)
            .map_err(failed("bind of the packet socket"))?;
        Ok(ring)
    }

    /// The block that comes next, if the kernel has handed it over.
    pub(crate) fn filled(&self) -> Option<&[u8]> {
        let ours = self.status().load(Ordering::Acquire) & libc::TP_STATUS_USER != 0;
        // SAFETY: the block lies within the mapping, which lives as long as `self`. The kernel has handed it over, and writes to it
        // again only after `release`, which needs `self` for itself alone.
        ours.then(|| unsafe { slice::from_raw_parts(self.start().as_ptr(), BLOCK_LEN) })
    }

    /// Gives the block back, and goes on to the next.
    pub(crate) fn release(&mut self) {
        self.status().store(libc::TP_STATUS_KERNEL, Ordering::Release);
        self.block = (self.block + 1) % BLOCKS;
    }

    /// How many packets there was no room for since the last call.
    pub(crate) fn take_dropped(&mut self) -> Result<u64, Error> {
        let mut statistics = libc::tpacket_stats_v3 {
            tp_packets: 0,
            tp_drops: 0,
            tp_freeze_q_cnt: 0,
        };
        let mut len = mem::size_of_val(&statistics) as libc::socklen_t;
        // SAFETY: the structure is the one that this option fills in for this version of the ring, and the length is its own.
        check(unsafe {
            libc::getsockopt(
                self.socket.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_STATISTICS,
                (&raw mut statistics).cast(),
                &mut len,
            )
        })
        .map_err(failed("getsockopt(PACKET_STATISTICS)"))?;
        Ok(statistics.tp_drops.into())
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        match self.socket.take_error() {
            Ok(None) => Ok(()),
            Ok(Some(error)) | Err(error) => Err(failed("watching the interface")(error)),
        }
    }

    fn start(&self) -> NonNull<u8> {
        // SAFETY: there are `BLOCKS` blocks in the mapping, and `block` is below that.
        unsafe { self.memory.add(self.block * BLOCK_LEN) }
    }

    fn status(&self) -> &AtomicU32 {
        // SAFETY: the word lies within the block.
        let status = unsafe { self.start().add(STATUS) };
        // SAFETY: blocks begin at a page and the word at a multiple of four. It says whether the kernel or this
        // process owns the block, and both read and write it atomically.
        unsafe { AtomicU32::from_ptr(status.as_ptr().cast()) }
    }

    fn bind(&self, interface: u32) -> io::Result<()> {
        // SAFETY: all zeros is a valid `sockaddr_ll`, which is nothing but integers.
        let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
        address.sll_family = libc::AF_PACKET as _;
        address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
        address.sll_ifindex = libc::c_int::try_from(interface).map_err(io::Error::other)?;
        // SAFETY: the address is a whole `sockaddr_ll`, and the length is its own.
        check(unsafe {
            libc::bind(
                self.socket.as_raw_fd(),
                (&raw const address).cast(),
                mem::size_of_val(&address) as libc::socklen_t,
            )
        })
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's own and of that length, and nobody borrows from it any more.
        let _ = unsafe { libc::munmap(self.memory.as_ptr().cast(), BLOCKS * BLOCK_LEN) };
    }
}

impl AsFd for Ring {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn map(socket: &Socket) -> io::Result<NonNull<u8>> {
    // SAFETY: a new mapping at an address that the kernel chooses touches nothing that is there.
    let memory = unsafe {
        libc::mmap(
            ptr::null_mut(),
            BLOCKS * BLOCK_LEN,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED,
            socket.as_raw_fd(),
            0,
        )
    };
    match NonNull::new(memory.cast()) {
        Some(mapped) if memory != libc::MAP_FAILED => Ok(mapped),
        _ => Err(io::Error::last_os_error()),
    }
}

fn index(name: &str) -> Result<u32, Error> {
    let failed = failed("finding the interface by its name");
    let Ok(name) = CString::new(name) else {
        return Err(failed(io::Error::from_raw_os_error(libc::ENODEV)));
    };
    // SAFETY: the name is a string that ends with a zero byte.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => Err(failed(io::Error::last_os_error())),
        index => Ok(index),
    }
}

fn set_option<T>(socket: &Socket, name: libc::c_int, value: &T) -> io::Result<()> {
    // SAFETY: the pointer is to a whole value with its own length; the kernel refuses a length that is not the option's.
    check(unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            name,
            (&raw const *value).cast(),
            mem::size_of_val(value) as libc::socklen_t,
        )
    })
}

fn check(returned: libc::c_int) -> io::Result<()> {
    match returned {
        0.. => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn failed(request: &'static str) -> impl Fn(io::Error) -> Error {
    move |error| Error::Request { request, error }
}
