//! The example with the bare system calls: that it shows what it says, on a machine that is ready for it and on one that is not.

use std::process::Command;
use std::{env, thread};

use fastopen_lab::Scenario;
use fastopen_lab::testing::{LabTest, test};

use crate::support::lab;

#[path = "../../examples/bare_calls.rs"]
#[allow(dead_code, reason = "its main function is for cargo run")]
mod example;

/// Set in a process that is to be the example; its value is whether that may have a network of its own.
const SHOW: &str = "FASTOPEN_TEST_BARE_CALLS";

pub(crate) fn tests() -> impl Iterator<Item = LabTest> {
    [
        test(
            "bare_calls::the_second_connection_saves_a_round_trip",
            the_second_connection_saves_a_round_trip,
        ),
        test(
            "bare_calls::without_the_server_bit_it_says_what_is_missing",
            without_the_server_bit_it_says_what_is_missing,
        ),
    ]
    .into_iter()
}

/// Runs the example and never returns, in a process that was started for that.
pub(crate) fn show_if_asked() {
    let Ok(how) = env::var(SHOW) else { return };
    if how == "here" {
        // A process with several threads can't enter a user namespace: unshare(2).
        thread::spawn(thread::park);
    }
    example::show().unwrap();
    std::process::exit(0);
}

fn printed(mut command: Command, how: &str) -> String {
    let output = command.env(SHOW, how).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn the_second_connection_saves_a_round_trip() {
    let printed = printed(Command::new(env::current_exe().unwrap()), "in its own network");
    assert_eq!(
        printed,
        "in a network namespace of its own, with net.ipv4.tcp_fastopen=3
connection 1
  sendto(MSG_FASTOPEN): Operation now in progress (os error 115)
  client: sendto() put 0 bytes in the SYN
  server: read 7 bytes, from the SYN: false
  server: the client is confirmed
  client: received \"answer\"
  client: no cookie: this SYN requested one
connection 2
  client: sendto() put 7 bytes in the SYN
  server: read 7 bytes, from the SYN: true
  server: the client is confirmed
  client: received \"answer\"
  client: accepted: the SYN-ACK acknowledged the data, one round trip was saved
"
    );
}

fn without_the_server_bit_it_says_what_is_missing() {
    let lab = lab(&Scenario::new("stock"));
    let host = lab.client().unwrap();
    host.set_sysctl("net.ipv4.tcp_fastopen", "1").unwrap();
    let printed = printed(host.command(env::current_exe().unwrap()).unwrap(), "here");
    assert!(
        printed.contains("in this machine's network (Invalid argument (os error 22))"),
        "{printed}"
    );
    assert!(
        printed.contains("to fix it: sysctl -w net.ipv4.tcp_fastopen=3"),
        "{printed}"
    );
    assert_eq!(printed.matches("client: no cookie").count(), 2, "{printed}");
}
