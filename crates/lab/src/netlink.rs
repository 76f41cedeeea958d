//! Links, addresses and routes of the calling thread's network namespace, over rtnetlink (rtnetlink(7)).

use std::io;
use std::net::IpAddr;
use std::os::fd::AsRawFd;

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage};
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage, State,
};
use netlink_packet_route::route::{RouteAttribute, RouteMessage, RouteProtocol, RouteScope, RouteType};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

pub(crate) use netlink_packet_route::AddressFamily as Family;

use crate::error::Error;
use crate::sys::namespace::Namespace;
use crate::sys::packet_socket::Mac;

/// One end of a virtual cable.
pub(crate) struct VethEnd<'a> {
    pub(crate) name: &'a str,
    pub(crate) mac: Mac,
    pub(crate) mtu: u32,
}

impl VethEnd<'_> {
    fn to_link(&self) -> LinkMessage {
        let mut link = LinkMessage::default();
        link.attributes = vec![
            LinkAttribute::IfName(self.name.to_owned()),
            LinkAttribute::Address(self.mac.to_vec()),
            LinkAttribute::Mtu(self.mtu),
        ];
        link
    }
}

/// Makes a virtual cable with one end here and its peer in another namespace.
pub(crate) fn make_veth(own: VethEnd<'_>, peer: VethEnd<'_>, namespace: &Namespace) -> io::Result<()> {
    let mut peer = peer.to_link();
    peer.attributes
        .push(LinkAttribute::NetNsFd(namespace.as_raw_fd()));
    let mut link = own.to_link();
    link.attributes.push(LinkAttribute::LinkInfo(vec![
        LinkInfo::Kind(InfoKind::Veth),
        LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
    ]));
    create(RouteNetlinkMessage::NewLink(link))
}

/// Whether a link carries packets.
pub(crate) fn is_operational(name: &str) -> Result<bool, Error> {
    let link = find_link(name).map_err(Error::system(format!("look at the interface {name}")))?;
    Ok(link.attributes.contains(&LinkAttribute::OperState(State::Up)))
}

/// The number of an interface.
pub(crate) fn interface_index(name: &str) -> Result<u32, Error> {
    find_link(name)
        .map(|link| link.header.index)
        .map_err(Error::system(format!("find the interface {name}")))
}

/// Turns an interface on; with `neighbours` every address is a neighbour, without address resolution.
pub(crate) fn bring_up(interface: u32, neighbours: bool) -> Result<(), Error> {
    let mut link = LinkMessage::default();
    link.header.index = interface;
    link.header.flags = LinkFlags::Up;
    link.header.flags.set(LinkFlags::Noarp, neighbours);
    link.header.change_mask = link.header.flags;
    request(RouteNetlinkMessage::SetLink(link), 0)
        .map_err(Error::system(format!("turn interface {interface} on")))
        .map(drop)
}

/// Adds an address, which is good to use at once.
pub(crate) fn add_address(interface: u32, address: IpAddr, prefix: u8) -> Result<(), Error> {
    let mut message = AddressMessage::default();
    message.header.family = family(address);
    message.header.prefix_len = prefix;
    message.header.index = interface;
    message.header.flags = AddressHeaderFlags::Permanent;
    message.attributes = vec![
        AddressAttribute::Address(address),
        AddressAttribute::Local(address),
    ];
    if address.is_ipv6() {
        message
            .attributes
            .push(AddressAttribute::Flags(AddressFlags::Nodad));
    }
    create(RouteNetlinkMessage::NewAddress(message))
        .map_err(Error::system(format!("add the address {address}")))
}

/// Sends what has no other route to an interface.
pub(crate) fn add_default_route(interface: u32, family: Family) -> Result<(), Error> {
    let mut message = RouteMessage::default();
    message.header.address_family = family;
    message.header.table = libc::RT_TABLE_MAIN;
    message.header.protocol = RouteProtocol::Static;
    message.header.scope = RouteScope::Universe;
    message.header.kind = RouteType::Unicast;
    message.attributes = vec![RouteAttribute::Oif(interface)];
    create(RouteNetlinkMessage::NewRoute(message)).map_err(Error::system("add the default route"))
}

/// Whether packets for an address are taken here.
pub(crate) fn is_local(address: IpAddr) -> Result<bool, Error> {
    let mut message = RouteMessage::default();
    message.header.address_family = family(address);
    message.header.destination_prefix_length = if address.is_ipv4() { 32 } else { 128 };
    message.attributes = vec![RouteAttribute::Destination(address.into())];
    let route = request(RouteNetlinkMessage::GetRoute(message), 0)
        .map_err(Error::system(format!("look for the route to {address}")))?;
    Ok(matches!(route, Some(RouteNetlinkMessage::NewRoute(route)) if route.header.kind == RouteType::Local))
}

fn family(address: IpAddr) -> Family {
    match address {
        IpAddr::V4(_) => Family::Inet,
        IpAddr::V6(_) => Family::Inet6,
    }
}

fn create(message: RouteNetlinkMessage) -> io::Result<()> {
    request(message, NLM_F_CREATE | NLM_F_EXCL).map(drop)
}

/// Sends one request, and waits for the answer: a message, or an acknowledgment without one.
fn request(message: RouteNetlinkMessage, flags: u16) -> io::Result<Option<RouteNetlinkMessage>> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | NLM_F_ACK | flags;
    header.sequence_number = 1;
    let mut packet = NetlinkMessage::new(header, NetlinkPayload::from(message));
    packet.finalize();
    let mut bytes = vec![0; packet.buffer_len()];
    packet.serialize(&mut bytes);
    socket.send(&bytes, 0)?;
    let (answer, _) = socket.recv_from_full()?;
    let answer = NetlinkMessage::<RouteNetlinkMessage>::deserialize(&answer).map_err(io::Error::other)?;
    match answer.payload {
        NetlinkPayload::Error(error) if error.code.is_some() => Err(error.to_io()),
        NetlinkPayload::InnerMessage(message) => Ok(Some(message)),
        _ => Ok(None),
    }
}

fn find_link(name: &str) -> io::Result<LinkMessage> {
    let mut link = LinkMessage::default();
    link.attributes = vec![LinkAttribute::IfName(name.to_owned())];
    match request(RouteNetlinkMessage::GetLink(link), 0)? {
        Some(RouteNetlinkMessage::NewLink(found)) => Ok(found),
        _ => Err(io::ErrorKind::NotFound.into()),
    }
}
