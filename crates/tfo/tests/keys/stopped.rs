//! A member whose rotation has stopped, as `verify`, the metrics and the alerts see it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fastopen_lab::testing::{Running, program_path};
use fastopen_lab::{Host, HostSpec, Lab, Scenario};
use rustix::process::Signal;

use crate::rotate::are_of_the_schedule;
use crate::support::{Fleet, Service, TFO, eventually, keys, name, report};

const MEMBERS: [&str; 3] = ["one", "two", "three"];
const METRICS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9413);

/// What a scraper gets from `tfo watch --prometheus`.
fn scrape(host: &Host) -> String {
    host.run(|| {
        let mut stream = TcpStream::connect(METRICS).unwrap();
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    })
}

/// Samples by their series, as promtool writes these, and by the second in which they were scraped.
#[derive(Default)]
struct Scrapes {
    began: u64,
    seconds: usize,
    series: BTreeMap<String, BTreeMap<usize, i64>>,
}

impl Scrapes {
    /// A page of one target's in the second that is being scraped.
    fn add(&mut self, page: &str, target_labels: &str) {
        for line in page.lines().filter(|line| line.starts_with("fastopen_")) {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let mut value: i64 = value.parse().unwrap();
            // In promtool time begins with 0.
            if series.contains("_timestamp_seconds") {
                value -= i64::try_from(self.began).unwrap();
            }
            let series = match series.strip_suffix('}') {
                Some(labelled) => format!("{labelled},{target_labels}}}"),
                None => format!("{series}{{{target_labels}}}"),
            };
            self.series.entry(series).or_default().insert(self.seconds, value);
        }
    }

    /// All of it, and as if the last page had been scraped for so many seconds more.
    fn input(&self, more: usize) -> String {
        let mut text = String::new();
        for (series, samples) in &self.series {
            let mut values = String::new();
            let mut was_there = false;
            for second in 0..self.seconds {
                match samples.get(&second) {
                    Some(value) => write!(values, " {value}").unwrap(),
                    // As Prometheus marks what a target does not export any more.
                    None if was_there => values.push_str(" stale"),
                    None => values.push_str(" _"),
                }
                was_there = samples.contains_key(&second);
            }
            match samples.get(&(self.seconds - 1)) {
                Some(value) => write!(values, " {value}x{more}").unwrap(),
                None => write!(values, " _x{more}").unwrap(),
            }
            writeln!(
                text,
                "      - series: '{series}'\n        values: '{}'",
                values.trim()
            )
            .unwrap();
        }
        text
    }
}

