//! Clocks that were not set, and that jump.

use std::fs;
use std::time::{Duration, SystemTime};

use crate::support::{Fleet, OTHER_KEY, SYSCTL, Service, TFO, eventually, lab, name, with_clock};

const WEEK: u64 = 604_800;

pub(crate) fn keys_follow_a_clock_that_jumps_once_it_is_set() {
    let lab = lab();
    let server = lab.server().unwrap();
    server.set_sysctl(SYSCTL, OTHER_KEY).unwrap();
    let fleet = Fleet::new();
    let (clock, metrics) = (fleet.file("clock"), fleet.file("keys.prom"));
    fs::write(&clock, "-40y").unwrap();
    let mut command = server.command(TFO).unwrap();
    with_clock(&mut command, &clock);
    let arguments = [
        "--secret",
        &name(&fleet.secret()),
        "--interval",
        "7d",
        "--textfile",
        &name(&metrics),
    ];
    let service = Service::start(&mut command, &fleet, &arguments);
    eventually("it is told", || service.said().contains("the clock says 1986"));
    let page = || fs::read_to_string(&metrics).unwrap_or_default();
    eventually("it is exported", || {
        page().contains("fastopen_rotation_clock_unset 1\n")
    });
    assert_eq!(server.sysctl(SYSCTL).unwrap(), OTHER_KEY, "{}", service.said());

    let have = |ahead: u64| {
        let time = SystemTime::now() + Duration::from_secs(ahead);
        server.sysctl(SYSCTL).unwrap() == fleet.rotation(WEEK).keys(time).to_string()
    };
    for (offset, ahead, cause) in [
        ("+0", 0, "keys set (start)"),
        // Also what a machine sees that was suspended for so long.
        ("+8d", 8 * 86_400, "keys set (schedule)"),
        ("+0", 0, "keys set (clock-went-back)"),
    ] {
        fs::write(&clock, offset).unwrap();
        eventually(cause, || have(ahead));
        assert!(service.printed().contains(cause), "{}", service.printed());
    }
    eventually("it is set", || {
        page().contains("fastopen_rotation_clock_unset 0\n")
    });
}
