//! A lab with a server that uses Fast Open, and fast connections to it.

use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::time::Duration;

use fastopen_lab::{Host, Lab, Scenario};
use socket2::{Domain, SockAddr, Socket, Type};

/// The length of the Fast Open queue of every listener that [`listen`] makes.
pub(crate) const QUEUE: u32 = 7;

/// A client and a server one millisecond apart.
pub(crate) fn lab() -> Lab {
    Lab::new(&scenario()).unwrap()
}

pub(crate) fn scenario() -> Scenario {
    Scenario::new("near").with_rtt(Duration::from_millis(1))
}

/// A listener in the host that uses Fast Open.
pub(crate) fn listen(host: &Host, address: IpAddr) -> TcpListener {
    let listener = host.run(|| TcpListener::bind((address, 0))).unwrap();
    set_fast_open(&listener, QUEUE).unwrap();
    listener
}

pub(crate) fn set_fast_open(listener: &TcpListener, queue: u32) -> io::Result<()> {
    let queue = libc::c_int::try_from(queue).unwrap();
    // SAFETY: the pointer and the length are those of a c_int that lives through the call.
    let result = unsafe {
        libc::setsockopt(
            listener.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_FASTOPEN,
            (&raw const queue).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Connects with `hello` as the first bytes: in the SYN if there is a cookie.
pub(crate) fn connect_fast(host: &Host, to: SocketAddr) -> TcpStream {
    host.run(|| {
        let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
        let sent = socket.send_to_with_flags(b"hello", &SockAddr::from(to), libc::MSG_FASTOPEN)?;
        assert_eq!(sent, 5);
        io::Result::Ok(TcpStream::from(socket))
    })
    .unwrap()
}

/// One connection that gets a cookie, and then as many fast ones; both ends of all of them.
pub(crate) fn connect_fast_often(host: &Host, to: &TcpListener, times: usize) -> Vec<[TcpStream; 2]> {
    let address = to.local_addr().unwrap();
    (0..=times)
        .map(|_| {
            let client = connect_fast(host, address);
            let (mut server, _) = to.accept().unwrap();
            server.write_all(b"hi").unwrap();
            [client, server]
        })
        .collect()
}

/// What a program says inside the host.
pub(crate) fn output(host: &Host, program: &str, arguments: &[&str]) -> String {
    let output = host.command(program).unwrap().args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}
