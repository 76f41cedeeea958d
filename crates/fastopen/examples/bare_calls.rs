//! TCP Fast Open with the bare system calls: a server and a client, each call in the order in which it happens, and why.
//!
//! ```text
//! cargo run -p fastopen --example bare_calls
//! ```
//!
//! It needs no privilege, since it runs in a network namespace of its own. Calls that are the same as for any TCP connection are made
//! by std, and named in the comments. The library does what is left out here: paths that drop such a SYN, names with several addresses, IPv6,
//! servers with many clients. See tcp(7), send(2), RFC 7413.

use std::ffi::c_int;
use std::io::{Error, Read, Result, Write};
use std::mem::size_of_val;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::{fs, thread, time::Duration};

fn main() -> Result<()> {
    show()
}

pub(crate) fn show() -> Result<()> {
    // The machine. Bit 1 of the sysctl is for clients, and on by default; bit 2 is for servers, and off.
    match own_network() {
        Ok(()) => println!("in a network namespace of its own, with net.ipv4.tcp_fastopen=3"),
        Err(error) => println!("in this machine's network ({error})"),
    }
    let sysctl = fs::read_to_string("/proc/sys/net/ipv4/tcp_fastopen")?;
    if sysctl.trim().parse().is_ok_and(|bits: u32| bits & 2 == 0) {
        println!(
            "the server bit is off, so no cookie will be granted; to fix it: sysctl -w net.ipv4.tcp_fastopen=3"
        );
    }

    // 1. Server: socket, bind, listen; and an option without which it never grants a cookie. Its value limits how many fast connections may
    //    wait for their client's ACK, because each may be a replay. Beyond it, clients get an ordinary handshake.
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let limit: c_int = 100;
    let len = size_of_val(&limit) as libc::socklen_t;
    let (level, name) = (libc::IPPROTO_TCP, libc::TCP_FASTOPEN);
    // SAFETY: `limit` is as long as the call is told.
    check("setsockopt(TCP_FASTOPEN)", unsafe {
        libc::setsockopt(listener.as_raw_fd(), level, name, (&raw const limit).cast(), len) as isize
    })?;

    // The first connection gets the cookie, which the client's kernel keeps for this server; the second one uses it.
    for connection in 1..=2 {
        println!("connection {connection}");
        exchange(&listener)?;
    }
    Ok(())
}

fn exchange(listener: &TcpListener) -> Result<()> {
    // 2. Client: socket, and one call that connects and sends; there is no connect(2). With a cookie it returns how many bytes the SYN had
    //    room for, some 1420 on Ethernet; without one the SYN asks for it and carries none. Only what may arrive twice belongs in here: whoever
    //    has seen a SYN can send it again. MSG_DONTWAIT, because a signal during the wait would make the kernel send the data twice.
    const REQUEST: &[u8] = b"request";
    let mut client = TcpStream::from(socket()?);
    let to = address_of(listener)?;
    let flags = libc::MSG_FASTOPEN | libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    let (data, to_len) = (REQUEST.as_ptr().cast(), size_of_val(&to) as libc::socklen_t);
    // SAFETY: the data and the address are as long as the call is told.
    let in_syn = match check("sendto(MSG_FASTOPEN)", unsafe {
        let to = (&raw const to).cast();
        libc::sendto(client.as_raw_fd(), data, REQUEST.len(), flags, to, to_len)
    }) {
        Ok(sent) => sent,
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => 0,
        Err(error) => return Err(error), // EOPNOTSUPP: the client bit is off
    };
    println!("  client: sendto() put {in_syn} bytes in the SYN");

    // 3. Client: write(2) waits for the SYN-ACK and sends the rest behind the handshake, as ever.
    client.write_all(&REQUEST[in_syn..])?;

    // 4. Server: accept and read. On a fast connection both return before the client's ACK has come, and so may the answer leave.
    let (mut server, _) = listener.accept()?;
    let from_syn = tcp_info(&server)?[OPTIONS] & SYN_DATA != 0;
    let mut request = [0; 100];
    let len = server.read(&mut request)?;
    println!("  server: read {len} bytes, from the SYN: {from_syn}");
    server.write_all(b"answer")?;

    // 5. Server: what must not happen twice waits until the client has acknowledged the SYN-ACK. A replay never does, and stays in SYN_RECV. (epoll
    //    tells as well, when asked for EPOLLOUT with EPOLLET: instead of this loop.)
    while tcp_info(&server)?[STATE] == SYN_RECV {
        thread::sleep(Duration::from_millis(1));
    }
    println!("  server: the client is confirmed");

    // 6. Client: read the answer, and what became of the SYN. That is final as soon as there was a SYN-ACK.
    let mut answer = [0; 100];
    let len = client.read(&mut answer)?;
    println!("  client: received \"{}\"", answer[..len].escape_ascii());
    let info = tcp_info(&client)?;
    println!(
        "  client: {}",
        match (info[OPTIONS] & SYN_DATA, info[CLIENT_FAIL] >> 1 & 3) {
            (SYN_DATA, _) => "accepted: the SYN-ACK acknowledged the data, one round trip was saved",
            (_, 1) => "no cookie: this SYN requested one",
            (_, 2) => "ignored: the SYN-ACK did not acknowledge the data, the kernel sent it again",
            (_, 3) => "lost: the SYN had to be sent again, without data",
            _ => "the kernel does not tell",
        }
    );
    Ok(())
}

