//! README's client, as it stands there, asks a server that knows nothing of this library.
//!
//! It runs in a process of its own, which is this test's program under another name: what it prints is part of what README promises.

use std::env;
use std::fs;
use std::process::ExitCode;

use fastopen_lab::Scenario;
use fastopen_lab::testing::{LabTest, program, test};

use crate::foreign::nginx;
use fastopen_examples::lab::Site;

const README: &str = include_str!("../../../README.md");
const LIBRARY_README: &str = include_str!("../../../crates/fastopen/README.md");
const CLIENT: &str = include_str!("../../../crates/fastopen/examples/client/client.rs");
/// Attacks on it are among the library's own tests.
const SERVER: &str = include_str!("../../../crates/fastopen/examples/server/server.rs");
/// Set for the process that is the client.
const WANTED: &str = "FASTOPEN_README_CLIENT";

mod client {
    include!("../../../crates/fastopen/examples/client/client.rs");

    pub(super) fn run() -> std::io::Result<()> {
        main()
    }
}

pub(crate) fn is_wanted() -> bool {
    env::var_os(WANTED).is_some()
}

pub(crate) fn main() -> ExitCode {
    match client::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

pub(crate) fn tests() -> impl Iterator<Item = LabTest> {
    [
        test("readme::it_has_the_examples_verbatim", || {
            for example in [CLIENT, SERVER] {
                assert!(
                    README.contains(&format!("```rust,no_run\n{example}```\n")),
                    "{example}"
                );
            }
            assert!(LIBRARY_README.contains(CLIENT));
        }),
        test("readme::the_client_asks_nginx", the_client_asks_nginx),
    ]
    .into_iter()
}

fn the_client_asks_nginx() {
    let site = Site::new(&Scenario::new("clean"));
    let server = site.lab.server().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let _nginx = nginx(server, directory.path());
    let hosts = directory.path().join("hosts");
    fs::write(&hosts, format!("{} example.com\n", server.ipv4())).unwrap();
    for outcome in ["no-cookie", "accepted"] {
        let mut command = program(site.lab.client().unwrap(), "unshare");
        command
            .args([
                "--mount",
                "sh",
                "-ec",
                "mount --bind \"$0\" /etc/hosts; exec \"$1\"",
            ])
            .arg(&hosts)
            .arg(env::current_exe().unwrap())
            .env(WANTED, "1");
        let output = command.output().unwrap();
        let (told, said) = (
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        );
        assert!(output.status.success(), "{said}");
        assert_eq!(said.trim_end(), outcome);
        assert!(told.starts_with("HTTP/1.1 200 OK\r\n"), "{told}");
        assert!(told.ends_with("hello"), "{told}");
    }
}
