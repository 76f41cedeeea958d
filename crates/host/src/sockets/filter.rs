//! Which sockets are wanted, as a request to the kernel.

use std::net::{IpAddr, SocketAddr};

use super::message::Family;
use super::{Socket, State};

/// `IPPROTO_TCP`.
const TCP: u8 = 6;
/// The bit for `INET_DIAG_INFO` among the extensions.
const WITH_TCP_INFO: u8 = 1 << (super::message::INFO - 1);
/// Any socket (`INET_DIAG_NOCOOKIE`).
const ANY_COOKIE: [u8; 8] = [0xff; 8];

/// A set of states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct States(u32);

impl States {
    /// Every state, those included that this crate has no name for.
    pub const ALL: Self = Self(u32::MAX);
}

impl<I: IntoIterator<Item = State>> From<I> for States {
    fn from(states: I) -> Self {
        Self(states.into_iter().fold(0, |states, state| states | state.mask()))
    }
}

/// Which sockets are wanted. The kernel itself leaves out the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    states: States,
    local_port: Option<u16>,
    remote_port: Option<u16>,
}

impl Filter {
    /// Every TCP socket.
    pub fn new() -> Self {
        Self {
            states: States::ALL,
            local_port: None,
            remote_port: None,
        }
    }

    /// Only sockets in these states.
    #[must_use]
    pub fn with_states(self, states: impl Into<States>) -> Self {
        Self {
            states: states.into(),
            ..self
        }
    }

    /// Only sockets with this port on this side.
    #[must_use]
    pub fn with_local_port(self, port: u16) -> Self {
        Self {
            local_port: Some(port),
            ..self
        }
    }

    /// Only sockets with this port on the other side.
    #[must_use]
    pub fn with_remote_port(self, port: u16) -> Self {
        Self {
            remote_port: Some(port),
            ..self
        }
    }

    /// Whether a socket is wanted. Port 0 in a request means any port to the kernel, and half-open connections come under a state
    /// of their own, so that a look at what came is needed too.
    pub(super) fn lets_through(&self, socket: &Socket) -> bool {
        let is = |wanted: Option<u16>, port| wanted.is_none_or(|wanted| wanted == port);
        is(self.local_port, socket.local.port())
            && is(self.remote_port, socket.remote.port())
            && (self.states == States::ALL || self.states.0 & socket.state.mask() != 0)
    }

    /// `struct inet_diag_req_v2`.
    pub(super) fn request(&self, family: Family) -> Vec<u8> {
        /// Any addresses and any interface.
        const ANYWHERE: [u8; 36] = [0; 36];

        let mut request = vec![family as u8, TCP, WITH_TCP_INFO, 0];
        request.extend(self.states.0.to_ne_bytes());
        request.extend(self.local_port.unwrap_or(0).to_be_bytes());
        request.extend(self.remote_port.unwrap_or(0).to_be_bytes());
        request.extend(ANYWHERE);
        request.extend(ANY_COOKIE);
        request
    }
}

/// `struct inet_diag_req_v2` for one connection, on this interface or, where that is 0, on the one of the address.
pub(super) fn exact(local: SocketAddr, remote: SocketAddr, interface: u32) -> Vec<u8> {
    let octets = |ip: IpAddr| match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let mut octets = [0; 16];
            octets[..4].copy_from_slice(&ip.octets());
            octets
        }
        IpAddr::V6(ip) => ip.octets(),
    };
    let (family, scope) = match (remote.ip().to_canonical(), remote) {
        (IpAddr::V6(_), SocketAddr::V6(remote)) => (Family::Ipv6, remote.scope_id()),
        _ => (Family::Ipv4, 0),
    };
    let interface = if interface == 0 { scope } else { interface };
    let mut request = vec![family as u8, TCP, WITH_TCP_INFO, 0];
    request.extend(u32::MAX.to_ne_bytes());
    request.extend(local.port().to_be_bytes());
    request.extend(remote.port().to_be_bytes());
    request.extend(octets(local.ip()));
    request.extend(octets(remote.ip()));
    request.extend(interface.to_ne_bytes());
    request.extend(ANY_COOKIE);
    request
}

impl Default for Filter {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_laid_out_as_the_kernel_wants_it() {
        let filter = Filter::new().with_states([State::Listen]).with_local_port(0x1f90);
        let request = filter.request(Family::Ipv6);
        assert_eq!(request.len(), 56);
        assert_eq!(request[..4], [10, 6, 0b10, 0]);
        assert_eq!(request[4..8], (1_u32 << 10).to_ne_bytes());
        assert_eq!(request[8..12], [0x1f, 0x90, 0, 0]);
        assert_eq!(request[48..], [0xff; 8]);
    }
}
