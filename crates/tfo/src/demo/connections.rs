//! The three ways to connect, over a path that lets everything through.

use std::time::Duration;

use anyhow::anyhow;
use fastopen::{Connector, PathMemory, Policy};
use fastopen_lab::{Host, HostSpec, Lab, Scenario};

use super::Setting;
use super::dialogue::Dialogue;
use super::report::{Connection, Greeting, Kind};
use super::server::{Manner, Server};
use crate::hint::Hint;

/// A client and three hosts with servers. Each way to connect is tried with each of them: a first connection takes a server that has not granted a
/// cookie yet, and of three samples the median is hardly disturbed by a busy machine.
pub(super) struct Network {
    // In this order: the servers end before their links do.
    servers: [Server; 3],
    /// On the same hosts, so that a cookie from the ones above is good for these.
    greeters: [Server; 3],
    client: Host,
    lab: Lab,
    rtt: Duration,
}

impl Network {
    pub(super) fn build(setting: Setting) -> anyhow::Result<Self> {
        let scenario = Scenario::new("demo")
            .with_rtt(setting.rtt)
            .with_host(HostSpec::new("second"))
            .with_host(HostSpec::new("third"));
        let lab = Lab::new(&scenario)?;
        if setting.ipv6 && !lab.has_ipv6() {
            return Err(anyhow!("this kernel has no IPv6")).hint("leave out -6");
        }
        let start = |manner| {
            let start = |name| Server::start(lab.host(name)?, setting.family(), manner);
            anyhow::Ok([start("server")?, start("second")?, start("third")?])
        };
        Ok(Self {
            servers: start(Manner::Answers)?,
            greeters: start(Manner::Greets)?,
            client: lab.client()?.clone(),
            lab,
            rtt: setting.rtt,
        })
    }

    /// Connects to each of the servers in this way.
    pub(super) fn connect(&mut self, kind: Kind) -> anyhow::Result<Connection> {
        let capture = self.lab.capture();
        let samples = with_each(&mut self.servers, &self.client, kind)?;
        Connection::new(kind, &samples, self.rtt, &capture.frames())
    }

    /// Has each of the servers that speak first greet the client, who connects in this way.
    pub(super) fn be_greeted(&mut self, kind: Kind) -> anyhow::Result<Greeting> {
        let samples = with_each(&mut self.greeters, &self.client, kind)?;
        Ok(Greeting::new(kind, &samples, self.rtt))
    }
}

fn with_each(servers: &mut [Server; 3], client: &Host, kind: Kind) -> anyhow::Result<[Dialogue; 3]> {
    let connector = Connector::new()
        .with_path_memory(PathMemory::default())
        .with_policy(match kind {
            Kind::Plain => Policy::Off,
            Kind::First | Kind::Fast => Policy::Auto,
        });
    let hold = |server| Dialogue::hold(client, &connector, server, "hello");
    let [first, second, third] = servers;
    Ok([hold(first)?, hold(second)?, hold(third)?])
}
