//! `tcp-fast-open`: the classic command line, with the answer.

use std::net::{IpAddr, TcpListener};
use std::process::Output;
use std::thread;

use fastopen_lab::testing::{LabTest, test};
use fastopen_lab::{Host, Lab, Scenario};

use crate::programs::{Server, client, near, server};

pub(crate) fn tests() -> Vec<LabTest> {
    vec![
        test(
            "it_listens_and_connects_to_itself",
            it_listens_and_connects_to_itself,
        ),
        test(
            "it_says_that_the_server_bit_is_off",
            it_says_that_the_server_bit_is_off,
        ),
        test(
            "it_is_the_client_of_a_server_elsewhere",
            it_is_the_client_of_a_server_elsewhere,
        ),
        test(
            "it_connects_to_the_port_that_was_bound",
            it_connects_to_the_port_that_was_bound,
        ),
        test("without_an_answer_it_is_unclear", without_an_answer_it_is_unclear),
        test("a_refused_syn_is_no_drop", a_refused_syn_is_no_drop),
        test(
            "its_advice_names_no_option_that_it_lacks",
            its_advice_names_no_option_that_it_lacks,
        ),
    ]
}

pub(crate) fn tcp_fast_open(host: &Host, arguments: &[&str]) -> (String, Option<i32>) {
    let mut command = host.command(env!("CARGO_BIN_EXE_tcp-fast-open")).unwrap();
    let Output {
        status,
        stdout,
        stderr,
    } = command.args(arguments).output().unwrap();
    let errors = String::from_utf8(stderr).unwrap();
    assert_eq!(errors, "");
    (String::from_utf8(stdout).unwrap(), status.code())
}

fn it_listens_and_connects_to_itself() {
    let lab = near();
    for address in ["127.0.0.1", "::1"] {
        let (said, status) = tcp_fast_open(server(&lab), &["-l", "-s", address]);
        assert_eq!(status, Some(0), "{said}");
        for part in [
            "client  no-cookie",
            "server  cookie-requested",
            "client  accepted",
            "25 of 25 bytes in the SYN",
            "server  fast, 25 bytes in the SYN, cookie ",
            "confirmed",
            "received 25 bytes, sent 25 bytes",
            "the greeting came back",
            " worked\n",
        ] {
            assert!(said.contains(part), "{part:?} is not in: {said}");
        }
    }
}

fn it_says_that_the_server_bit_is_off() {
    let lab = near();
    server(&lab).set_sysctl("net.ipv4.tcp_fastopen", "1").unwrap();
    let (said, status) = tcp_fast_open(server(&lab), &["--listen"]);
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("sysctl -w net.ipv4.tcp_fastopen=3"), "{said}");
    assert!(said.contains("the greeting came back"), "{said}");
}

fn it_is_the_client_of_a_server_elsewhere() {
    let lab = near();
    let tfo = Server::start(server(&lab), &[]);
    for address in server(&lab).addresses() {
        let (address, port) = (IpAddr::to_string(&address), tfo.port.to_string());
        let (said, status) = tcp_fast_open(client(&lab), &["--server", &address, "--port", &port]);
        assert_eq!(status, Some(0), "{said}");
        assert!(said.contains("client  accepted"), "{said}");
    }
    let (said, status) = tcp_fast_open(client(&lab), &["-s", &server(&lab).ipv4().to_string(), "-p", "9"]);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("not connected: "), "{said}");
}

fn it_connects_to_the_port_that_was_bound() {
    let lab = near();
    for arguments in [&["-l", "-p", "0"][..], &["-listen", "-port=0", "-server=::1"]] {
        let (said, status) = tcp_fast_open(server(&lab), arguments);
        assert_eq!(status, Some(0), "{said}");
        let port = said
            .lines()
            .next()
            .and_then(|line| line.rsplit(':').next())
            .unwrap();
        assert_ne!(port, "0", "{said}");
        assert!(said.contains(&format!(":{port} worked")), "{said}");
    }
}

fn its_advice_names_no_option_that_it_lacks() {
    let lab = near();
    let address = server(&lab).ipv4().to_string();
    let nobody = "192.0.2.99";
    for arguments in [&["-s", nobody][..], &["-s", &address, "-p", "9"]] {
        let (said, status) = tcp_fast_open(client(&lab), arguments);
        assert_eq!(status, Some(1), "{said}");
        assert!(said.contains("hint: "), "{said}");
        for option in ["--timeout", "--policy", "--source", "--interface", "--mark"] {
            assert!(!said.contains(option), "{said}");
        }
    }
    // Options that both programs have, or none, and their order does not matter.
    let (said, status) = tcp_fast_open(server(&lab), &["-s", "-p", "-l"]);
    assert_eq!(status, Some(0), "{said}");
}

fn without_an_answer_it_is_unclear() {
    let lab = near();
    let listener: TcpListener = server(&lab).run(|| fastopen::listen("[::]:0")).unwrap();
    let (address, port) = (
        server(&lab).ipv4().to_string(),
        listener.local_addr().unwrap().port(),
    );
    thread::spawn(move || {
        let kept: Vec<_> = listener.incoming().collect();
        drop(kept);
    });
    let (said, status) = tcp_fast_open(client(&lab), &["-s", &address, "-p", &port.to_string()]);
    assert!(said.contains("client  accepted"), "{said}");
    assert!(said.contains("answer  none"), "{said}");
    assert!(!said.contains("worked"), "{said}");
    assert!(said.contains("gave no clear result"), "{said}");
    assert!(said.contains("hint: only an answer shows"), "{said}");
    assert_eq!(status, Some(3), "{said}");
}

fn a_refused_syn_is_no_drop() {
    let lab = Lab::new(&Scenario::named("reset").unwrap()).unwrap();
    let tfo = Server::start(server(&lab), &[]);
    let (address, port) = (server(&lab).ipv4().to_string(), tfo.port.to_string());
    let (said, status) = tcp_fast_open(client(&lab), &["-s", &address, "-p", &port]);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("answered with a reset"), "{said}");
    assert!(!said.contains("drops"), "{said}");
}
