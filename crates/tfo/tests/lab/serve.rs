//! `tfo serve`: what it tells of its connections, and what it answers.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use fastopen_lab::testing::{LabTest, test};
use fastopen_lab::{Lab, Scenario};

use crate::programs::{Server, client, connect, echo, event, lab, milliseconds, near, send, server, target};

pub(crate) fn tests() -> Vec<LabTest> {
    vec![
        test("each_arrival_is_told", each_arrival_is_told),
        test("confirmation_takes_a_round_trip", confirmation_takes_a_round_trip),
        test(
            "a_replay_is_served_and_never_confirmed",
            a_replay_is_never_confirmed,
        ),
        test("half_a_close_is_no_close", half_a_close_is_no_close),
        test("http_is_answered", http_is_answered),
        test("discard_answers_nothing", discard_answers_nothing),
        test("idle_connections_end", idle_connections_end),
        test("resets_are_told", resets_are_told),
        test("keys_of_its_own_make_the_cookies", keys_make_the_cookies),
        test("a_server_that_is_off_says_what_to_do", a_server_that_is_off),
        test(
            "the_queue_is_what_the_kernel_made_of_it",
            the_queue_is_the_kernels,
        ),
        test("a_server_that_fails_is_an_object_too", a_server_that_fails),
    ]
}

fn each_arrival_is_told() {
    let lab = near();
    let tfo = Server::start(server(&lab), &[]);
    for address in server(&lab).addresses() {
        let target = target(address, tfo.port);
        let (reports, status) = send(client(&lab), &["-n2", &target, "hello"]);
        assert_eq!(status, 0);
        let plain = send(client(&lab), &["--policy", "off", &target, "hello"]);
        assert_eq!(plain.1, 0);
        for (arrival, option, syn_bytes) in [
            ("cookie-requested", "request", 0),
            ("fast", "cookie", 5),
            ("plain", "absent", 0),
        ] {
            let arrived = tfo.next("arrived");
            assert_eq!(arrived["arrival"], arrival);
            assert_eq!(arrived["syn_option"], option);
            assert_eq!(arrived["syn_bytes"], syn_bytes);
            assert_eq!(arrived["syn_data_accepted"], syn_bytes > 0);
            assert_eq!(arrived["cookie"].is_string(), option == "cookie");
            let ended = tfo.next("ended");
            assert_eq!(ended["id"], arrived["id"]);
            assert_eq!(ended["confirmed"], true);
            assert_eq!((&ended["received"], &ended["sent"]), (&5.into(), &5.into()));
            assert_eq!(ended["end"], "closed");
        }
        // Both ends speak of the same connection.
        assert_eq!(reports[1]["address"], target);
        assert_eq!(reports[1]["outcome"], "accepted");
    }
    let summary = tfo.stop();
    for (name, count) in [
        ("connections", 6),
        ("fast", 2),
        ("cookie_requested", 2),
        ("plain", 2),
        ("unconfirmed", 0),
        ("received", 30),
        ("sent", 30),
    ] {
        assert_eq!(summary[name], count, "{name}");
    }
}

fn confirmation_takes_a_round_trip() {
    let lab = lab(Duration::from_millis(60));
    let tfo = Server::start(server(&lab), &[]);
    for address in server(&lab).addresses() {
        send(client(&lab), &["-n2", &target(address, tfo.port), "hello"]);
        tfo.next("arrived");
        tfo.next("ended");
        assert_eq!(tfo.next("arrived")["confirmed_on_arrival"], false);
        let ended = tfo.next("ended");
        assert_eq!(ended["confirmed"], true);
        let after = milliseconds(&ended["confirmed_ms"]);
        assert!((55.0..100.0).contains(&after), "{after} ms");
    }
}

fn a_replay_is_never_confirmed() {
    let lab = Lab::new(&Scenario::named("replay").unwrap()).unwrap();
    let tfo = Server::start(server(&lab), &["--handshake-timeout", "3s"]);
    let target = target(server(&lab).ipv4().into(), tfo.port);
    assert_eq!(send(client(&lab), &["-n2", &target, "hello"]).1, 0);
    // The client's two connections and the replay of the second arrive and end, in whatever order.
    let events: Vec<_> = (0..6).map(|_| tfo.next_of_any_kind()).collect();
    let (replays, own): (Vec<_>, Vec<_>) = events
        .iter()
        .filter(|event| event["event"] == "ended")
        .partition(|event| event["peer"].as_str().unwrap().ends_with(":4242"));
    assert_eq!((replays.len(), own.len()), (1, 2));
    assert!(own.iter().all(|ended| ended["confirmed"] == true), "{own:?}");
    let replay = replays[0];
    assert_eq!(
        (&replay["arrival"], &replay["syn_bytes"]),
        (&"fast".into(), &5.into())
    );
    assert_eq!(
        (&replay["confirmed"], &replay["end"]),
        (&false.into(), &"unconfirmed".into())
    );
    assert_eq!(replay["received"], 5, "the application saw the data");
    let summary = tfo.stop();
    assert_eq!(
        (&summary["fast"], &summary["unconfirmed"]),
        (&2.into(), &1.into())
    );
}

fn half_a_close_is_no_close() {
    let lab = near();
    let tfo = Server::start(server(&lab), &[]);
    let mut stream = connect(client(&lab), server(&lab).ipv4().into(), tfo.port);
    let said = vec![7; 300_000];
    let mut writer = stream.try_clone().unwrap();
    let expected = said.clone();
    let writing = std::thread::spawn(move || {
        writer.write_all(&said).unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
    });
    let mut back = Vec::new();
    stream.read_to_end(&mut back).unwrap();
    assert!(back == expected);
    writing.join().unwrap();
}

