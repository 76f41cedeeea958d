//! The three ways to connect, over a path that lets everything through.

use std::time::Duration;

use anyhow::anyhow;
use fastopen::{Connector, KeyRing, PathMemory, Policy};
use fastopen_lab::{Lab, Scenario};

use super::Setting;
use super::dialogue::Dialogue;
use super::report::{Connection, Greeting, Kind};
use super::server::{Manner, Server};
use crate::hint::Hint;

/// Where each way to connect is tried three times: a first connection takes a client without a cookie, and of three samples the median is
/// hardly disturbed by a busy machine.
pub(super) struct Network {
    samples: [Sample; 3],
    rtt: Duration,
}

/// A client and a host with servers. All samples have the same addresses and keys, and so the same cookie: whichever is the median each
/// time, the pictures tell one story.
struct Sample {
    // In this order: the servers end before their links do.
    server: Server,
    /// On the same host, so that a cookie from the one above is good for it.
    greeter: Server,
    lab: Lab,
}

impl Network {
    pub(super) fn build(setting: Setting) -> anyhow::Result<Self> {
        // Nobody outside can present a cookie of it.
        let keys: KeyRing = "7413-7413-7413-7413".parse()?;
        let sample = || Sample::build(setting, &keys);
        Ok(Self {
            samples: [sample()?, sample()?, sample()?],
            rtt: setting.rtt,
        })
    }

    /// Connects in this way.
    pub(super) fn connect(&mut self, kind: Kind) -> anyhow::Result<Connection> {
        let captures = self.samples.each_ref().map(|sample| sample.lab.capture());
        let samples = self.with_each(kind, |sample| &mut sample.server)?;
        let frames = captures.map(|capture| capture.frames());
        Connection::new(kind, &samples, self.rtt, &frames)
    }

    /// Has the servers that speak first greet the client, who connects in this way.
    pub(super) fn be_greeted(&mut self, kind: Kind) -> anyhow::Result<Greeting> {
        let samples = self.with_each(kind, |sample| &mut sample.greeter)?;
        Ok(Greeting::new(kind, &samples, self.rtt))
    }

    fn with_each(
        &mut self,
        kind: Kind,
        server: impl Fn(&mut Sample) -> &mut Server,
    ) -> anyhow::Result<[Dialogue; 3]> {
        let hold = |sample: &mut Sample| {
            // All have the same address: what is remembered of one must not count for another.
            let connector = Connector::new()
                .with_path_memory(PathMemory::default())
                .with_policy(match kind {
                    Kind::Plain => Policy::Off,
                    Kind::First | Kind::Fast => Policy::Auto,
                });
            let client = sample.lab.client()?.clone();
            Dialogue::hold(&client, &connector, server(sample), "hello")
        };
        let [first, second, third] = &mut self.samples;
        Ok([hold(first)?, hold(second)?, hold(third)?])
    }
}

impl Sample {
    fn build(setting: Setting, keys: &KeyRing) -> anyhow::Result<Self> {
        let lab = Lab::new(&Scenario::new("demo").with_rtt(setting.rtt))?;
        if setting.ipv6 && !lab.has_ipv6() {
            return Err(anyhow!("this kernel has no IPv6")).hint("leave out -6");
        }
        let start = |manner| Server::start(lab.server()?, setting.family(), manner, Some(keys));
        Ok(Self {
            server: start(Manner::Answers)?,
            greeter: start(Manner::Greets)?,
            lab,
        })
    }
}