// Where things are in struct tcp_info of <linux/tcp.h>, and what they mean.
const STATE: usize = 0;
const SYN_RECV: u8 = 3;
const OPTIONS: usize = 5;
const SYN_DATA: u8 = 0x20; // TCPI_OPT_SYN_DATA
const CLIENT_FAIL: usize = 7; // bits 1 and 2: tcpi_fastopen_client_fail

fn tcp_info(socket: &TcpStream) -> Result<[u8; 104]> {
    let mut info = [0; 104]; // it has more in every kernel, which writes as much as there is room for
    let mut len = size_of_val(&info) as libc::socklen_t;
    let (fd, level) = (socket.as_raw_fd(), libc::IPPROTO_TCP);
    // SAFETY: there is room for as many bytes as the call is told.
    check("getsockopt(TCP_INFO)", unsafe {
        libc::getsockopt(fd, level, libc::TCP_INFO, info.as_mut_ptr().cast(), &raw mut len) as isize
    })?;
    Ok(info)
}

fn socket() -> Result<OwnedFd> {
    // SAFETY: no pointers.
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    check("socket", fd as isize)?;
    // SAFETY: the descriptor is new, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn address_of(listener: &TcpListener) -> Result<libc::sockaddr_in> {
    let SocketAddr::V4(address) = listener.local_addr()? else {
        unreachable!("it was bound to one")
    };
    Ok(libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: address.port().to_be(),
        sin_addr: libc::in_addr {
            s_addr: address.ip().to_bits().to_be(),
        },
        sin_zero: [0; 8],
    })
}

/// A network of this program's own with the loopback interface up: there anybody may set the sysctl.
fn own_network() -> Result<()> {
    // SAFETY: no pointers, and the program has one thread.
    let unshared = unsafe { libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNET) };
    check("unshare", unshared as isize)?;
    fs::write("/proc/sys/net/ipv4/tcp_fastopen", "3")?;
    let socket = socket()?;
    // SAFETY: all zeros is a valid ifreq.
    let mut interface: libc::ifreq = unsafe { std::mem::zeroed() };
    interface.ifr_name[..2].copy_from_slice(&[b'l' as _, b'o' as _]);
    interface.ifr_ifru.ifru_flags = libc::IFF_UP as _;
    // SAFETY: the call reads an ifreq.
    let up = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const interface) };
    check("ioctl(SIOCSIFFLAGS)", up as isize).map(drop)
}

fn check(call: &str, result: isize) -> Result<usize> {
    usize::try_from(result).map_err(|_| {
        let error = Error::last_os_error();
        println!("  {call}: {error}");
        error
    })
}
