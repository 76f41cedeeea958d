//! Calls on a deferred socket, which for its program is connected.

use std::net::SocketAddr;
use std::time::Instant;

use super::nested;
use super::shared::{Directions, Noted};
use super::sockaddr;
use super::supervisor::Supervisor;
use crate::sys::process;
use crate::sys::seccomp::{Answer, Notification};

impl Supervisor {
    /// For its program a deferred socket is connected, and has a peer.
    pub(super) fn getpeername(&mut self, call: &Notification) {
        let answer = self.peer_of_deferred(call).map_or(Answer::Continue, |peer| {
            let written = self.write_peer(call, &sockaddr::encode(peer));
            written.map_or_else(Answer::Error, |()| Answer::Success)
        });
        self.listener.answer(call.id, answer);
    }

    fn peer_of_deferred(&mut self, call: &Notification) -> Option<SocketAddr> {
        if self.table.is_empty() {
            return None;
        }
        let number = self.tracked(call)?;
        let tracked = self.table.get_mut(number)?;
        tracked.look(Instant::now()).is_deferred.then_some(tracked.given)
    }

    /// As getpeername(2): as much as there is room for, and the length that it has.
    fn write_peer(&self, call: &Notification, peer: &[u8]) -> Result<(), i32> {
        let [_, address, length, ..] = call.arguments;
        let mut room = [0; 4];
        let fault = |_| libc::EFAULT;
        if process::read_memory(call.tid, length, &mut room).map_err(fault)? != room.len() {
            return Err(libc::EFAULT);
        }
        let room = usize::try_from(i32::from_ne_bytes(room)).map_err(|_| libc::EINVAL)?;
        // The thread must be the one that asked: another may have its number by now.
        if !self.listener.is_waiting(call.id) {
            return Ok(());
        }
        let part = &peer[..room.min(peer.len())];
        if !part.is_empty() {
            process::write_memory(call.tid, address, part).map_err(fault)?;
        }
        let len = u32::try_from(peer.len()).unwrap_or(0).to_ne_bytes();
        process::write_memory(call.tid, length, &len).map_err(fault)
    }

    /// shutdown() would end a connection whose handshake has not finished. So it is done when that has, and its program goes on as if it were
    /// done: one that serves others on the same thread must not wait for a round trip.
    pub(super) fn shutdown(&mut self, call: &Notification) {
        if let Some(answer) = nested::answer(call) {
            self.listener.answer(call.id, answer);
            return;
        }
        let done = !self.table.is_empty() && self.shut_down_deferred(call).is_some();
        let answer = if done { Answer::Success } else { Answer::Continue };
        self.listener.answer(call.id, answer);
    }

    fn shut_down_deferred(&mut self, call: &Notification) -> Option<()> {
        let directions = Directions::parse(call.arguments[1])?;
        let number = self.tracked(call)?;
        let tracked = self.table.get_mut(number)?;
        let look = tracked.look(Instant::now());
        if !look.is_deferred {
            return None;
        }
        if look.is_unsent {
            tracked.release();
        }
        tracked.shutdown = tracked.shutdown.and(directions);
        if let Some(slot) = tracked.slot.take() {
            self.shared.free(&slot);
        }
        tracked.slot = self.shared.note(Noted {
            tid: call.tid,
            inode: tracked.inode,
            shutdown: tracked.shutdown,
        });
        Some(())
    }
}
