//! Servers behind one address whose keys rotate.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fastopen::{Connector, Outcome, PathMemory, ReplaySafe};
use fastopen_host::counters::{Counter, Counters};
use fastopen_lab::{Farm, Host, HostSpec, Lab, Scenario};

use crate::rotate::are_of_the_schedule;
use crate::support::{Fleet, Service, TFO, eventually, name, with_clock};

/// How long the farm is under load. For five minutes: FASTOPEN_FARM_SECONDS=300.
fn farm_time() -> Duration {
    let seconds = std::env::var("FASTOPEN_FARM_SECONDS")
        .ok()
        .and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(seconds.unwrap_or(16))
}

const MEMBERS: [&str; 5] = ["one", "two", "three", "four", "five"];

fn counter(host: &Host, counter: Counter) -> u64 {
    host.run(|| Counters::read().unwrap().get(counter).unwrap_or(0))
}

pub(crate) fn a_farm_that_rotates_refuses_no_cookie() {
    rotates_and_refuses_no_cookie(None);
}

/// By how much the service was late at most, in whole seconds: each line says when the next change is due.
fn lateness(service: &Service) -> Duration {
    let mut due = None;
    let mut late = Duration::ZERO;
    for line in service.printed().lines() {
        let time = |text: &str| humantime::parse_rfc3339(text).unwrap();
        let at = time(line.split(' ').next().unwrap());
        if let Some(due) = due {
            late = late.max(at.duration_since(due).unwrap_or_default());
        }
        due = Some(time(line.rsplit(' ').next().unwrap()));
    }
    late
}

/// The clocks of the members are up to three seconds apart.
pub(crate) fn a_farm_whose_clocks_differ_refuses_no_cookie() {
    rotates_and_refuses_no_cookie(Some(["-1.5", "-0.7", "+0", "+0.8", "+1.5"]));
}

fn rotates_and_refuses_no_cookie(clocks: Option<[&str; 5]>) {
    let fleet = Fleet::new();
    let secret = name(&fleet.secret());
    let mut scenario = Scenario::new("farm")
        .with_rtt(Duration::from_millis(1))
        .with_host(HostSpec::new("client"));
    for member in MEMBERS {
        scenario = scenario.with_host(HostSpec::new(member).with_sysctl("net.ipv4.tcp_fastopen", "3"));
    }
    let lab = Lab::new(&scenario.with_farm(Farm::new("farm", MEMBERS))).unwrap();
    let client = lab.client().unwrap();
    let members = MEMBERS.map(|member| lab.host(member).unwrap());
    let arguments = ["--secret", &secret, "--interval", "10s"];
    let services: Vec<Service> = members
        .iter()
        .enumerate()
        .map(|(member, host)| {
            let mut command = host.command(TFO).unwrap();
            if let Some(clocks) = clocks {
                let file = fleet.file(&format!("clock-{member}"));
                std::fs::write(&file, clocks[member]).unwrap();
                with_clock(&mut command, &file);
            }
            Service::start(&mut command, &fleet, &arguments)
        })
        .collect();
    for host in members {
        eventually("the first keys", || are_of_the_schedule(host, &fleet, 10));
        // It takes IPv4 too.
        let listener = host.run(|| fastopen::listen(("::", 4433))).unwrap();
        let _ = host.spawn(move || while listener.accept().is_ok() {});
    }
    let stop = AtomicBool::new(false);
    let addresses = lab.farm("farm").unwrap().addresses();
    let (mut fast, mut refused) = (0, 0);
    thread::scope(|scope| {
        let loads = addresses.map(|address| {
            let stop = &stop;
            scope.spawn(move || {
                client.run(|| {
                    let (mut fast, mut other) = (0_u64, 0_u64);
                    let began = Instant::now();
                    while !stop.load(Ordering::Relaxed) {
                        let connector = Connector::new().with_path_memory(PathMemory::new(1));
                        match connector.connect((address, 4433), ReplaySafe(b"hello")) {
                            Ok(connected) if connected.outcome == Outcome::Accepted => fast += 1,
                            _ => other += 1,
                        }
                        // 250 a second over each family.
                        let due = Duration::from_millis(4 * (fast + other));
                        thread::sleep(due.saturating_sub(began.elapsed()));
                    }
                    (fast, other)
                })
            })
        });
        thread::sleep(farm_time());
        stop.store(true, Ordering::Relaxed);
        for load in loads {
            let (accepted, _) = load.join().unwrap();
            fast += accepted;
        }
    });
    for host in members {
        refused += counter(host, Counter::PassiveFail);
    }
    let by_backup: u64 = members
        .iter()
        .map(|host| counter(host, Counter::PassiveAltKey))
        .sum();
    let errors: String = services.iter().map(Service::said).collect();
    let late = services.iter().map(lateness).max().unwrap_or_default();
    println!(
        "{fast} fast connections, {by_backup} cookies of a backup key, {refused} refused; keys set up to {} s late",
        late.as_secs()
    );
    // Half an interval is 5 s: of that the clocks may take 3 s, and a machine under load the rest.
    assert_eq!(refused, 0, "keys set up to {late:?} late: {errors}");
    assert!(fast > 100 && by_backup > 0, "{fast} {by_backup} {errors}");
    let served = members
        .iter()
        .filter(|host| counter(host, Counter::Passive) > 0)
        .count();
    assert!(served >= 4, "the load reaches the farm: {served}");
}
