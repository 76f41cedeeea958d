//! The kernel's side of a lab: namespaces, links, addresses and routes, made over rtnetlink.
//!
//! Every call works on the network namespace of the calling thread.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsRawFd;
use std::thread;
use std::time::{Duration, Instant};

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::address::{AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage};
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage, State,
};
use netlink_packet_route::route::{RouteAttribute, RouteMessage, RouteProtocol, RouteScope, RouteType};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

use crate::sys::namespace::Namespace;
use crate::sys::offload;
use crate::sys::packet_socket::{Mac, PacketSocket};
use crate::{Error, HostSpec};

/// What a host's interface is called.
pub(crate) const HOST_INTERFACE: &str = "eth0";
/// The middlebox's ends take any packet; the hosts' ends have the MTU of their host.
const PORT_MTU: u32 = 65_535;
const LOOPBACK: u32 = 1;
const IPV4_PREFIX: u8 = 24;
const IPV6_PREFIX: u8 = 64;

/// A host's or farm's addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Addresses {
    pub(crate) ipv4: Ipv4Addr,
    pub(crate) ipv6: Ipv6Addr,
}

impl Addresses {
    /// Those of the n-th host or farm, counted from 0.
    pub(crate) fn nth(index: usize) -> Self {
        let number = index as u16 + 1;
        Self {
            ipv4: Ipv4Addr::new(192, 0, 2, number as u8),
            ipv6: Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, number),
        }
    }

    pub(crate) fn like(self, other: IpAddr) -> IpAddr {
        match other {
            IpAddr::V4(_) => self.ipv4.into(),
            IpAddr::V6(_) => self.ipv6.into(),
        }
    }

    pub(crate) fn contains(self, address: IpAddr) -> bool {
        address == self.like(address)
    }
}

/// The hardware address at a host's end of its link.
pub(crate) fn host_mac(index: usize) -> Mac {
    let [high, low] = (index as u16 + 1).to_be_bytes();
    [0x02, 0, 0, 0, high, low]
}

/// The hardware address at the middlebox's end.
pub(crate) fn port_mac(index: usize) -> Mac {
    let [high, low] = (index as u16 + 1).to_be_bytes();
    [0x02, 0, 0, 1, high, low]
}

/// Makes the middlebox's namespace, which has links and no protocol of its own.
pub(crate) fn make_middlebox() -> Result<Namespace, Error> {
    let namespace = Namespace::new().map_err(Error::system("unshare a network namespace"))?;
    in_namespace(&namespace, || {
        disable_ipv6("default")?;
        bring_loopback_up()
    })?;
    Ok(namespace)
}

/// Makes the namespace of the n-th host, its link to the middlebox, and the middlebox's socket on it.
pub(crate) fn make_host(
    middlebox: &Namespace,
    index: usize,
    spec: &HostSpec,
    shared: &[Addresses],
) -> Result<(Namespace, PacketSocket), Error> {
    let namespace = Namespace::new().map_err(Error::system("unshare a network namespace"))?;
    in_namespace(&namespace, || prepare_host(spec))?;
    let port = in_namespace(middlebox, || make_port(index, spec, &namespace))?;
    in_namespace(&namespace, || configure_host(index, spec, shared))?;
    Ok((namespace, port))
}

/// Waits until the links to so many hosts carry packets. A link is up at once, but drops what is sent until the kernel has got round
/// to it (net/core/link_watch.c), which takes up to a second when it is busy.
pub(crate) fn await_links(middlebox: &Namespace, hosts: usize) -> Result<(), Error> {
    in_namespace(middlebox, || {
        (0..hosts).try_for_each(|index| await_link(&port_name(index)))
    })
}

const LINK_DEADLINE: Duration = Duration::from_secs(10);
const LINK_POLL: Duration = Duration::from_millis(1);

fn await_link(name: &str) -> Result<(), Error> {
    let deadline = Instant::now() + LINK_DEADLINE;
    loop {
        let link = find_link(name).map_err(Error::system(format!("look at the interface {name}")))?;
        if link.attributes.contains(&LinkAttribute::OperState(State::Up)) {
            return Ok(());
        }
        if Instant::now() > deadline {
            let timed_out = io::ErrorKind::TimedOut.into();
            return Err(Error::system(format!("wait for the link of {name}"))(timed_out));
        }
        thread::sleep(LINK_POLL);
    }
}

fn port_name(index: usize) -> String {
    format!("port{index}")
}

/// Turns the loopback interface on.
pub(crate) fn bring_loopback_up() -> Result<(), Error> {
    bring_up(LOOPBACK, LinkFlags::empty())
}

fn in_namespace<T: Send>(
    namespace: &Namespace,
    closure: impl FnOnce() -> Result<T, Error> + Send,
) -> Result<T, Error> {
    namespace
        .run(closure)
        .map_err(Error::system("setns to a namespace of the lab"))?
}

