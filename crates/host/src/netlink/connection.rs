//! A netlink socket of Linux, in the network namespace of the thread that opens it.

use std::io::{self, ErrorKind};

use netlink_packet_core::{Emitable, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkHeader};
use netlink_sys::{Socket, SocketAddr};

use super::message::{self, Content};
use crate::error::Error;
use crate::proc::in_user_namespace;

pub(crate) use netlink_sys::protocols::{NETLINK_GENERIC, NETLINK_SOCK_DIAG};

/// The kernel never puts more into one datagram of a list (`net/netlink/af_netlink.c:netlink_dump`).
const DATAGRAM: usize = 32 * 1024;
const HEADER_LEN: usize = 16;

/// A socket, the request that was sent last, and what has come in answer.
#[derive(Debug)]
pub(crate) struct Connection {
    socket: Socket,
    request: &'static str,
    sequence: u32,
    datagram: Vec<u8>,
    /// How much of the datagram has been taken.
    taken: usize,
    finished: bool,
    interrupted: bool,
}

impl Connection {
    /// Opens a connection to a part of the kernel; `request` says what it is for, should it fail.
    pub(crate) fn open(protocol: isize, request: &'static str) -> Result<Self, Error> {
        let socket = Socket::new(protocol).map_err(|error| failed(request, error))?;
        Ok(Self {
            socket,
            request,
            sequence: 0,
            datagram: Vec::new(),
            taken: 0,
            finished: true,
            interrupted: false,
        })
    }

    /// Sends a request, whose answers [`next_reply`](Self::next_reply) gives.
    pub(crate) fn send(
        &mut self,
        request: &'static str,
        kind: u16,
        flags: u16,
        body: &[u8],
    ) -> Result<(), Error> {
        self.request = request;
        self.sequence += 1;
        (self.finished, self.interrupted) = (false, false);
        let mut header = NetlinkHeader::default();
        header.length = (HEADER_LEN + body.len()) as u32;
        header.message_type = kind;
        header.flags = NLM_F_REQUEST | flags;
        header.sequence_number = self.sequence;
        let mut bytes = vec![0; HEADER_LEN];
        header.emit(&mut bytes);
        bytes.extend_from_slice(body);
        retry(|| self.socket.send_to(&bytes, &SocketAddr::new(0, 0), 0))
            .map_err(|error| failed(request, error))?;
        Ok(())
    }

    /// The next part of the answer; `None` after the last one.
    ///
    /// # Errors
    /// [`Error::Interrupted`] at the end of a list that changed while it was read; the other errors end the answer too.
    pub(crate) fn next_reply(&mut self) -> Result<Option<&[u8]>, Error> {
        while !self.finished {
            if self.taken == self.datagram.len() {
                self.receive().inspect_err(|_| self.finished = true)?;
            }
            let start = self.taken;
            let message = message::first(&self.datagram[start..]).map_err(|problem| {
                self.finished = true;
                Error::malformed(self.request, problem)
            })?;
            self.taken += message.len;
            if message.sequence != self.sequence {
                continue;
            }
            self.interrupted |= message.flags & NLM_F_DUMP_INTR != 0;
            match message.content {
                Content::Reply(payload) => {
                    let start = start + HEADER_LEN;
                    let end = start + payload.len();
                    return Ok(Some(&self.datagram[start..end]));
                }
                Content::Nothing => {}
                Content::Overrun => {
                    self.finished = true;
                    return Err(Error::malformed(self.request, "the kernel lost a part of it"));
                }
                Content::End(code) => {
                    self.finished = true;
                    return self.end(code);
                }
            }
        }
        Ok(None)
    }

    fn end(&self, code: i32) -> Result<Option<&[u8]>, Error> {
        match code {
            0 if self.interrupted => Err(Error::Interrupted {
                request: self.request,
            }),
            0 => Ok(None),
            _ => Err(failed(
                self.request,
                io::Error::from_raw_os_error(code.saturating_abs()),
            )),
        }
    }

    /// The kernel puts each part of an answer into the socket before it returns from the call that asked for it, so that there is
    /// never anything to wait for.
    fn receive(&mut self) -> Result<(), Error> {
        loop {
            self.datagram.resize(DATAGRAM, 0);
            self.taken = 0;
            let flags = libc::MSG_DONTWAIT | libc::MSG_TRUNC;
            let received = retry(|| self.socket.recv_from(&mut &mut self.datagram[..], flags));
            let (len, sender) = match received {
                Ok(received) => received,
                Err(error) => {
                    self.datagram.clear();
                    return Err(match error.kind() {
                        ErrorKind::WouldBlock => Error::malformed(self.request, "it has no end"),
                        _ => failed(self.request, error),
                    });
                }
            };
            self.datagram.truncate(len);
            if len > DATAGRAM {
                return Err(Error::malformed(self.request, "a part of it is too long"));
            }
            // Other processes may write to this socket too.
            if sender.port_number() == 0 && len > 0 {
                return Ok(());
            }
        }
    }
}

fn failed(request: &'static str, error: io::Error) -> Error {
    if error.kind() != ErrorKind::PermissionDenied {
        return Error::Request { request, error };
    }
    Error::NotPermitted {
        request,
        in_user_namespace: in_user_namespace(),
    }
}

fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
