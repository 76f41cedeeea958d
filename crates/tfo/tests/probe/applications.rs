//! Applications that are silent, reset connections, or close them without reading.

use std::io::Read;
use std::time::Duration;

use fastopen_lab::Scenario;
use fastopen_lab::testing::LabTest;

use crate::support::{
    PORT, Privilege, addresses, answer, causes, first, lab, named, no_cookie, on_both_families, probe,
    repeated, serve_with,
};

pub(crate) fn tests() -> Vec<LabTest> {
    vec![
        repeated(
            "an_application_that_is_silent_on_fast_connections",
            an_application_that_is_silent_on_fast_connections,
        ),
        repeated(
            "an_application_that_resets_fast_connections",
            an_application_that_resets_fast_connections,
        ),
        repeated(
            "an_application_that_closes_without_reading",
            an_application_that_closes_without_reading,
        ),
        repeated(
            "a_silent_server_without_fast_open",
            a_silent_server_without_fast_open,
        ),
        repeated("a_server_that_never_answers", a_server_that_never_answers),
    ]
}

/// The server takes the data, and its application says nothing on fast connections: no firewall is at fault.
fn an_application_that_is_silent_on_fast_connections() {
    let lab = named("clean");
    serve_with(lab.server().unwrap(), |mut stream, fast| match fast {
        true => drop(stream.read_to_end(&mut Vec::new())),
        false => drop(answer(stream)),
    });
    on_both_families(&lab, "silent", &["application-silent", "answer-dropped"]);
}

fn an_application_that_resets_fast_connections() {
    let lab = named("clean");
    serve_with(lab.server().unwrap(), |stream, fast| match fast {
        // Closing with unread data resets.
        true => drop(stream),
        false => drop(answer(stream)),
    });
    on_both_families(&lab, "reset", &["server-resets", "reset-on-the-way"]);
}

fn an_application_that_closes_without_reading() {
    let lab = named("clean");
    serve_with(lab.server().unwrap(), |stream, _| drop(stream));
    let (reports, _) = probe(&lab, Privilege::None, &[], &addresses(&lab));
    for report in &reports {
        assert_eq!(
            (&report["verdict"], causes(report)),
            (&"works".into(), vec![]),
            "{report:#}"
        );
        let notes = first(report)["notes"].to_string();
        assert!(
            notes.contains("ends every connection without an answer"),
            "{notes}"
        );
    }
}

fn a_silent_server_without_fast_open() {
    let lab = lab(&Scenario::new("mute").with_rtt(Duration::from_millis(5)));
    let listener = lab
        .server()
        .unwrap()
        .run(|| std::net::TcpListener::bind(("::", PORT)))
        .unwrap();
    no_cookie(&lab);
    drop(listener);
}

fn a_server_that_never_answers() {
    let lab = lab(&Scenario::new("mute").with_rtt(Duration::from_millis(5)));
    let listener = lab
        .server()
        .unwrap()
        .run(|| fastopen::listen(("::", PORT)))
        .unwrap();
    on_both_families(&lab, "inconclusive", &["no-answer-either"]);
    drop(listener);
}
