//! What the processes tell each other, over pairs of sockets that are theirs alone.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};

use crate::sys::children::End;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Message {
    /// The sender's process number, or the program's.
    Hello(u32),
    /// Which call, and the error.
    Refused(u8, i32),
    Ready,
    /// The program was stopped by this signal.
    Stopped(i32),
    Ended(End),
    /// The program goes on, and this process sends SIGCONT because of it.
    Continued(u32),
    /// The front can be stopped as the program was.
    MayStop,
    /// A witness has received this signal from this process.
    Witnessed(i32, u32),
}

impl Message {
    fn encode(self) -> [u8; 6] {
        let (kind, call, value) = match self {
            Self::Hello(pid) => (0, 0, pid),
            Self::Refused(call, error) => (1, call, error.cast_unsigned()),
            Self::Ready => (2, 0, 0),
            Self::MayStop => (3, 0, 0),
            Self::Stopped(signal) => (4, 0, signal.cast_unsigned()),
            Self::Continued(by) => (5, 0, by),
            Self::Ended(End::Exited(status)) => (6, 0, status.cast_unsigned()),
            Self::Ended(End::Killed(signal)) => (7, 0, signal.cast_unsigned()),
            Self::Witnessed(signal, sender) => (8, u8::try_from(signal).unwrap_or(0), sender),
        };
        let [a, b, c, d] = value.to_ne_bytes();
        [kind, call, a, b, c, d]
    }

    fn decode(bytes: [u8; 6]) -> Option<Self> {
        let [kind, call, a, b, c, d] = bytes;
        let value = u32::from_ne_bytes([a, b, c, d]);
        let signed = value.cast_signed();
        Some(match kind {
            0 => Self::Hello(value),
            1 => Self::Refused(call, signed),
            2 => Self::Ready,
            3 => Self::MayStop,
            4 => Self::Stopped(signed),
            5 => Self::Continued(value),
            6 => Self::Ended(End::Exited(signed)),
            7 => Self::Ended(End::Killed(signed)),
            8 => Self::Witnessed(call.into(), value),
            _ => return None,
        })
    }
}

pub(super) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let pair = rustix::net::socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    );
    Ok(pair?)
}

pub(super) fn send(channel: &OwnedFd, message: Message, descriptor: Option<&OwnedFd>) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let rights = descriptor.map(|descriptor| [descriptor.as_fd()]);
    if let Some(rights) = &rights {
        ancillary.push(SendAncillaryMessage::ScmRights(rights));
    }
    let bytes = message.encode();
    rustix::net::sendmsg(
        channel,
        &[IoSlice::new(&bytes)],
        &mut ancillary,
        SendFlags::NOSIGNAL,
    )?;
    Ok(())
}

/// Waits for the next message. The other end's end is an error (UnexpectedEof).
pub(super) fn receive(channel: &OwnedFd) -> io::Result<Message> {
    receive_with(channel, RecvFlags::empty()).map(|(message, _)| message)
}

/// The next message, if there is one; an error otherwise (WouldBlock).
pub(super) fn receive_now(channel: &OwnedFd) -> io::Result<Message> {
    receive_with(channel, RecvFlags::DONTWAIT).map(|(message, _)| message)
}

/// Waits for the next message, and takes the descriptor that comes with it.
pub(super) fn receive_descriptor(channel: &OwnedFd) -> io::Result<(Message, Option<OwnedFd>)> {
    receive_with(channel, RecvFlags::empty())
}

fn receive_with(channel: &OwnedFd, flags: RecvFlags) -> io::Result<(Message, Option<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut bytes = [0; 6];
    let received = rustix::io::retry_on_intr(|| {
        rustix::net::recvmsg(
            channel,
            &mut [IoSliceMut::new(&mut bytes)],
            &mut ancillary,
            flags | RecvFlags::CMSG_CLOEXEC,
        )
    })?;
    let descriptor = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    match (received.bytes, Message::decode(bytes)) {
        (6, Some(message)) => Ok((message, descriptor)),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_arrive_as_they_were_sent() {
        let (one, other) = pair().unwrap();
        for message in [
            Message::Hello(u32::MAX),
            Message::Refused(4, libc::EPERM),
            Message::Ready,
            Message::MayStop,
            Message::Stopped(libc::SIGTSTP),
            Message::Continued(4711),
            Message::Ended(End::Exited(255)),
            Message::Ended(End::Killed(64)),
            Message::Witnessed(64, u32::MAX),
        ] {
            send(&one, message, None).unwrap();
            assert_eq!(receive(&other).unwrap(), message);
        }
        assert_eq!(receive_now(&other).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        let (given, _) = pair().unwrap();
        send(&one, Message::Ready, Some(&given)).unwrap();
        assert!(receive_descriptor(&other).unwrap().1.is_some());
        // Not dropped: processes that other tests start may have it open for a moment.
        rustix::net::shutdown(&one, rustix::net::Shutdown::Both).unwrap();
        assert_eq!(
            receive_now(&other).unwrap_err().kind(),
            io::ErrorKind::UnexpectedEof
        );
    }
}
