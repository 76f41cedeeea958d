//! The middlebox's thread: frames in, frames out. What happens to them is decided in `engine`.

use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use crate::addressing::{host_mac, port_mac};
use crate::capture::Tap;
use crate::capture::{Frame, Point};
use crate::engine::{Counters, Departure, Engine, PortId, Time};
use crate::error::Error;
use crate::lead::Lead;
use crate::sys::namespace::Namespace;
use crate::sys::packet_socket::{Arrival, FrameBuffer, Mac, PacketSocket};
use crate::sys::wait::{self, Bell};

/// The middlebox's end of a host's link.
#[derive(Debug)]
pub(crate) struct Port {
    host: Arc<str>,
    socket: PacketSocket,
    host_mac: Mac,
    own_mac: Mac,
}

impl Port {
    pub(crate) fn new(host: &str, index: usize, socket: PacketSocket) -> Self {
        Self {
            host: host.into(),
            socket,
            host_mac: host_mac(index),
            own_mac: port_mac(index),
        }
    }
}

/// A middlebox at work. Dropping it stops it.
#[derive(Debug)]
pub(crate) struct Middlebox {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    /// The links live here.
    _namespace: Namespace,
}

#[derive(Debug)]
struct Shared {
    started: Instant,
    ports: Vec<Port>,
    engine: Mutex<Engine>,
    taps: Mutex<Vec<Weak<Tap>>>,
    bell: Bell,
    stop: AtomicBool,
}

impl Middlebox {
    pub(crate) fn start(namespace: Namespace, ports: Vec<Port>, engine: Engine) -> Result<Self, Error> {
        let shared = Arc::new(Shared {
            started: Instant::now(),
            ports,
            engine: Mutex::new(engine),
            taps: Mutex::default(),
            bell: Bell::new().map_err(Error::system("eventfd"))?,
            stop: AtomicBool::new(false),
        });
        let worker = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("middlebox".to_owned())
            .spawn(move || worker.work())
            .map_err(Error::system("start the middlebox's thread"))?;
        Ok(Self {
            shared,
            thread: Some(thread),
            _namespace: namespace,
        })
    }

    pub(crate) fn started(&self) -> Instant {
        self.shared.started
    }

    pub(crate) fn tap(&self) -> Arc<Tap> {
        let tap = Arc::new(Tap::default());
        let mut taps = lock(&self.shared.taps);
        taps.retain(|tap| tap.strong_count() > 0);
        taps.push(Arc::downgrade(&tap));
        tap
    }

    /// Does something with the engine, then lets the thread see whether there is something to send.
    pub(crate) fn with_engine<T>(&self, change: impl FnOnce(&mut Engine, Time) -> T) -> T {
        let result = change(&mut lock(&self.shared.engine), self.shared.started.elapsed());
        self.shared.bell.ring();
        result
    }

    pub(crate) fn counters(&self) -> Counters {
        let mut engine = lock(&self.shared.engine);
        self.shared.count_overflows(&mut engine);
        engine.counters()
    }
}

impl Drop for Middlebox {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        self.shared.bell.ring();
        if let Some(thread) = self.thread.take() {
            // The thread's panic was already printed; another one here would hide the test's own failure.
            let _ = thread.join();
        }
    }
}

/// How many frames are taken from one port before the others get their turn.
const BATCH: usize = 64;

impl Shared {
    fn work(&self) {
        if let Err(error) = wait::be_punctual() {
            tracing::debug!(%error, "packets may be late when the machine is busy");
        }
        let descriptors: Vec<_> = std::iter::once(self.bell.as_fd())
            .chain(self.ports.iter().map(|port| port.socket.as_fd()))
            .collect();
        let mut buffer = FrameBuffer::new();
        let mut lead = Lead::new();
        while !self.stop.load(Ordering::Acquire) {
            let due = lock(&self.engine).next_due();
            match wait::readable(&descriptors, due.map(|due| self.until(due, lead))) {
                Ok(readable) => {
                    if let (Some(due), true) = (due, readable.iter().all(|readable| !readable)) {
                        lead.learn(due, self.started.elapsed());
                    }
                    if readable[0] {
                        self.bell.silence();
                    }
                    for (id, _) in readable[1..]
                        .iter()
                        .enumerate()
                        .filter(|(_, readable)| **readable)
                    {
                        self.take_in(id, &mut buffer);
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "the middlebox can't wait for packets and ends");
                    return;
                }
            }
            self.send_out(lead);
        }
    }

    fn until(&self, due: Time, lead: Lead) -> Duration {
        due.saturating_sub(self.started.elapsed() + lead.length())
    }

    fn take_in(&self, id: PortId, buffer: &mut FrameBuffer) {
        let clock = Clock::read(self.started);
        for _ in 0..BATCH {
            match self.ports[id].socket.receive(buffer) {
                Ok(Some(Arrival { at, packet })) => {
                    let at = clock.time_of(at);
                    let mut engine = lock(&self.engine);
                    let to = engine.destination(&packet);
                    self.record(at, Point::Sent, Some(id), to, &packet);
                    engine.arrive(at, id, packet);
                }
                Ok(None) => return,
                Err(error) => {
                    tracing::warn!(%error, host = %self.ports[id].host, "can't receive");
                    return;
                }
            }
        }
    }

    fn send_out(&self, lead: Lead) {
        loop {
            let now = self.started.elapsed();
            let Some(departure) = lock(&self.engine).depart(now + lead.length()) else {
                return;
            };
            let Departure { from, to, packet, .. } = departure;
            self.record(now, Point::Delivered, from, Some(to), &packet);
            let port = &self.ports[to];
            if let Err(error) = port.socket.send(&packet, port.own_mac, port.host_mac) {
                lock(&self.engine).count_overflows(1);
                tracing::debug!(%error, host = %port.host, "can't send");
            }
        }
    }

    fn record(&self, at: Time, point: Point, from: Option<PortId>, to: Option<PortId>, packet: &[u8]) {
        let taps = lock(&self.taps);
        if taps.is_empty() {
            return;
        }
        let name = |port: PortId| Arc::clone(&self.ports[port].host);
        let frame = Frame {
            at,
            point,
            from: from.map(name),
            to: to.map(name),
            packet: packet.into(),
        };
        for tap in taps.iter().filter_map(Weak::upgrade) {
            tap.record(frame.clone());
        }
    }

    fn count_overflows(&self, engine: &mut Engine) {
        for port in &self.ports {
            if let Ok(lost) = port.socket.overflowed() {
                engine.count_overflows(lost.into());
            }
        }
    }
}

/// The system's clock and the lab's, read together, because the kernel stamps packets with the one.
struct Clock {
    system: SystemTime,
    lab: Time,
}

/// A packet that seems to have waited longer than this was stamped before the system's clock was set.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

impl Clock {
    fn read(started: Instant) -> Self {
        Self {
            system: SystemTime::now(),
            lab: started.elapsed(),
        }
    }

    fn time_of(&self, stamp: SystemTime) -> Time {
        let age = self.system.duration_since(stamp).unwrap_or_default();
        if age > LONGEST_WAIT {
            return self.lab;
        }
        self.lab.saturating_sub(age)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
