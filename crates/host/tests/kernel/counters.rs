//! Counters, against connections that were made and against nstat.

use fastopen_host::counters::{Counter, Counters};

use crate::net;

pub(crate) fn they_count_connections() {
    let lab = net::lab();
    let (client, server) = (lab.client().unwrap(), lab.server().unwrap());
    let read = || {
        (
            client.run(Counters::read).unwrap(),
            server.run(Counters::read).unwrap(),
        )
    };
    for address in server.addresses() {
        let before = read();
        let listener = net::listen(server, address);
        let _connections = net::connect_fast_often(client, &listener, 3);
        let after = read();

        let at_client = after.0.since(&before.0);
        assert_eq!(at_client.get(Counter::Active), Some(3));
        assert_eq!(at_client.get(Counter::ActiveFail), Some(0));
        assert_eq!(at_client.get(Counter::Passive), Some(0));
        let at_server = after.1.since(&before.1);
        assert_eq!(at_server.get(Counter::Passive), Some(3));
        assert_eq!(at_server.get(Counter::CookieRequested), Some(1));
        assert_eq!(at_server.get(Counter::Active), Some(0));
    }
}

pub(crate) fn they_agree_with_nstat() {
    let lab = net::lab();
    let (client, server) = (lab.client().unwrap(), lab.server().unwrap());
    let listener = net::listen(server, server.ipv4().into());
    let _connections = net::connect_fast_often(client, &listener, 2);
    for host in [client, server] {
        let counters = host.run(Counters::read).unwrap();
        let nstat = net::output(host, "nstat", &["-asz"]);
        for (counter, value) in counters.iter() {
            let line = nstat
                .lines()
                .find_map(|line| line.strip_prefix(&format!("TcpExt{} ", counter.name())));
            let told = line.and_then(|line| line.split_ascii_whitespace().next());
            assert_eq!(told, Some(value.to_string().as_str()), "{counter:?}");
        }
    }
}

pub(crate) fn each_thread_reads_its_own_namespace() {
    let lab = net::lab();
    let (client, server) = (lab.client().unwrap(), lab.server().unwrap());
    let outside = Counters::read().unwrap();
    let listener = net::listen(server, server.ipv4().into());
    let _connections = net::connect_fast_often(client, &listener, 1);
    assert_eq!(
        Counters::read().unwrap().since(&outside).get(Counter::Passive),
        Some(0)
    );
    assert_eq!(client.run(Counters::read).unwrap().get(Counter::Passive), Some(0));
    assert_eq!(server.run(Counters::read).unwrap().get(Counter::Passive), Some(1));
}
