//! The kernel's side of a lab: namespaces, links, addresses and routes, made over rtnetlink.
//!
//! Every call works on the network namespace of the calling thread.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::thread;
use std::time::{Duration, Instant};

use crate::addressing::{Addresses, IPV4_PREFIX, IPV6_PREFIX, host_mac, port_mac};
use crate::error::Error;
use crate::netlink::{self, Family, VethEnd};
use crate::scenario::HostSpec;
use crate::sys::namespace::Namespace;
use crate::sys::offload;
use crate::sys::packet_socket::PacketSocket;

/// What a host's interface is called.
pub(crate) const HOST_INTERFACE: &str = "eth0";
/// The middlebox's ends take any packet; the hosts' ends have the MTU of their host.
const PORT_MTU: u32 = 65_535;
const LOOPBACK: u32 = 1;

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
    in_namespace(middlebox, || {
        let name = port_name(index);
        wait_until("the link works", || netlink::is_operational(&name))
    })?;
    Ok((namespace, port))
}

/// The kernel does some of this asynchronously, and later when it is busy: links are up at once but drop what is
/// sent until its link watcher has run (net/core/link_watch.c), and packets for a new IPv6 address are refused until its address
/// worker has run (net/ipv6/addrconf.c).
fn wait_until(what: &str, done: impl Fn() -> Result<bool, Error>) -> Result<(), Error> {
    let deadline = Instant::now() + SETTLING_DEADLINE;
    while !done()? {
        if Instant::now() > deadline {
            return Err(Error::system(format!("wait until {what}"))(
                io::ErrorKind::TimedOut.into(),
            ));
        }
        thread::sleep(SETTLING_POLL);
    }
    Ok(())
}

const SETTLING_DEADLINE: Duration = Duration::from_secs(10);
const SETTLING_POLL: Duration = Duration::from_micros(500);

fn port_name(index: usize) -> String {
    format!("port{index}")
}

/// Turns the loopback interface on.
pub(crate) fn bring_loopback_up() -> Result<(), Error> {
    netlink::bring_up(LOOPBACK, false)
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
    let own = VethEnd {
        name: &name,
        mac: port_mac(index),
        mtu: PORT_MTU,
    };
    let peer = VethEnd {
        name: HOST_INTERFACE,
        mac: host_mac(index),
        mtu: spec.mtu,
    };
    netlink::make_veth(own, peer, host).map_err(Error::system(format!("make the link to {}", spec.name)))?;
    let interface = netlink::interface_index(&name)?;
    offload::turn_off(&name).map_err(Error::system(format!("turn offloads of {name} off")))?;
    netlink::bring_up(interface, true)?;
    PacketSocket::open(interface).map_err(Error::system(format!("open a packet socket on {name}")))
}

/// Gives a host its addresses. No interface resolves addresses, so any destination is a neighbour.
fn configure_host(index: usize, spec: &HostSpec, shared: &[Addresses]) -> Result<(), Error> {
    let interface = netlink::interface_index(HOST_INTERFACE)?;
    offload::turn_off(HOST_INTERFACE)
        .map_err(Error::system(format!("turn offloads of {} off", spec.name)))?;
    netlink::bring_up(interface, true)?;
    if spec.raw {
        return Ok(());
    }
    let own = Addresses::nth(index);
    add_address(interface, own.ipv4.into(), IPV4_PREFIX)?;
    netlink::add_default_route(interface, Family::Inet)?;
    if carries_ipv6(spec) {
        add_address(interface, own.ipv6.into(), IPV6_PREFIX)?;
        netlink::add_default_route(interface, Family::Inet6)?;
    }
    for farm in shared {
        add_address(LOOPBACK, farm.ipv4.into(), 32)?;
        if carries_ipv6(spec) {
            add_address(LOOPBACK, farm.ipv6.into(), 128)?;
        }
    }
    Ok(())
}

fn add_address(interface: u32, address: IpAddr, prefix: u8) -> Result<(), Error> {
    netlink::add_address(interface, address, prefix)?;
    wait_until("the address works", || netlink::is_local(address))
}

/// IPv6 wants an MTU of 1280 bytes at least (RFC 8200, section 5).
fn carries_ipv6(spec: &HostSpec) -> bool {
    has_ipv6() && spec.mtu >= 1280
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
