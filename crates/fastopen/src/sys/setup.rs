//! What an application does to a socket before it is used.

use std::fmt;
use std::io;
use std::sync::Arc;

use socket2::SockRef;

use super::{AsFd, codes};
use crate::error::CallError;

/// The caller's function for each new socket.
#[derive(Clone)]
pub(crate) struct SocketSetup(Arc<dyn Fn(SockRef<'_>) -> io::Result<()> + Send + Sync>);

impl SocketSetup {
    pub(crate) fn new(setup: impl Fn(SockRef<'_>) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self(Arc::new(setup))
    }

    /// An error without an error number of the system becomes `ECANCELED`.
    pub(crate) fn run(&self, socket: &impl AsFd) -> Result<(), CallError> {
        (self.0)(SockRef::from(socket)).map_err(|error| {
            CallError::from_code("socket setup", error.raw_os_error().unwrap_or(codes::CANCELED))
        })
    }
}

impl fmt::Debug for SocketSetup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SocketSetup(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_keeps_its_number() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let run = |error: fn() -> io::Error| SocketSetup::new(move |_| Err(error())).run(&socket);
        assert_eq!(
            run(|| io::Error::from_raw_os_error(1)),
            Err(CallError::from_code("socket setup", 1))
        );
        assert_eq!(
            run(|| io::Error::other("not this one")),
            Err(CallError::from_code("socket setup", codes::CANCELED))
        );
    }
}
