//! What happened, for people who see it for the first time.

use fastopen::Outcome;

use super::report::{Connection, Greeting, Kind, Path, SynOption};

impl Connection {
    pub(super) fn title(&self) -> &'static str {
        match self.kind {
            Kind::Plain => "1. Plain TCP: the request waits until the handshake is over",
            Kind::First => "2. The first time with Fast Open: the client asks for a cookie",
            Kind::Fast => "3. From then on: the request travels in the SYN",
        }
    }
}

impl Greeting {
    /// How the client connected.
    pub(super) fn manner(&self) -> &'static str {
        match self.kind {
            Kind::Plain => "the greeting waits for the ACK",
            Kind::First => "the SYN asks for a cookie",
            Kind::Fast => "the SYN has the cookie and no data",
        }
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
            (_, Some(next), _) if self.exchange.rounds.is_none() => {
                format!("died, reported; the next: {:.1}", next.rounds)
            }
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
    use super::super::hostile::HOSTILE;
    use super::super::sample;

    #[test]
    fn every_path_has_a_note_that_fits_its_column() {
        for hostile in HOSTILE {
            let note = sample::path(hostile.scenario).note();
            assert!(
                (1..=30).contains(&note.chars().count()),
                "{}: {note:?}",
                hostile.scenario
            );
        }
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
        assert_eq!(note("blackhole"), "died, reported; the next: 2.0");
    }
}