fn http_is_answered() {
    let lab = near();
    let tfo = Server::start(server(&lab), &["--http"]);
    let ask = |request: &str| {
        let mut stream = connect(client(&lab), server(&lab).ipv6().into(), tfo.port);
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let get = ask("GET / HTTP/1.1\r\nHost: lab\r\n\r\n");
    assert!(get.starts_with("HTTP/1.1 200 OK\r\n"), "{get}");
    let (head, page) = get.split_once("\r\n\r\n").unwrap();
    assert_eq!(page, "plain\n");
    assert!(
        head.contains(&format!("\r\nContent-Length: {}\r\n", page.len())),
        "{head}"
    );
    let only_head = ask("HEAD / HTTP/1.1\r\nHost: lab\r\n\r\n");
    assert!(only_head.ends_with("\r\n\r\n"), "{only_head}");
    // What is behind the request is read, so that the answer is not lost in a reset.
    let post = ask(&format!(
        "POST / HTTP/1.1\r\nHost: lab\r\nContent-Length: 100000\r\n\r\n{}",
        "a".repeat(100_000)
    ));
    assert!(post.starts_with("HTTP/1.1 405 "), "{post}");
    let two_lengths = ask("GET / HTTP/1.1\r\nHost: lab\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na");
    assert!(two_lengths.starts_with("HTTP/1.1 400 "), "{two_lengths}");
    assert!(two_lengths.contains("\r\nConnection: close\r\n"), "{two_lengths}");
}

fn discard_answers_nothing() {
    let lab = near();
    let tfo = Server::start(server(&lab), &["--discard"]);
    let (reports, _) = send(
        client(&lab),
        &[&target(server(&lab).ipv4().into(), tfo.port), "hello"],
    );
    assert_eq!(
        (&reports[0]["received"], &reports[0]["end"]),
        (&0.into(), &"closed".into())
    );
    tfo.next("arrived");
    let ended = tfo.next("ended");
    assert_eq!((&ended["received"], &ended["sent"]), (&5.into(), &0.into()));
}

fn idle_connections_end() {
    let lab = near();
    let tfo = Server::start(server(&lab), &["--idle-timeout", "200ms"]);
    let mut stream = connect(client(&lab), server(&lab).ipv4().into(), tfo.port);
    echo(&mut stream, b"still here");
    assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0);
    tfo.next("arrived");
    assert_eq!(tfo.next("ended")["end"], "idle");
}

fn resets_are_told() {
    let lab = near();
    let tfo = Server::start(server(&lab), &[]);
    let mut stream = connect(client(&lab), server(&lab).ipv4().into(), tfo.port);
    echo(&mut stream, b"hello");
    stream.write_all(b"unread").unwrap();
    // Closing with something unread resets the connection.
    stream.peek(&mut [0; 1]).unwrap();
    drop(stream);
    tfo.next("arrived");
    assert_eq!(tfo.next("ended")["end"], "reset");
}

fn keys_make_the_cookies() {
    let lab = near();
    let text = "a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4";
    let mut command = server(&lab).command(env!("CARGO_BIN_EXE_tfo")).unwrap();
    command.args(["serve", "--json", ":0"]).env("TFO_KEY", text);
    let tfo = Server::from_command(command);
    let key: fastopen::Key = text.parse().unwrap();
    for address in server(&lab).addresses() {
        send(client(&lab), &["-n2", &target(address, tfo.port), "hello"]);
        tfo.next("arrived");
        tfo.next("ended");
        let cookie = key.cookie(client(&lab).address_like(address), address).unwrap();
        assert_eq!(tfo.next("arrived")["cookie"], cookie.to_string());
        tfo.next("ended");
    }
}

fn a_server_that_is_off() {
    let lab = near();
    server(&lab).set_sysctl("net.ipv4.tcp_fastopen", "1").unwrap();
    let tfo = Server::start(server(&lab), &[]);
    let warning = tfo.listening["warnings"][0].as_str().unwrap();
    assert!(warning.contains("sysctl -w net.ipv4.tcp_fastopen=3"), "{warning}");
}

fn the_queue_is_the_kernels() {
    let lab = near();
    server(&lab).set_sysctl("net.core.somaxconn", "300").unwrap();
    for (asked, got) in [
        ("4294967295", 300),
        ("301", 300),
        ("300", 300),
        ("7", 7),
        ("0", 0),
    ] {
        let tfo = Server::start(server(&lab), &["--queue", asked]);
        assert_eq!(tfo.listening["queue"], got, "{asked}");
        let warnings = tfo.listening["warnings"].as_array().unwrap();
        assert_eq!(
            warnings.len(),
            usize::from(got == 300 && asked != "300"),
            "{warnings:?}"
        );
    }
}

fn a_server_that_fails() {
    let lab = near();
    let taken = Server::start(server(&lab), &[]);
    let port = format!(":{}", taken.port);
    for arguments in [
        &[port.as_str()][..],
        &["no..body:1"],
        &["10.9.9.9:0"],
        &["--key-file", "/dev/zero", ":0"],
    ] {
        let mut command = server(&lab).command(env!("CARGO_BIN_EXE_tfo")).unwrap();
        let output = command
            .args(["serve", "--json"])
            .args(arguments)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let line = String::from_utf8(output.stdout).unwrap();
        let failed = event(&line, "failed");
        let said = String::from_utf8(output.stderr).unwrap();
        let error = failed["error"].as_str().unwrap();
        assert!(
            said.contains(error.split(": ").next().unwrap()),
            "{error:?} is not in {said}"
        );
    }
}
