//! A connection over a hostile path, in a lab of its own.

use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Context;
use fastopen::{Connector, Outcome, PathMemory};
use fastopen_lab::{Lab, Scenario};

use super::Setting;
use super::dialogue::Dialogue;
use super::hostile::Hostile;
use super::report::Path;
use super::server::{Manner, Server};

/// Linux' least retransmission time-out (`TCP_RTO_MIN`): by then a server has sent a lost answer again.
const LEAST_RTO: Duration = Duration::from_millis(200);

impl Hostile {
    /// Builds the lab; then connects in a thread of its own.
    pub(super) fn start(&'static self, setting: Setting) -> anyhow::Result<JoinHandle<anyhow::Result<Path>>> {
        let scenario = Scenario::named(self.scenario)
            .with_context(|| format!("the lab has no scenario {}", self.scenario))?
            .with_rtt(setting.rtt);
        let lab = Lab::new(&scenario)?;
        Ok(thread::spawn(move || self.show(&lab, setting)))
    }

    fn show(&self, lab: &Lab, setting: Setting) -> anyhow::Result<Path> {
        let client = lab.client()?;
        let mut server = Server::start(lab.server()?, setting.family(), Manner::Answers, None)?;
        let memory = PathMemory::default();
        let connector = Connector::new().with_path_memory(memory.clone());
        let mut hold = |name| Dialogue::hold(client, &connector, &mut server, name);
        hold("cookie").context("the connection that was to get a cookie")?;
        let attempt = match self.dies {
            true => {
                let patience = 3 * setting.rtt + LEAST_RTO;
                Dialogue::attempt(client, &connector, &mut server, self.scenario, patience)?
            }
            false => hold(self.scenario)?,
        };
        if attempt.gave_up {
            memory.report_dead(server.address().ip());
        }
        let next = if attempt.gave_up || attempt.outcome == Outcome::SynLost {
            let next = Dialogue::hold(client, &connector, &mut server, "next");
            Some(next.context("the connection after it")?)
        } else {
            None
        };
        let others = server.others(self.duplicates)?;
        let about = lab.scenario().about.clone();
        Ok(Path::new(
            self,
            about,
            &attempt,
            &others,
            next.as_ref(),
            setting.rtt,
        ))
    }
}
