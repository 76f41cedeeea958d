//! Sockets, against those that were made and against ss.

use std::net::{SocketAddr, TcpStream};

use fastopen_host::sockets::{self, Filter, Socket, State};
use fastopen_lab::{Lab, Moment, Rule, SegmentKind};

use crate::net;

/// `TCPI_OPT_SYN_DATA`, in the options at byte 5 of `struct tcp_info`.
const SYN_DATA: u8 = 0x20;

pub(crate) fn they_agree_with_ss() {
    let lab = net::lab();
    let (client, server) = (lab.client().unwrap(), lab.server().unwrap());
    for address in server.addresses() {
        let listener = net::listen(server, address);
        let _connections = net::connect_fast_often(client, &listener, 2);
        for host in [client, server] {
            let ss = net::output(host, "ss", &["-Htna"]);
            let mut told: Vec<String> = ss
                .lines()
                .map(|line| {
                    line.split_ascii_whitespace()
                        .skip(3)
                        .take(2)
                        .collect::<Vec<_>>()
                        .join(" ")
                })
                .collect();
            let mut found: Vec<String> = host
                .run(|| sockets::list(&Filter::new()))
                .unwrap()
                .iter()
                .map(as_ss)
                .collect();
            told.sort();
            found.sort();
            assert_eq!(found, told);
            assert!(found.len() >= 3);
        }
    }
}

/// ss writes a listener's other side with a star for the port.
fn as_ss(socket: &Socket) -> String {
    let remote = match socket.remote.port() {
        0 => socket.remote.to_string().replace(":0", ":*"),
        _ => socket.remote.to_string(),
    };
    format!("{} {remote}", socket.local)
}

pub(crate) fn filters_filter() {
    let lab = net::lab();
    let (client, server) = (lab.client().unwrap(), lab.server().unwrap());
    let [one, other] = server.addresses().map(|address| net::listen(server, address));
    let _connections = (
        net::connect_fast_often(client, &one, 1),
        net::connect_fast_often(client, &other, 2),
    );
    let (one, other) = (
        one.local_addr().unwrap().port(),
        other.local_addr().unwrap().port(),
    );
    let count = |filter: Filter| server.run(|| sockets::list(&filter)).unwrap().len();

    assert_eq!(count(Filter::new()), 2 + 2 + 3);
    assert_eq!(count(Filter::new().with_states([State::Listen])), 2);
    assert_eq!(count(Filter::new().with_states([State::Established])), 2 + 3);
    assert_eq!(count(Filter::new().with_local_port(one)), 1 + 2);
    assert_eq!(
        count(Filter::new().with_states([State::Listen]).with_local_port(other)),
        1
    );
    assert_eq!(count(Filter::new().with_remote_port(one)), 0);
    assert_eq!(count(Filter::new().with_states([])), 0);
    let at_client = client
        .run(|| sockets::list(&Filter::new().with_remote_port(other)))
        .unwrap();
    assert_eq!(at_client.len(), 3);
}

pub(crate) fn connections_before_the_last_ack_have_a_tcp_info() {
    let lab = net::lab();
    let (client, server) = (lab.client().unwrap(), lab.server().unwrap());
    for address in server.addresses() {
        let listener = net::listen(server, address);
        let _got_a_cookie = net::connect_fast_often(client, &listener, 0);
        hold_the_last_ack(&lab);
        let fast = net::connect_fast(client, listener.local_addr().unwrap());
        let plain = client
            .run(|| TcpStream::connect(listener.local_addr().unwrap()))
            .unwrap();

        let half_open = Filter::new().with_states([State::SynRecv]);
        let found = server.run(|| sockets::list(&half_open)).unwrap();
        let of = |stream: &TcpStream| find(&found, stream.local_addr().unwrap());
        let info = of(&fast).tcp_info.as_deref().unwrap();
        assert_eq!(
            (info[0], info[5] & SYN_DATA),
            (3, SYN_DATA),
            "the state and the options"
        );
        assert_eq!(of(&plain).tcp_info, None);
        lab.set_rules([]).unwrap();
    }
}

fn hold_the_last_ack(lab: &Lab) {
    let rule = Rule::hold(Moment::Released)
        .from("client")
        .on(SegmentKind::HandshakeAck);
    lab.set_rules([rule]).unwrap();
}

fn find(sockets: &[Socket], remote: SocketAddr) -> &Socket {
    sockets
        .iter()
        .find(|socket| socket.remote == remote)
        .unwrap_or_else(|| panic!("{remote} is not among {sockets:?}"))
}

pub(crate) fn a_long_list_comes_one_by_one() {
    const CONNECTIONS: usize = 400;
    let lab = net::lab();
    let server = lab.server().unwrap();
    // Within the host, so that it does not take a round trip each.
    let listener = net::listen(server, server.ipv4().into());
    let connections = net::connect_fast_often(server, &listener, CONNECTIONS - 1);

    let dump = server
        .run(|| sockets::dump(&Filter::new().with_states([State::Established])))
        .unwrap();
    let found: Vec<_> = dump.map(Result::unwrap).collect();
    assert_eq!(found.len(), 2 * CONNECTIONS);
    assert!(found.iter().all(|socket| socket.tcp_info.is_some()));
    drop(connections);
}
