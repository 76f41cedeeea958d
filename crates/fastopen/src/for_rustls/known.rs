//! What is known of servers from earlier connections, for those that send before the server has said anything.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;

/// How many servers are remembered. One that is forgotten costs a round trip, once.
const SERVERS: usize = 1024;

/// How long a server that did not take early data well gets none.
const WITHOUT_EARLY_DATA: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub(super) struct KnownServers(Mutex<HashMap<ServerName<'static>, Server>>);

#[derive(Clone, Copy, Debug)]
struct Server {
    http2: bool,
    no_early_data_until: Option<Instant>,
}

impl KnownServers {
    /// In which protocol early data may be sent to that server: the `only` one that is offered, or the one that the server chose the
    /// last time, since early data has to be in the protocol of the ticket's connection (RFC 8446, section 4.2.10).
    pub(super) fn early_protocol(
        &self,
        name: &ServerName<'_>,
        only: Option<bool>,
        now: Instant,
    ) -> Option<bool> {
        let servers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match servers.get(name) {
            Some(server) if server.no_early_data_until.is_some_and(|until| now < until) => None,
            Some(server) => only.or(Some(server.http2)),
            None => only,
        }
    }

    /// Takes down what was negotiated.
    pub(super) fn negotiated(&self, name: &ServerName<'static>, http2: bool) {
        self.update(name, |server| server.http2 = http2);
    }

    /// Sends no early data to that server for a while.
    pub(super) fn refused_early_data(&self, name: &ServerName<'static>, now: Instant) {
        self.update(name, |server| {
            server.no_early_data_until = Some(now + WITHOUT_EARLY_DATA);
        });
    }

    fn update(&self, name: &ServerName<'static>, change: impl FnOnce(&mut Server)) {
        let mut servers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if servers.len() >= SERVERS && !servers.contains_key(name) {
            servers.clear();
        }
        let server = servers.entry(name.clone()).or_insert(Server {
            http2: false,
            no_early_data_until: None,
        });
        change(server);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> ServerName<'static> {
        ServerName::try_from(name.to_owned()).unwrap()
    }

    #[test]
    fn a_protocol_is_known_after_a_connection() {
        let (known, now) = (KnownServers::default(), Instant::now());
        assert_eq!(known.early_protocol(&name("a.test"), None, now), None);
        let only = Some(false);
        assert_eq!(known.early_protocol(&name("a.test"), only, now), only);
        known.negotiated(&name("a.test"), true);
        known.negotiated(&name("b.test"), false);
        assert_eq!(known.early_protocol(&name("a.test"), None, now), Some(true));
        assert_eq!(known.early_protocol(&name("b.test"), None, now), Some(false));
        known.negotiated(&name("a.test"), false);
        assert_eq!(known.early_protocol(&name("a.test"), None, now), Some(false));
    }

    #[test]
    fn a_refusal_is_forgotten_in_time() {
        let (known, now) = (KnownServers::default(), Instant::now());
        known.negotiated(&name("a.test"), true);
        known.refused_early_data(&name("a.test"), now);
        known.negotiated(&name("a.test"), true);
        assert_eq!(known.early_protocol(&name("a.test"), None, now), None);
        let later = now + WITHOUT_EARLY_DATA;
        assert_eq!(known.early_protocol(&name("a.test"), None, later), Some(true));
    }

    #[test]
    fn the_memory_is_bounded() {
        let known = KnownServers::default();
        for server in 0..3 * SERVERS {
            known.negotiated(&name(&format!("s{server}.test")), false);
        }
        assert!(known.0.lock().unwrap().len() <= SERVERS);
    }
}
