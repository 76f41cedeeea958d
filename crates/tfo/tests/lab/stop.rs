//! `tfo serve`: how it ends.

use std::io::Read;
use std::process::Stdio;

use fastopen_lab::testing::{LabTest, test};
use rustix::process::Signal;

use crate::programs::{Program, Server, client, connect, echo, near, server, wait};

pub(crate) fn tests() -> Vec<LabTest> {
    vec![
        test("ctrl_c_lets_connections_end", ctrl_c_lets_connections_end),
        test("a_second_ctrl_c_cuts_them_off", a_second_ctrl_c_cuts_them_off),
        test("a_summary_for_people", a_summary_for_people),
        test(
            "serve_ends_quietly_with_its_reader",
            it_ends_quietly_with_its_reader,
        ),
    ]
}

fn ctrl_c_lets_connections_end() {
    let lab = near();
    let mut tfo = Server::start(server(&lab), &[]);
    let address = server(&lab).ipv4();
    let mut stream = connect(client(&lab), address.into(), tfo.port);
    echo(&mut stream, b"before");
    tfo.next("arrived");
    tfo.program.signal(Signal::TERM);
    while client(&lab)
        .run(|| std::net::TcpStream::connect((address, tfo.port)))
        .is_ok()
    {}
    echo(&mut stream, b"after");
    assert!(
        tfo.program.child().try_wait().unwrap().is_none(),
        "it waits for the connection"
    );
    drop(stream);
    let (lines, errors, status) = tfo.program.end();
    assert_eq!(status.code(), Some(0));
    assert!(errors.contains("stopping, with 1 connection"), "{errors}");
    let summary: serde_json::Value = serde_json::from_str(lines.last().unwrap()).unwrap();
    assert_eq!(
        (&summary["event"], &summary["received"]),
        (&"summary".into(), &11.into())
    );
}

fn a_second_ctrl_c_cuts_them_off() {
    let lab = near();
    let tfo = Server::start(server(&lab), &[]);
    let mut stream = connect(client(&lab), server(&lab).ipv4().into(), tfo.port);
    echo(&mut stream, b"hello");
    tfo.next("arrived");
    tfo.program.signal(Signal::INT);
    while client(&lab)
        .run(|| std::net::TcpStream::connect((server(&lab).ipv4(), tfo.port)))
        .is_ok()
    {}
    tfo.program.signal(Signal::INT);
    let (lines, errors, status) = tfo.program.end();
    assert_eq!(status.code(), Some(0), "{errors}");
    let cut_off = lines
        .iter()
        .filter(|line| line.contains(r#""end":"cut-off""#))
        .count();
    assert!(cut_off >= 1, "{lines:?}");
    assert!(lines.last().unwrap().contains(r#""event":"summary""#));
    assert_eq!(
        stream.read(&mut [0; 1]).unwrap_or(0),
        0,
        "the connection is closed"
    );
}

fn a_summary_for_people() {
    let lab = near();
    let mut command = server(&lab).command(env!("CARGO_BIN_EXE_tfo")).unwrap();
    command.args(["serve", ":2222"]);
    let program = Program::start(command);
    assert_eq!(
        program.next_line(),
        "listening on [::]:2222 (echo), room for 1024 unconfirmed fast connections"
    );
    drop(connect(client(&lab), server(&lab).ipv4().into(), 2222));
    let client = client(&lab).ipv4();
    assert!(program.next_line().starts_with(&format!("    1  {client}:")));
    assert!(
        program
            .next_line()
            .starts_with("    1  received 0 bytes, sent 0 bytes, closed after ")
    );
    program.signal(Signal::INT);
    let (lines, _, status) = program.end();
    assert_eq!(
        lines,
        ["1 connection: 0 fast, 0 cookie-requested, 1 plain; received 0 bytes, sent 0 bytes"]
    );
    assert_eq!(status.code(), Some(0));
}

fn it_ends_quietly_with_its_reader() {
    let lab = near();
    let mut command = server(&lab).command(env!("CARGO_BIN_EXE_tfo")).unwrap();
    command
        .args(["serve", ":2222"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut [0; 9]).unwrap();
    drop(stdout);
    // Each connection makes it print.
    while child.try_wait().unwrap().is_none() {
        let _ = client(&lab).run(|| std::net::TcpStream::connect((server(&lab).ipv4(), 2222)));
    }
    assert_eq!(wait(&mut child).code(), Some(0));
    let mut errors = String::new();
    child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    assert_eq!(errors, "");
}