/// What must be set before there is an interface, because interfaces take it over as they are made.
fn prepare_host(spec: &HostSpec) -> Result<(), Error> {
    if spec.raw {
        disable_ipv6("default")?;
    }
    for (name, value) in [("accept_dad", "0"), ("accept_ra", "0"), ("addr_gen_mode", "1")] {
        set_ipv6_default("default", name, value)?;
    }
    bring_loopback_up()
}

/// Makes the link from the middlebox's side, and opens its end.
fn make_port(index: usize, spec: &HostSpec, host: &Namespace) -> Result<PacketSocket, Error> {
    let name = port_name(index);
    let mut peer = LinkMessage::default();
    peer.attributes = vec![
        LinkAttribute::IfName(HOST_INTERFACE.to_owned()),
        LinkAttribute::Address(host_mac(index).to_vec()),
        LinkAttribute::Mtu(spec.mtu),
        LinkAttribute::NetNsFd(host.as_raw_fd()),
    ];
    let mut link = LinkMessage::default();
    link.attributes = vec![
        LinkAttribute::IfName(name.clone()),
        LinkAttribute::Address(port_mac(index).to_vec()),
        LinkAttribute::Mtu(PORT_MTU),
        LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Veth),
            LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
        ]),
    ];
    create(RouteNetlinkMessage::NewLink(link))
        .map_err(Error::system(format!("make the link to {}", spec.name)))?;
    let interface = interface_index(&name)?;
    offload::turn_off(&name).map_err(Error::system(format!("turn offloads of {name} off")))?;
    bring_up(interface, LinkFlags::Noarp)?;
    PacketSocket::open(interface).map_err(Error::system(format!("open a packet socket on {name}")))
}

/// Gives a host its addresses. No interface resolves addresses, so any destination is a neighbour.
fn configure_host(index: usize, spec: &HostSpec, shared: &[Addresses]) -> Result<(), Error> {
    let interface = interface_index(HOST_INTERFACE)?;
    offload::turn_off(HOST_INTERFACE)
        .map_err(Error::system(format!("turn offloads of {} off", spec.name)))?;
    bring_up(interface, LinkFlags::Noarp)?;
    if spec.raw {
        return Ok(());
    }
    let own = Addresses::nth(index);
    add_address(interface, own.ipv4.into(), IPV4_PREFIX)?;
    add_default_route(interface, AddressFamily::Inet)?;
    if has_ipv6() {
        add_address(interface, own.ipv6.into(), IPV6_PREFIX)?;
        add_default_route(interface, AddressFamily::Inet6)?;
    }
    for farm in shared {
        add_address(LOOPBACK, farm.ipv4.into(), 32)?;
        if has_ipv6() {
            add_address(LOOPBACK, farm.ipv6.into(), 128)?;
        }
    }
    Ok(())
}

/// Whether this kernel has IPv6 at all.
pub(crate) fn has_ipv6() -> bool {
    fs::exists("/proc/sys/net/ipv6").unwrap_or(false)
}

fn disable_ipv6(interface: &str) -> Result<(), Error> {
    set_ipv6_default(interface, "disable_ipv6", "1")
}

fn set_ipv6_default(interface: &str, name: &str, value: &str) -> Result<(), Error> {
    if !has_ipv6() {
        return Ok(());
    }
    let path = format!("/proc/sys/net/ipv6/conf/{interface}/{name}");
    fs::write(&path, value).map_err(Error::system(format!("write {path}")))
}

/// The number of an interface.
pub(crate) fn interface_index(name: &str) -> Result<u32, Error> {
    find_link(name)
        .map(|link| link.header.index)
        .map_err(Error::system(format!("find the interface {name}")))
}

fn bring_up(interface: u32, more: LinkFlags) -> Result<(), Error> {
    let mut link = LinkMessage::default();
    link.header.index = interface;
    link.header.flags = LinkFlags::Up | more;
    link.header.change_mask = link.header.flags;
    request(RouteNetlinkMessage::SetLink(link), 0)
        .map_err(Error::system(format!("turn interface {interface} on")))
        .map(drop)
}

fn add_address(interface: u32, address: IpAddr, prefix: u8) -> Result<(), Error> {
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

fn add_default_route(interface: u32, family: AddressFamily) -> Result<(), Error> {
    let mut message = RouteMessage::default();
    message.header.address_family = family;
    message.header.table = libc::RT_TABLE_MAIN;
    message.header.protocol = RouteProtocol::Static;
    message.header.scope = RouteScope::Universe;
    message.header.kind = RouteType::Unicast;
    message.attributes = vec![RouteAttribute::Oif(interface)];
    create(RouteNetlinkMessage::NewRoute(message)).map_err(Error::system("add the default route"))
}

fn family(address: IpAddr) -> AddressFamily {
    match address {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
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
