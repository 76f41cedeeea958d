//! A service in the lab, and the command as it is run there.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Output};
use std::thread;

use fastopen_lab::testing::{LabTest, program, test};
use fastopen_lab::{Host, Lab, Scenario};
use serde_json::Value;

pub(crate) const ANSWER: &[u8] = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
pub(crate) const PORT: u16 = 80;

/// Whether the packets may be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Privilege {
    Packets,
    None,
}

pub(crate) const BOTH: [Privilege; 2] = [Privilege::Packets, Privilege::None];

pub(crate) fn lab(scenario: &Scenario) -> Lab {
    Lab::new(scenario).unwrap()
}

pub(crate) fn named(name: &str) -> Lab {
    lab(&Scenario::named(name).unwrap())
}

/// Answers every request on port 80, with Fast Open.
pub(crate) fn serve(host: &Host) {
    let listener = host.run(|| fastopen::listen(("::", PORT))).unwrap();
    answer_all(host, listener);
}

/// The same without.
pub(crate) fn serve_plainly(host: &Host) {
    let listener = host.run(|| TcpListener::bind(("::", PORT))).unwrap();
    answer_all(host, listener);
}

/// Serves with Fast Open, and handles each connection in this way; the flag says whether it was fast.
pub(crate) fn serve_with(host: &Host, handle: fn(TcpStream, bool)) {
    let listener = host.run(|| fastopen::listen(("::", PORT))).unwrap();
    host.spawn(move || {
        for stream in listener.incoming().flatten() {
            let fast = matches!(fastopen::Arrival::of(&stream), Ok(arrival) if arrival.to_string().starts_with("fast"));
            thread::spawn(move || handle(stream, fast));
        }
    });
}

pub(crate) fn answer_all(host: &Host, listener: TcpListener) {
    host.spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || answer(stream));
        }
    });
}

pub(crate) fn answer(mut stream: TcpStream) -> Option<()> {
    if stream.read(&mut [0; 4096]).ok()? > 0 {
        stream.write_all(ANSWER).ok()?;
        stream.read_to_end(&mut Vec::new()).ok()?;
    }
    Some(())
}

pub(crate) fn command(host: &Host, privilege: Privilege) -> Command {
    const TFO: &str = env!("CARGO_BIN_EXE_tfo");
    let mut command = match privilege {
        Privilege::Packets => host.command(TFO).unwrap(),
        Privilege::None => {
            let mut command = program(host, "setpriv");
            command.args(["--bounding-set", "-net_raw", TFO]);
            command
        }
    };
    command.arg("probe");
    command
}

