//! What happened, in words for people who see it for the first time.

use fastopen::{ArrivalKind, Outcome};

use super::report::{Arrived, Connection, Exchange, Kind, Path, SynOption};

/// One step of a connection.
pub(super) struct Step {
    pub(super) at_ms: f64,
    pub(super) host: &'static str,
    pub(super) words: String,
}

impl Connection {
    pub(super) fn title(&self) -> &'static str {
        match self.kind {
            Kind::Plain => "1. Plain TCP: the request waits until the handshake is over",
            Kind::First => "2. The first time with Fast Open: the client asks for a cookie",
            Kind::Fast => "3. From then on: the request travels in the SYN",
        }
    }

    /// What both ends did, in the order in which they did it.
    pub(super) fn steps(&self) -> Vec<Step> {
        let server = &self.server;
        let mut steps = vec![
            step(0.0, "client", syn(server, self.request_bytes)),
            step(
                self.connected_ms,
                "client",
                syn_ack(&self.exchange, self.request_bytes),
            ),
            step(server.accepted_ms, "server", accept(server)),
            step(self.exchange.elapsed_ms, "client", "the first byte of the answer"),
        ];
        if let (Some(at), ArrivalKind::Fast { .. }) = (server.confirmed_ms, server.arrival) {
            steps.push(step(at, "server", "the client's ACK: its address is confirmed"));
        }
        steps.sort_by(|a, b| a.at_ms.total_cmp(&b.at_ms));
        steps
    }
}

fn step(at_ms: f64, host: &'static str, words: impl Into<String>) -> Step {
    Step {
        at_ms,
        host,
        words: words.into(),
    }
}

fn syn(server: &Arrived, request_bytes: usize) -> String {
    let Some(syn) = &server.syn else {
        return "SYN".to_owned();
    };
    match (syn.option, &syn.cookie) {
        (SynOption::None, _) => format!("SYN. The request, {request_bytes} bytes, has to wait"),
        (SynOption::Request, _) => "SYN with an empty Fast Open option: a cookie, please".to_owned(),
        (_, Some(cookie)) => format!(
            "SYN with cookie {cookie} and {} bytes: the request",
            syn.data_bytes
        ),
        (_, None) => "SYN with a Fast Open option that makes no sense".to_owned(),
    }
}

fn syn_ack(exchange: &Exchange, request_bytes: usize) -> String {
    match exchange.outcome {
        Outcome::Accepted => format!("SYN-ACK: it acknowledges all {request_bytes} bytes"),
        Outcome::NoCookie => "SYN-ACK with a cookie to keep. Only now the request leaves".to_owned(),
        Outcome::Ignored => "SYN-ACK: it acknowledges no data, which leaves again".to_owned(),
        _ => "SYN-ACK: there is a server. Only now the request leaves".to_owned(),
    }
}

fn accept(server: &Arrived) -> &'static str {
    match server.arrival {
        ArrivalKind::Fast { .. } => "the cookie is good: it accepts, reads and answers at once",
        _ => "accepts the connection, reads the request and answers",
    }
}

impl Path {
    /// What happened, in at most thirty characters.
    pub(super) fn note(&self) -> String {
        let syn = self.server.syn.as_ref();
        let (option, data) = syn.map_or((SynOption::None, 0), |syn| (syn.option, syn.data_bytes));
        match (self.exchange.outcome, &self.next, self.server.confirmed_ms) {
            _ if self.duplicates.iter().any(|duplicate| duplicate.confirmed) => {
                "a copy came AND WAS CONFIRMED".to_owned()
            }
            _ if !self.duplicates.is_empty() => "a copy came, never confirmed".to_owned(),
            (_, Some(next), _) => format!("plain SYN won; the next: {:.1}", next.rounds),
            (Outcome::Ignored, ..) if option == SynOption::None && data == 0 => {
                "SYN replaced; data sent again".to_owned()
            }
            (Outcome::Ignored, ..) if option == SynOption::None => "option gone; data sent again".to_owned(),
            (Outcome::Ignored, ..) => "cookie refused; sent again".to_owned(),
            (Outcome::Accepted, _, Some(at)) => format!("confirmed late, at {at:.0} ms"),
            _ => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn steps_are_told_in_the_order_of_time() {
        for kind in Kind::ALL {
            let steps = sample::connection(kind).steps();
            assert!(steps.is_sorted_by(|a, b| a.at_ms <= b.at_ms), "{kind:?}");
            assert!(steps[0].words.starts_with("SYN"), "{kind:?}");
        }
        let fast = sample::connection(Kind::Fast).steps();
        let hosts: Vec<_> = fast.iter().map(|step| step.host).collect();
        assert_eq!(hosts, ["client", "server", "client", "client", "server"]);
    }

    #[test]
    fn the_words_follow_what_happened_and_not_what_was_expected() {
        let mut fast = sample::connection(Kind::Fast);
        fast.exchange.outcome = Outcome::Ignored;
        fast.server.arrival = ArrivalKind::Plain;
        let told: Vec<_> = fast.steps().into_iter().map(|step| step.words).collect();
        assert!(
            told.iter().any(|words| words.contains("acknowledges no data")),
            "{told:?}"
        );
        assert!(
            !told.iter().any(|words| words.contains("cookie is good")),
            "{told:?}"
        );
    }

    #[test]
    fn each_path_is_told_apart_from_the_others_that_end_alike() {
        let note = |scenario| sample::path(scenario).note();
        assert_eq!(note("option-stripped"), "option gone; data sent again");
        assert_eq!(note("cookie-refused"), "cookie refused; sent again");
        assert_eq!(note("syn-proxy"), "SYN replaced; data sent again");
        assert_eq!(note("option-dropped"), "plain SYN won; the next: 2.0");
        assert_eq!(note("held-ack"), "confirmed late, at 290 ms");
        assert_eq!(note("replay"), "a copy came, never confirmed");
    }
}
