//! Asking the kernel about sockets that anybody made.

use std::io;

use crate::outcome::Outcome;
use crate::sys::{self, AsFd};
use crate::tcp_info::TcpInfo;

impl TcpInfo {
    /// Asks the kernel for a socket's.
    ///
    /// # Errors
    /// The socket is no TCP socket; [`io::ErrorKind::Unsupported`] on systems other than Linux.
    pub fn of(socket: &impl AsFd) -> io::Result<Self> {
        sys::tcp_info(socket.as_fd())
    }
}

impl Outcome {
    /// Asks the kernel for the outcome of a connection that anybody made: see [`from_info`](Self::from_info).
    ///
    /// # Errors
    /// The socket is no TCP socket. Where the system does not tell, the answer is [`Unknown`](Self::Unknown).
    ///
    /// # Examples
    /// ```
    /// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let stream = std::net::TcpStream::connect(listener.local_addr()?)?;
    /// assert_eq!(fastopen::Outcome::of(&stream)?, fastopen::Outcome::Unknown);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn of(stream: &impl AsFd) -> io::Result<Self> {
        match TcpInfo::of(stream) {
            Ok(info) => Ok(Self::from_info(&info)),
            Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(Self::Unknown),
            Err(error) => Err(error),
        }
    }
}
