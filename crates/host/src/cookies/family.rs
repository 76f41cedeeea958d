//! The generic netlink family `tcp_metrics`.

use std::net::IpAddr;

use netlink_packet_core::Emitable;
use netlink_packet_generic::GenlHeader;
use netlink_packet_generic::constants::{
    CTRL_ATTR_FAMILY_ID, CTRL_ATTR_FAMILY_NAME, CTRL_CMD_GETFAMILY, GENL_HDRLEN, GENL_ID_CTRL,
};

use super::{Entry, parse};
use crate::error::Error;
use crate::netlink::{Connection, NETLINK_GENERIC, NLM_F_ACK, attributes, encode};

/// The family's commands.
pub(super) mod command {
    pub(in super::super) const GET: u8 = 1;
    pub(in super::super) const DELETE: u8 = 2;
}

const NAME: &str = "tcp_metrics";
const VERSION: u8 = 1;

/// A connection to the family.
#[derive(Debug)]
pub(super) struct Metrics {
    connection: Connection,
    family: u16,
    request: &'static str,
}

impl Metrics {
    /// Opens a connection and asks for the family's number, which differs from boot to boot.
    pub(super) fn open(request: &'static str) -> Result<Self, Error> {
        let missing = || Error::Missing {
            request,
            part: "generic netlink family tcp_metrics",
        };
        let mut connection = Connection::open(NETLINK_GENERIC, request)?;
        let mut body = header(CTRL_CMD_GETFAMILY, 2);
        let name = [NAME.as_bytes(), &[0]].concat();
        encode(&mut body, [(CTRL_ATTR_FAMILY_NAME, &name)]);
        connection.send(request, GENL_ID_CTRL, NLM_F_ACK, &body)?;

        let mut family = None;
        loop {
            match connection.next_reply() {
                Ok(Some(reply)) => {
                    family = Some(family_id(reply).map_err(|problem| Error::malformed(request, problem))?);
                }
                Ok(None) => break,
                Err(Error::Request { error, .. }) if error.kind() == std::io::ErrorKind::NotFound => {
                    return Err(missing());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Self {
            connection,
            family: family.ok_or_else(missing)?,
            request,
        })
    }

    /// Sends a command for one destination, or for all.
    pub(super) fn send(&mut self, command: u8, flags: u16, destination: Option<IpAddr>) -> Result<(), Error> {
        let mut body = header(command, VERSION);
        // An IPv4 destination is remembered as such, whatever socket connected to it.
        match destination.map(|destination| destination.to_canonical()) {
            Some(IpAddr::V4(address)) => encode(&mut body, [(parse::ADDR_IPV4, &address.octets())]),
            Some(IpAddr::V6(address)) => encode(&mut body, [(parse::ADDR_IPV6, &address.octets())]),
            None => {}
        }
        self.connection.send(self.request, self.family, flags, &body)
    }

    /// The next entry of the answer.
    pub(super) fn next_entry(&mut self) -> Result<Option<Entry>, Error> {
        let request = self.request;
        let Some(reply) = self.connection.next_reply()? else {
            return Ok(None);
        };
        body(reply)
            .and_then(parse::entry)
            .map(Some)
            .map_err(|problem| Error::malformed(request, problem))
    }
}

fn header(command: u8, version: u8) -> Vec<u8> {
    let mut header = vec![0; GENL_HDRLEN];
    GenlHeader {
        cmd: command,
        version,
    }
    .emit(&mut header);
    header
}

/// What stands behind the generic header.
fn body(reply: &[u8]) -> Result<&[u8], String> {
    reply
        .get(GENL_HDRLEN..)
        .ok_or_else(|| "a message is shorter than its header".to_owned())
}

fn family_id(reply: &[u8]) -> Result<u16, String> {
    for attribute in attributes(body(reply)?) {
        let attribute = attribute?;
        if attribute.kind == CTRL_ATTR_FAMILY_ID {
            return attribute.array().map(u16::from_ne_bytes);
        }
    }
    Err("the family has no number".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_familys_number_is_found_among_others() {
        let mut reply = header(1, 2);
        encode(
            &mut reply,
            [
                (CTRL_ATTR_FAMILY_NAME, b"tcp_metrics\0"),
                (CTRL_ATTR_FAMILY_ID, &27_u16.to_ne_bytes()),
            ],
        );
        assert_eq!(family_id(&reply), Ok(27));
        const PADDING: usize = 2;
        for cut in 0..reply.len() - PADDING {
            assert!(family_id(&reply[..cut]).is_err(), "cut at {cut}");
        }
    }
}
