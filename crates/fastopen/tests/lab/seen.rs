//! What a program sees of its connects: counters, and events for `tracing`.

use fastopen::{ListenOptions, Outcome, OutcomeCounts, ReplaySafe};
use fastopen_lab::Scenario;
use fastopen_lab::testing::{LabTest, test};

use crate::support::{at, connector, get_cookie, lab, serve};

pub(crate) fn tests() -> impl Iterator<Item = LabTest> {
    [
        test("seen::each_connect_is_counted", each_connect_is_counted),
        #[cfg(feature = "tracing")]
        test("seen::each_connect_is_an_event", events::each_connect_is_an_event),
    ]
    .into_iter()
}

/// Other tests count at the same time, so the numbers can only be too high.
fn each_connect_is_counted() {
    let lab = lab(&Scenario::new("counters"));
    let (client, server) = (lab.client().unwrap(), lab.server().unwrap());
    let _served = serve(server, &ListenOptions::new());
    let before = OutcomeCounts::now();
    get_cookie(client, at(server.ipv4()));
    client
        .run(|| connector().connect(at(server.ipv4()), ReplaySafe("GET /")))
        .unwrap();
    client
        .run(|| connector().connect((server.ipv4(), 81), ReplaySafe("GET /")))
        .unwrap_err();
    let after = OutcomeCounts::now();
    for outcome in [Outcome::NoCookie, Outcome::Accepted] {
        assert!(after.of(outcome) > before.of(outcome), "{outcome}");
    }
    assert!(after.failures() > before.failures());
    assert!(
        after
            .iter()
            .any(|(outcome, count)| outcome == Outcome::Accepted && count > 0)
    );
}

#[cfg(feature = "tracing")]
mod events {
    use std::fmt::Write;
    use std::sync::{Arc, Mutex};

    use tracing::field::{Field, Visit};
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Metadata, Subscriber};

    use super::*;

    const PORT: u16 = 8086;

    pub(crate) fn each_connect_is_an_event() {
        let lab = lab(&Scenario::new("events"));
        let (client, server) = (lab.client().unwrap(), lab.server().unwrap());
        let _listener = server.run(|| fastopen::listen(("0.0.0.0", PORT))).unwrap();
        let lines = Lines::default();
        // For all threads: what other tests connect to has other ports.
        tracing::subscriber::set_global_default(lines.clone()).expect("no other test sets one");
        client
            .run(|| connector().connect((server.ipv4(), PORT), ReplaySafe("GET /")))
            .unwrap();
        let lines = lines.0.lock().unwrap().join("\n");
        assert!(
            lines.contains("a SYN with the Fast Open option to 192.0.2.2:8086 connected after"),
            "{lines}"
        );
        assert!(
            lines.contains("address=192.0.2.2:8086 outcome=no-cookie attempts=1"),
            "{lines}"
        );
    }

    /// Keeps each event as a line.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<String>>>);

    struct Line(String);

    impl Visit for Line {
        fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
            write!(self.0, "{field}={value:?} ").unwrap();
        }
    }

    impl Subscriber for Lines {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            metadata.target() == "fastopen::connect"
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}

        fn record_follows_from(&self, _: &Id, _: &Id) {}

        fn event(&self, event: &Event<'_>) {
            let mut line = Line(String::new());
            event.record(&mut line);
            self.0.lock().unwrap().push(line.0);
        }

        fn enter(&self, _: &Id) {}

        fn exit(&self, _: &Id) {}
    }
}
