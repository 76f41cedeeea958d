//! Waiting for the client's proof: what completes it, what ends it, and that nobody else is disturbed.

mod waiting;
mod with_tokio;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use fastopen::{FastOpen, ListenOptions, ReplaySafe};
use fastopen_lab::testing::{LabTest, test};
use fastopen_lab::{Lab, Moment, RawConnection, RawPeer, Rule, SegmentKind};

use crate::support::{LONG, PORT, at, connector, get_cookie};

const RTT: Duration = Duration::from_millis(100);

pub(crate) fn tests() -> impl Iterator<Item = LabTest> {
    [
        test(
            "confirmation::a_replayed_syn_never_confirms",
            waiting::a_replayed_syn_never_confirms,
        ),
        test("confirmation::a_late_ack_confirms", || {
            waiting::a_late_ack_confirms(waiting::Buffer::Free);
        }),
        test(
            "confirmation::a_late_ack_confirms_with_a_full_send_buffer",
            || waiting::a_late_ack_confirms(waiting::Buffer::Full),
        ),
        test(
            "confirmation::an_ack_confirms_while_the_send_buffer_stays_full",
            waiting::an_ack_confirms_while_the_send_buffer_stays_full,
        ),
        test("confirmation::a_reset_ends_it", waiting::a_reset_ends_it),
        test(
            "confirmation::a_shut_down_connection_still_waits_for_the_ack",
            waiting::a_shut_down_connection_still_waits_for_the_ack,
        ),
        test(
            "confirmation::the_wait_has_a_limit",
            waiting::the_wait_has_a_limit,
        ),
        test(
            "confirmation::a_kept_peer_does_not_keep_the_connection_open",
            with_tokio::a_kept_peer_does_not_keep_the_connection_open,
        ),
        test(
            "confirmation::a_peer_has_a_task_only_while_there_is_something_to_wait_for",
            with_tokio::a_peer_has_a_task_only_while_there_is_something_to_wait_for,
        ),
        test(
            "confirmation::an_ordinary_handshake_is_confirmed_at_once",
            waiting::an_ordinary_handshake_is_confirmed_at_once,
        ),
        test(
            "confirmation::readers_and_writers_are_not_disturbed",
            with_tokio::readers_and_writers_are_not_disturbed,
        ),
        test(
            "confirmation::only_the_servers_end_can_be_confirmed",
            waiting::only_the_servers_end_can_be_confirmed,
        ),
        test(
            "confirmation::a_blocking_socket_is_refused",
            with_tokio::a_blocking_socket_is_refused,
        ),
    ]
    .into_iter()
}

/// A listener in the server, and the client's cookie for it.
fn listener_with_a_cookie(lab: &Lab, family: usize) -> (TcpListener, SocketAddr) {
    let (client, server) = (lab.client().unwrap(), lab.server().unwrap());
    let address = at(server.addresses()[family]);
    let options = ListenOptions::new().with_handshake_timeout(Duration::from_secs(3));
    let listener = server.run(|| options.listen(("::", PORT))).unwrap().listener;
    thread::scope(|scope| {
        scope.spawn(|| {
            let (mut first, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            first
                .read_to_end(&mut request)
                .and_then(|_| first.write_all(&request))
                .unwrap();
        });
        get_cookie(client, address);
    });
    (listener, address)
}

/// An accepted connection whose confirming ACK is held back, and the client's end of it.
fn held(lab: &Lab, family: usize) -> (TcpStream, TcpStream) {
    let (listener, address) = listener_with_a_cookie(lab, family);
    lab.set_rules([Rule::hold(Moment::Released)
        .from("client")
        .on(SegmentKind::HandshakeAck)])
        .unwrap();
    let client = lab.client().unwrap();
    let connected = client.run(|| connector().connect(address, ReplaySafe("order")));
    (listener.accept().unwrap().0, connected.unwrap().stream)
}

/// An accepted connection whose client is a raw peer that has sent its SYN with a cookie and data, and nothing after it.
fn unconfirmed_by_a_raw_peer(lab: &Lab, family: usize) -> (TcpStream, RawConnection, RawPeer) {
    let server = lab.server().unwrap();
    let listener = server.run(|| fastopen::listen(("::", PORT))).unwrap();
    let target = at(server.addresses()[family]);
    let mut peer = lab.host("peer").unwrap().raw_peer().unwrap();
    let request = peer.connect(&peer.syn(target).with_fast_open(&[]), LONG).unwrap();
    let FastOpen::Cookie(_, cookie) = request.fast_open() else {
        panic!("no cookie")
    };
    listener.accept().unwrap();
    let syn = peer
        .syn(target)
        .with_fast_open(cookie.as_bytes())
        .with_data("order");
    peer.send(&syn).unwrap();
    let half_open = peer.half_open(&syn, LONG).unwrap();
    let (stream, _) = listener.accept().unwrap();
    (stream, half_open, peer)
}