/// The reports in JSON, each of which must fit the schema, and the exit status.
pub(crate) fn reports(output: &Output) -> (Vec<Value>, i32) {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let schema = serde_json::from_str(include_str!("../../schemas/probe.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let reports: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for report in &reports {
        let errors: Vec<_> = validator
            .iter_errors(report)
            .map(|error| error.to_string())
            .collect();
        assert!(errors.is_empty(), "{errors:#?}\n{report:#}");
    }
    let status = output.status.code();
    let said = String::from_utf8_lossy(&output.stderr);
    (
        reports,
        status.unwrap_or_else(|| panic!("{:?}: {said}", output.status)),
    )
}

/// Probes from the client, and gives the reports, in the order of the targets, and the exit status.
pub(crate) fn probe(
    lab: &Lab,
    privilege: Privilege,
    arguments: &[&str],
    targets: &[SocketAddr],
) -> (Vec<Value>, i32) {
    let targets: Vec<String> = targets.iter().map(ToString::to_string).collect();
    let mut command = command(lab.client().unwrap(), privilege);
    let output = command
        .arg("--json")
        .args(arguments)
        .args(&targets)
        .output()
        .unwrap();
    let (mut reports, status) = reports(&output);
    assert_eq!(
        reports.len(),
        targets.len(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    reports.iter().for_each(|report| note(privilege, report));
    reports.sort_by_key(|report| targets.iter().position(|target| report["target"] == *target));
    (reports, status)
}

thread_local! {
    static SAID: RefCell<BTreeMap<String, usize>> = const { RefCell::new(BTreeMap::new()) };
}

/// A test that is run once, or as often as TFO_PROBE_RUNS says, each time in a new lab: then it prints what was said how often.
pub(crate) fn repeated(name: impl Into<String>, run: impl Fn() + Send + 'static) -> LabTest {
    let name = name.into();
    let runs: usize = std::env::var("TFO_PROBE_RUNS").map_or(1, |runs| runs.parse().unwrap());
    test(name.clone(), move || {
        (0..runs).for_each(|_| run());
        let said = SAID.take();
        if runs > 1 {
            let rows = said
                .iter()
                .map(|(what, count)| format!("{name} | {what} | {count}\n"));
            print!("{}", rows.collect::<String>());
        }
    })
}

fn note(privilege: Privilege, report: &Value) {
    let verdict = report["verdict"].as_str().unwrap_or("none");
    let row = format!("{privilege:?} | {verdict} | {}", causes(report).join(", "));
    SAID.with_borrow_mut(|said| *said.entry(row).or_default() += 1);
}

/// The server's IPv4 and IPv6 address.
pub(crate) fn addresses(lab: &Lab) -> Vec<SocketAddr> {
    let addresses = lab.server().unwrap().addresses();
    addresses.map(|address| SocketAddr::new(address, PORT)).to_vec()
}

/// The first address of a report.
pub(crate) fn first(report: &Value) -> &Value {
    &report["addresses"][0]
}

pub(crate) fn causes(report: &Value) -> Vec<&str> {
    let causes = first(report)["causes"].as_array().unwrap();
    causes.iter().map(|cause| cause.as_str().unwrap()).collect()
}

fn status_of(verdict: &str) -> i32 {
    match verdict {
        "works" => 0,
        "inconclusive" => 3,
        "this-machine" => 2,
        _ => 1,
    }
}

pub(crate) fn farm_addresses(lab: &Lab) -> Vec<SocketAddr> {
    let addresses = lab.farm("web").unwrap().addresses();
    addresses.map(|address| SocketAddr::new(address, PORT)).to_vec()
}

pub(crate) fn assert_verdict(
    lab: &Lab,
    privilege: Privilege,
    targets: &[SocketAddr],
    verdict: &str,
    expected: &[&str],
) {
    let (reports, status) = probe(lab, privilege, &["--timeout", "1500ms"], targets);
    assert_eq!(status, status_of(verdict), "{reports:#?}");
    for report in &reports {
        let address = first(report);
        assert_eq!(
            (&address["verdict"], &report["verdict"]),
            (&verdict.into(), &verdict.into()),
            "{report:#}"
        );
        assert_eq!(causes(report), expected, "{report:#}");
        let sources = address["sources"].as_array().unwrap();
        let saw_packets = sources.contains(&"packets".into());
        // Where nobody answers there is nothing to look at.
        let sees_packets = privilege == Privilege::Packets && verdict != "unreachable";
        assert_eq!(saw_packets, sees_packets, "{report:#}");
        if verdict == "works" {
            assert_eq!(address["fits"], true, "{report:#}");
        }
    }
}

pub(crate) fn on_both_families(lab: &Lab, verdict: &str, causes: &[&str]) {
    for privilege in BOTH {
        assert_verdict(lab, privilege, &addresses(lab), verdict, causes);
    }
}

/// Why there may be no cookie, as far as this end of the path can tell.
const NO_COOKIE: &[&str] = &[
    "server-bit-off",
    "listener-off",
    "proxy-ends-it",
    "option-stripped",
    "answered-in-its-place",
    "syn-cookies",
    "queue-full",
];

pub(crate) fn no_cookie(lab: &Lab) {
    assert_verdict(lab, Privilege::Packets, &addresses(lab), "no-cookie", NO_COOKIE);
    assert_verdict(lab, Privilege::None, &addresses(lab), "no-cookie", NO_COOKIE);
}
