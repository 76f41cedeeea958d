//! The same with nothing but system calls: what any library costs at the least.

use std::net::SocketAddr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// Sends the request in a SYN, asks whether it was accepted, and reads the answer to its end.
pub(crate) fn exchange(address: SocketAddr, request: &[u8], answer_len: usize) {
    let SocketAddr::V4(address) = address else {
        panic!("the server listens on IPv4")
    };
    let name = libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: address.port().to_be(),
        sin_addr: libc::in_addr {
            s_addr: u32::from_ne_bytes(address.ip().octets()),
        },
        sin_zero: [0; 8],
    };
    // SAFETY: the call takes no pointers.
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    assert!(fd >= 0);
    // SAFETY: the descriptor is new, and nobody else has it.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    let fd = socket.as_raw_fd();
    let flags = libc::MSG_FASTOPEN | libc::MSG_NOSIGNAL;
    let name_len = size_of_val(&name) as libc::socklen_t;
    // SAFETY: request and name are as long as the call is told.
    let sent = unsafe {
        libc::sendto(
            fd,
            request.as_ptr().cast(),
            request.len(),
            flags,
            (&raw const name).cast(),
            name_len,
        )
    };
    assert_eq!(sent, request.len() as isize);
    let mut info = [0_u8; 280];
    let mut info_len = info.len() as libc::socklen_t;
    // SAFETY: there is room for as many bytes as the call is told.
    let got = unsafe {
        libc::getsockopt(
            fd,
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut info_len,
        )
    };
    assert!(
        got == 0 && info[5] & 0x20 != 0,
        "the data in the SYN was accepted"
    );
    let mut answer = [0_u8; 100];
    for expected in [answer_len, 0] {
        // SAFETY: there is room for as many bytes as the call is told.
        let received = unsafe { libc::recv(fd, answer.as_mut_ptr().cast(), answer.len(), 0) };
        assert_eq!(received, expected as isize);
    }
}