pub(crate) fn a_member_that_stopped_is_found() {
    let promtool = program_path("promtool");
    let mut scenario = Scenario::new("farm")
        .with_rtt(Duration::from_millis(1))
        .with_host(HostSpec::new("client"));
    for member in MEMBERS {
        scenario = scenario.with_host(HostSpec::new(member).with_sysctl("net.ipv4.tcp_fastopen", "3"));
    }
    let lab = Lab::new(&scenario).unwrap();
    let members = MEMBERS.map(|member| lab.host(member).unwrap());
    let fleet = Fleet::new();
    let secret = name(&fleet.secret());
    let textfile = |member: &str| name(&fleet.file(&format!("{member}.prom")));
    let services = MEMBERS.map(|member| {
        let arguments = [
            "--secret",
            &secret,
            "--interval",
            "10s",
            "--textfile",
            &textfile(member),
        ];
        Service::start(
            &mut lab.host(member).unwrap().command(TFO).unwrap(),
            &fleet,
            &arguments,
        )
    });
    let mut targets = Vec::new();
    let _watching = members.map(|host| {
        eventually("the first keys", || are_of_the_schedule(host, &fleet, 10));
        for address in host.addresses() {
            let listener = host.run(|| fastopen::listen((address, 4433))).unwrap();
            targets.push(listener.local_addr().unwrap().to_string());
            let _ = host.spawn(move || while listener.accept().is_ok() {});
        }
        let mut command = host.command(TFO).unwrap();
        command.args(["watch", "--prometheus", &METRICS.to_string()]);
        let mut watch = Running::start(command);
        watch.await_port(host, METRICS);
        watch
    });
    let verdicts = || {
        let file = name(&fleet.file("verify.prom"));
        let mut arguments = vec![
            "verify",
            "--json",
            "-n",
            "2",
            "--secret",
            &secret,
            "--interval",
            "10s",
            "--textfile",
            &file,
        ];
        arguments.extend(targets.iter().map(String::as_str));
        let (verified, status) = report(&keys(lab.client().unwrap(), &arguments));
        let verdict_of = |target: &String| {
            let servers = verified["servers"].as_array().unwrap();
            let server = servers
                .iter()
                .find(|server| server["target"] == **target)
                .unwrap();
            server["verdict"].as_str().unwrap().to_owned()
        };
        (targets.iter().map(verdict_of).collect::<Vec<_>>(), status)
    };
    assert_eq!(verdicts(), (vec!["agrees".to_owned(); 6], 0));

    services[2].signal(Signal::STOP);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let mut scrapes = Scrapes {
        began: now,
        ..Scrapes::default()
    };
    let mut found = false;
    while scrapes.seconds < 15 || !found {
        assert!(scrapes.seconds < 60, "{:?}", verdicts());
        let (now, status) = verdicts();
        // A member of the others may be between two of its keys.
        found |= status == 1 && now == ["agrees", "agrees", "agrees", "agrees", "behind", "behind"];
        for (member, host) in MEMBERS.iter().zip(members) {
            let labels = format!("job=\"web\",instance=\"{member}\"");
            scrapes.add(&fs::read_to_string(textfile(member)).unwrap(), &labels);
            scrapes.add(&scrape(host), &labels);
        }
        let verified = fs::read_to_string(fleet.file("verify.prom")).unwrap();
        scrapes.add(&verified, "job=\"verify\",instance=\"client\"");
        scrapes.seconds += 1;
        thread::sleep(Duration::from_secs(1));
    }

    // The alerts wait for up to five minutes. The healthy members' rotation would go on meanwhile: their times are left out.
    let healthy: BTreeSet<String> = scrapes
        .series
        .keys()
        .filter(|series| series.contains("_change_timestamp") && !series.contains("instance=\"three\""))
        .cloned()
        .collect();
    scrapes.series.retain(|series, _| !healthy.contains(series));
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contrib/prometheus/rules.yml");
    let expected = [
        "alertname=\"FastOpenKeysDiffer\"".to_owned(),
        "alertname=\"FastOpenRotationLate\", instance=\"three\"".to_owned(),
        format!(
            "alertname=\"FastOpenKeysDoNotVerify\", instance=\"client\", target=\"{}\"",
            targets[4]
        ),
        format!(
            "alertname=\"FastOpenKeysDoNotVerify\", instance=\"client\", target=\"{}\"",
            targets[5]
        ),
    ];
    let expected: String = expected
        .iter()
        .map(|labels| format!("          - labels: '{{{labels}}}'\n            value: 1\n"))
        .collect();
    let test = format!(
        "rule_files: ['{}']\nevaluation_interval: 15s\ntests:\n  - interval: 1s\n    input_series:\n{}    promql_expr_test:\n      \
         - expr: 'count by (alertname, instance, target) (ALERTS{{alertstate=\"firing\"}})'\n        eval_time: {}s\n        exp_samples:\n{expected}",
        rules.display(),
        scrapes.input(600),
        scrapes.seconds + 420,
    );
    let file = fleet.file("rules_test.yml");
    fs::write(&file, &test).unwrap();
    let output = Command::new(promtool)
        .args(["test", "rules"])
        .arg(&file)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}{}\n{test}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
