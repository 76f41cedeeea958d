//! Under Yama's `ptrace_scope`, which is 1 on Ubuntu and Arch: on a kernel that has it (`.ci/kernels`), since one without can't be told apart
//! from one that allows all.

use std::os::unix::fs::PermissionsExt;

use fastopen_lab::testing::{LabTest, skip, test};

use super::support::{TFO, World, http, processes, read_report, serve, wait_until, world};

pub(crate) fn tests() -> Vec<LabTest> {
    vec![test("yama", yama)]
}

const SCOPE: &str = "/proc/sys/kernel/yama/ptrace_scope";

/// One test, since it sets what holds for the whole machine.
fn yama() {
    let Ok(before) = std::fs::read_to_string(SCOPE) else {
        skip("this kernel has no Yama");
    };
    let world = world();
    serve(world.server(), 80, http);
    std::fs::set_permissions(world.state.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    if std::fs::write(SCOPE, "1").is_err() {
        skip("only root may set kernel.yama.ptrace_scope");
    }
    what_a_program_starts(&world);
    std::fs::write(SCOPE, "2").unwrap();
    is_refused(&world);
    std::fs::write(SCOPE, before).unwrap();
}

const USER: [&str; 9] = [
    "setpriv",
    "--reuid=65534",
    "--regid=65534",
    "--clear-groups",
    "--bounding-set=-all",
    "--inh-caps=-all",
    "--ambient-caps=-all",
    "--",
    "env",
];

fn run(world: &World, options: &[&str], program: &[&str]) -> std::process::Output {
    let state = format!("XDG_STATE_HOME={}", world.state.path().join("user").display());
    let line = [&USER[..], &[&state, TFO, "run"], options, &["--"], program].concat();
    world.bare(&line).output().unwrap()
}

/// A shell's children, theirs, and one that outlives its parent; and the exit status.
fn what_a_program_starts(world: &World) {
    let file = world.state.path().join("report.json");
    let report = format!("--report={}", file.display());
    let url = "http://192.0.2.2/";
    let daemon = format!(
        "import os\nif os.fork() == 0:\n os.setsid()\n if os.fork() == 0: os.execvp('curl', ['curl', '-s', '{url}'])\n os._exit(0)\nos.wait()"
    );
    let script = format!("curl -s {url}; sh -c 'curl -s {url}; true'; python3 -c \"$0\" | cat; exit 7");
    for (accepted, no_cookie) in [(2, 1), (3, 0)] {
        let ran = run(world, &[&report], &["sh", "-c", &script, &daemon]);
        let said = String::from_utf8_lossy(&ran.stderr);
        assert_eq!(ran.status.code(), Some(7), "{said}");
        assert_eq!(
            String::from_utf8_lossy(&ran.stdout),
            "hello from the lab\n".repeat(3),
            "{said}"
        );
        let report = read_report(&file);
        let count = |outcome: &str| {
            let rows = report["rows"].as_array().unwrap().iter();
            rows.filter(|row| row["outcome"] == outcome)
                .map(|row| row["connections"].as_u64().unwrap())
                .sum::<u64>()
        };
        assert_eq!(
            (count("accepted"), count("no-cookie")),
            (accepted, no_cookie),
            "{report:#} {said}"
        );
    }
    wait_until("nobody is left", || {
        processes("tfo-guardian", world.state.path()).is_empty()
    });
}

fn is_refused(world: &World) {
    let ran = run(world, &["--require"], &["true"]);
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(
        ran.status.code() == Some(2) && said.contains("ptrace_scope is 2"),
        "{said}"
    );
    let ran = run(world, &[], &["true"]);
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success() && said.contains("running without"), "{said}");
}
