//! A TCP peer played from user space.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use fastopen_wire::{FastOpen, Segment};

use crate::addressing::{Addresses, host_mac, port_mac};
use crate::error::Error;
use crate::host::Host;
use crate::netlink;
use crate::network::HOST_INTERFACE;
use crate::packet::SegmentBuilder;
use crate::sys::packet_socket::{FrameBuffer, PacketSocket};
use crate::sys::wait;

/// A host that no kernel answers for: it sends what it is told and nothing else.
///
/// It sees what reaches the host from the moment it is made. Nothing is acknowledged or sent again on its own.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use fastopen_lab::{HostSpec, Lab, Scenario};
///
/// let lab = Lab::new(&Scenario::new("forged").with_host(HostSpec::raw("attacker")))?;
/// let mut attacker = lab.host("attacker")?.raw_peer()?;
/// let target = (lab.server()?.ipv4(), 80).into();
/// attacker.send(&attacker.syn(target).with_fast_open(&[0; 8]).with_data("GET /"))?;
/// let answer = attacker.receive(Duration::from_secs(1))?.expect("a SYN-ACK, or a RST");
/// println!("{:?}", answer.segment().fast_open());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct RawPeer {
    socket: PacketSocket,
    buffer: FrameBuffer,
    addresses: Addresses,
    index: usize,
    next_port: AtomicU16,
}

/// Where ports for connections that name none start.
const FIRST_PORT: u16 = 40_000;
/// What sequence numbers start from; one is as good as another.
const FIRST_SEQUENCE: u32 = 1_000_000;

impl Host {
    /// Speaks for the host from user space; the scenario declares it with [`HostSpec::raw`](crate::HostSpec::raw).
    ///
    /// # Errors
    /// [`Error::NotRaw`] for a host whose kernel speaks for itself, [`Error::System`] when there can be no more sockets.
    pub fn raw_peer(&self) -> Result<RawPeer, Error> {
        if !self.is_raw() {
            return Err(Error::NotRaw(self.name().to_owned()));
        }
        let addresses = self.network_addresses();
        let socket = self.run(|| {
            let interface = netlink::interface_index(HOST_INTERFACE)?;
            PacketSocket::open(interface)
                .map_err(Error::system(format!("open a packet socket in {}", self.name())))
        })?;
        Ok(RawPeer {
            socket,
            buffer: FrameBuffer::new(),
            addresses,
            index: usize::from(addresses.ipv4.octets()[3]) - 1,
            next_port: AtomicU16::new(FIRST_PORT),
        })
    }
}

impl RawPeer {
    /// Its IPv4 address.
    pub fn ipv4(&self) -> Ipv4Addr {
        self.addresses.ipv4
    }

    /// Its IPv6 address.
    pub fn ipv6(&self) -> Ipv6Addr {
        self.addresses.ipv6
    }

    /// Its address of the same family as another one.
    pub fn address_like(&self, other: IpAddr) -> IpAddr {
        self.addresses.like(other)
    }

    /// A SYN from its own address and a port that it hasn't used, without options. Nothing is sent yet.
    pub fn syn(&self, to: SocketAddr) -> SegmentBuilder {
        let port = self.next_port.fetch_add(1, Ordering::Relaxed).max(FIRST_PORT);
        SegmentBuilder::new(SocketAddr::new(self.address_like(to.ip()), port), to)
            .with_syn()
            .with_sequence(FIRST_SEQUENCE)
    }

    /// Sends a segment.
    ///
    /// # Errors
    /// [`Error::System`] when the interface doesn't take it: it is longer than the MTU, or the lab is gone.
    pub fn send(&self, segment: &SegmentBuilder) -> Result<(), Error> {
        self.send_packet(&segment.to_packet())
    }

    /// Sends an IP packet, whatever is in it: a captured SYN for instance, also one that somebody else sent.
    ///
    /// # Errors
    /// As for [`send`](Self::send).
    pub fn send_packet(&self, packet: &[u8]) -> Result<(), Error> {
        self.socket
            .send(packet, host_mac(self.index), port_mac(self.index))
            .map_err(Error::system("send on a packet socket"))
    }

    /// The next TCP segment for any of its addresses and ports; `None` when there is none in that time.
    ///
    /// # Errors
    /// [`Error::System`] when the lab is gone.
    pub fn receive(&mut self, timeout: Duration) -> Result<Option<Received>, Error> {
        let deadline = Instant::now() + timeout;
        loop {
            let arrival = self.socket.receive(&mut self.buffer);
            let arrival = arrival.map_err(Error::system("receive on a packet socket"))?;
            if let Some(arrival) = arrival {
                match Received::new(arrival.packet) {
                    Some(received) if self.addresses.contains(received.segment().destination.ip()) => {
                        return Ok(Some(received));
                    }
                    _ => continue,
                }
            }
            let Some(left) = deadline.checked_duration_since(Instant::now()) else {
                return Ok(None);
            };
            wait::readable(&[self.socket.as_fd()], Some(left)).map_err(Error::system("ppoll"))?;
        }
    }

    /// The next segment that fits; others are dropped. `None` when there is none in that time.
    ///
    /// # Errors
    /// As for [`receive`](Self::receive).
    pub fn receive_that(
        &mut self,
        timeout: Duration,
        fits: impl Fn(&Segment<'_>) -> bool,
    ) -> Result<Option<Received>, Error> {
        let deadline = Instant::now() + timeout;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.receive(left)? {
                Some(received) if !fits(&received.segment()) => {}
                other => return Ok(other),
            }
        }
    }

    /// Sends a SYN, waits for the SYN-ACK and acknowledges it: a whole handshake, with whatever the SYN carries.
    ///
    /// # Errors
    /// [`Error::NoAnswer`] when no SYN-ACK comes in that time; as for [`receive`](Self::receive).
    pub fn connect(&mut self, syn: &SegmentBuilder, timeout: Duration) -> Result<RawConnection, Error> {
        self.send(syn)?;
        let connection = self.half_open(syn, timeout)?;
        self.send(&connection.segment())?;
        Ok(connection)
    }

    /// Waits for the SYN-ACK to a SYN that was sent, and leaves it unacknowledged.
    ///
    /// # Errors
    /// As for [`connect`](Self::connect).
    pub fn half_open(&mut self, syn: &SegmentBuilder, timeout: Duration) -> Result<RawConnection, Error> {
        let (local, remote) = (syn.source(), syn.destination());
        let answer = self.receive_that(timeout, |segment| {
            (segment.source, segment.destination) == (remote, local) && segment.flags.syn && segment.flags.ack
        })?;
        let answer = answer.ok_or(Error::NoAnswer {
            expected: "SYN-ACK",
            waited: timeout,
        })?;
        let segment = answer.segment();
        Ok(RawConnection {
            local,
            remote,
            next_sequence: segment.acknowledgment,
            next_expected: segment.sequence.wrapping_add(1),
            answer,
        })
    }

    /// Waits for a SYN to that port.
    ///
    /// # Errors
    /// [`Error::NoAnswer`] when none comes in that time; as for [`receive`](Self::receive).
    pub fn wait_for_syn(&mut self, port: u16, timeout: Duration) -> Result<Received, Error> {
        let is_syn = |segment: &Segment<'_>| {
            segment.destination.port() == port && segment.flags.syn && !segment.flags.ack
        };
        self.receive_that(timeout, is_syn)?.ok_or(Error::NoAnswer {
            expected: "SYN",
            waited: timeout,
        })
    }
}

/// A TCP segment that a [`RawPeer`] has received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    packet: Vec<u8>,
}

impl Received {
    fn new(packet: Vec<u8>) -> Option<Self> {
        Segment::from_ip(&packet).is_ok().then_some(Self { packet })
    }

    /// The segment.
    pub fn segment(&self) -> Segment<'_> {
        Segment::from_ip(&self.packet)
            .unwrap_or_else(|error| unreachable!("it was decoded when it came: {error}"))
    }

    /// The IP packet that it came in.
    pub fn packet(&self) -> &[u8] {
        &self.packet
    }

    /// The answer to a SYN: a SYN-ACK without options that acknowledges the first so many bytes of its data. Nothing is sent yet.
    pub fn syn_ack(&self, data_len: usize) -> SegmentBuilder {
        let syn = self.segment();
        SegmentBuilder::new(syn.destination, syn.source)
            .with_syn()
            .with_sequence(FIRST_SEQUENCE)
            .with_ack(syn.sequence.wrapping_add(1 + data_len as u32))
    }
}

/// The numbers of a connection that a [`RawPeer`] has opened. It only counts; the peer sends.
#[derive(Clone, Debug)]
pub struct RawConnection {
    local: SocketAddr,
    remote: SocketAddr,
    next_sequence: u32,
    next_expected: u32,
    answer: Received,
}

impl RawConnection {
    /// The SYN-ACK that it was opened with.
    pub fn syn_ack(&self) -> &Received {
        &self.answer
    }

    /// What the SYN-ACK says of Fast Open.
    pub fn fast_open(&self) -> FastOpen {
        self.answer.segment().fast_open()
    }

    /// A segment that is next in order: as it stands an ACK, and more with a flag set. It takes no sequence numbers.
    pub fn segment(&self) -> SegmentBuilder {
        SegmentBuilder::new(self.local, self.remote)
            .with_sequence(self.next_sequence)
            .with_ack(self.next_expected)
    }

    /// A segment with the next bytes; what comes after is in order behind it.
    pub fn data(&mut self, data: impl AsRef<[u8]>) -> SegmentBuilder {
        self.take(self.segment().with_psh().with_data(data))
    }

    /// The last segment.
    pub fn fin(&mut self) -> SegmentBuilder {
        self.take(self.segment().with_fin())
    }

    /// A RST that the other side accepts.
    pub fn rst(&self) -> SegmentBuilder {
        self.segment().with_rst()
    }

    /// Counts a segment that was received, if it is next in order; whether it was.
    pub fn count(&mut self, received: &Segment<'_>) -> bool {
        let next = received.sequence == self.next_expected;
        if next {
            let len = received.payload_len as u32 + u32::from(received.flags.fin);
            self.next_expected = self.next_expected.wrapping_add(len);
        }
        next
    }

    fn take(&mut self, segment: SegmentBuilder) -> SegmentBuilder {
        self.next_sequence = self.next_sequence.wrapping_add(segment.sequence_len());
        segment
    }
}
