//! The table of what travels early: what was in the SYN, what was early data, and what ran before the client was confirmed, by client
//! protocol, method and server.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use fastopen::for_hyper::HttpConnector;
use fastopen::for_rustls::{HttpsConnector, allow_early_data};
use fastopen::for_tokio::LazyStream;
use fastopen::for_tower::ConfirmLayer;
use fastopen_examples::certificate::Certificate;
use fastopen_examples::lab::{Site, connector};
use fastopen_lab::testing::{LabTest, on_failure, test};
use fastopen_lab::{Capture, HostSpec, Point, Scenario};
use http::{Request, Version};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::Connect;
use hyper_util::rt::TokioExecutor;
use rustls::ClientConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;

use crate::foreign::{Nginx, Openssl};
use crate::server::{Log, serve};
use crate::syn::{InSyn, in_syn};

pub(crate) fn tests() -> impl Iterator<Item = LabTest> {
    [test("table::what_travels_early", what_travels_early)].into_iter()
}

const METHODS: [&str; 8] = [
    "GET", "HEAD", "POST", "gRPC", "DELETE", "QUERY", "CONNECT", "Upgrade",
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tls {
    Without,
    Full,
    Resumed,
}

#[derive(Clone, Copy, Debug)]
struct Protocol {
    name: &'static str,
    version: Version,
    tls: Tls,
}

const PROTOCOLS: [Protocol; 6] = [
    Protocol {
        name: "HTTP/1.1",
        version: Version::HTTP_11,
        tls: Tls::Without,
    },
    Protocol {
        name: "h2",
        version: Version::HTTP_2,
        tls: Tls::Without,
    },
    Protocol {
        name: "HTTP/1.1, TLS",
        version: Version::HTTP_11,
        tls: Tls::Full,
    },
    Protocol {
        name: "h2, TLS",
        version: Version::HTTP_2,
        tls: Tls::Full,
    },
    Protocol {
        name: "HTTP/1.1, TLS resumed",
        version: Version::HTTP_11,
        tls: Tls::Resumed,
    },
    Protocol {
        name: "h2, TLS resumed",
        version: Version::HTTP_2,
        tls: Tls::Resumed,
    },
];

/// What a server saw of a request: whether it was early data, or ran before the client was confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Saw {
    Early,
    Late,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cell {
    syn: InSyn,
    saw: Option<Saw>,
}

/// Servers that report what they saw of each request.
struct Servers {
    site: Site,
    client: ClientConfig,
    layered: Log,
    bare: Log,
    nginx: Nginx,
    openssl: Openssl,
}

const SERVERS: [&str; 4] = ["axum, layer", "axum", "nginx", "openssl s_server"];

impl Servers {
    fn new() -> Self {
        let server = HostSpec::new("server").with_sysctl("net.ipv4.tcp_fastopen", "0x403");
        let site = Site::new(
            &Scenario::new("clean")
                .with_host(server)
                .with_rtt(Duration::from_millis(25)),
        );
        let certificate = Certificate::new(&[&site.address(443).ip().to_string()]);
        let (layered, bare) = (Log::default(), Log::default());
        for (port, app) in [(1, layered.app().layer(ConfirmLayer::new())), (2, bare.app())] {
            site.serve(80 + port, app.clone());
            let mut config = certificate.server();
            allow_early_data(&mut config, 16 * 1024);
            config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
            serve(&site, 440 + port, config, app);
        }
        let nginx = Nginx::new(&site, &certificate);
        let openssl = Openssl::new(&site, &certificate);
        let mut client = certificate.client();
        client.enable_early_data = true;
        Self {
            site,
            client,
            layered,
            bare,
            nginx,
            openssl,
        }
    }

    fn port(server: usize, protocol: Protocol) -> Option<u16> {
        let http2 = protocol.version == Version::HTTP_2;
        match (server, protocol.tls) {
            (0 | 1, Tls::Without) => Some(81 + server as u16),
            (0 | 1, _) => Some(441 + server as u16),
            (2, Tls::Without) => Some(if http2 { 84 } else { 83 }),
            (2, _) => Some(443),
            (3, Tls::Full | Tls::Resumed) if !http2 => Some(444),
            _ => None,
        }
    }

    /// Forgets what was seen so far, or says what became of that request.
    fn saw(&self, server: usize, method: &str) -> Option<Saw> {
        let logs = [&self.layered, &self.bare];
        match server {
            0 | 1 => {
                let ran = logs[server].take();
                let early = ran.iter().find(|ran| ran.method == method)?;
                Some(if early.confirmed { Saw::Late } else { Saw::Early })
            }
            2 => self
                .nginx
                .saw_early(method)
                .map(|early| if early { Saw::Early } else { Saw::Late }),
            _ => self
                .openssl
                .saw_early(method)
                .map(|early| if early { Saw::Early } else { Saw::Late }),
        }
    }

    fn cell(&self, server: usize, protocol: Protocol, method: &str) -> Option<Cell> {
        let port = Self::port(server, protocol)?;
        let http2 = protocol.version == Version::HTTP_2;
        if http2 && ["CONNECT", "Upgrade"].contains(&method) || !http2 && method == "gRPC" {
            return None;
        }
        let authority = self.site.address(port);
        let mut config = self.client.clone();
        if server != 3 {
            let alpn: &[u8] = if http2 { b"h2" } else { b"http/1.1" };
            config.alpn_protocols = vec![alpn.to_vec()];
        }
        // A memory of tickets for each, so that all are for that server.
        config.resumption = rustls::client::Resumption::in_memory_sessions(8);
        let plain = HttpConnector::new().with_connector(connector());
        let config = Arc::new(config);
        let https = HttpsConnector::new(plain.clone(), Arc::clone(&config));
        let capture = self.site.lab.capture();
        let request = |method: &str| request(protocol, method, &authority.to_string());
        let wait = Duration::from_millis(if server == 3 { 300 } else { 3_000 });
        match protocol.tls {
            Tls::Without => {
                self.send(plain.clone(), http2, request("GET"), wait);
                self.ready(server, &capture);
                self.send(plain, http2, request(method), wait);
            }
            Tls::Full | Tls::Resumed => {
                // A cookie, and a ticket.
                match server {
                    3 => self.get_ticket(&config, authority),
                    _ => self.send(https.clone(), http2, request("POST"), wait),
                }
                self.ready(server, &capture);
                let https = match protocol.tls {
                    Tls::Full => {
                        let mut config = self.client.clone();
                        config.alpn_protocols = vec![if http2 {
                            b"h2".to_vec()
                        } else {
                            b"http/1.1".to_vec()
                        }];
                        config.resumption = rustls::client::Resumption::disabled();
                        HttpsConnector::new(
                            HttpConnector::new().with_connector(connector()),
                            Arc::new(config),
                        )
                    }
                    _ => https,
                };
                self.send(https, http2, request(method), wait);
            }
        }
        let frames = capture.frames();
        let mut sent = frames.iter().filter(|frame| frame.point == Point::Sent);
        let syn = sent
            .find_map(|frame| in_syn(&frame.packet))
            .expect("there was a SYN");
        let sent_as = match method {
            "Upgrade" => "GET",
            "gRPC" => "POST",
            method => method,
        };
        Some(Cell {
            syn,
            saw: self.saw(server, sent_as),
        })
    }

    /// From `openssl s_server`, which forgets sessions whose connection is not closed in order, as when a request is given up.
    fn get_ticket(&self, config: &Arc<ClientConfig>, address: SocketAddr) {
        let tls = TlsConnector::from(Arc::clone(config));
        self.site.client(async move {
            let lazy = LazyStream::replay_safe(connector(), address);
            let mut stream = tls.connect(address.ip().into(), lazy).await.unwrap();
            let _ = timeout(Duration::from_millis(200), stream.read_u8()).await;
            stream.shutdown().await.unwrap();
            sleep(Duration::from_millis(80)).await;
        });
    }

    fn ready(&self, server: usize, capture: &Capture) {
        for method in ["GET", "POST"] {
            let _ = self.saw(server, method);
        }
        capture.take();
    }

    /// Whatever becomes of it: what counts is what the server saw.
    fn send<C>(&self, connector: C, http2: bool, request: Request<String>, wait: Duration)
    where
        C: Connect + Clone + Send + Sync + 'static,
    {
        self.site.client(async move {
            let mut client = Client::builder(TokioExecutor::new());
            let client = client.http2_only(http2).build::<_, String>(connector);
            let _ = timeout(wait, client.request(request)).await;
            // The tickets come when the handshake is complete.
            sleep(Duration::from_millis(80)).await;
        });
    }
}

fn request(protocol: Protocol, method: &str, authority: &str) -> Request<String> {
    let scheme = if protocol.tls == Tls::Without {
        "http"
    } else {
        "https"
    };
    let request = Request::builder().uri(format!("{scheme}://{authority}/"));
    let body = |body: &str| body.to_owned();
    match method {
        "Upgrade" => {
            let request = request
                .header("Connection", "Upgrade")
                .header("Upgrade", "websocket");
            request.body(String::new())
        }
        "gRPC" => request
            .method("POST")
            .header("Content-Type", "application/grpc")
            .body(body("call")),
        "POST" | "QUERY" => request.method(method).body(body("body")),
        method => request.method(method).body(String::new()),
    }
    .unwrap()
}

fn what_travels_early() {
    let servers = Servers::new();
    let mut cells = BTreeMap::new();
    for (row, protocol) in PROTOCOLS.into_iter().enumerate() {
        for (at, method) in METHODS.into_iter().enumerate() {
            for server in 0..SERVERS.len() {
                if let Some(cell) = servers.cell(server, protocol, method) {
                    cells.insert((row, at, server), cell);
                }
            }
        }
    }
    let _table = on_failure(draw(&cells));
    for ((row, at, server), cell) in &cells {
        let (protocol, method) = (PROTOCOLS[*row], METHODS[*at]);
        let what = format!("{} {method} to {}: {cell:?}", protocol.name, SERVERS[*server]);
        let safe = ["GET", "HEAD"].contains(&method);
        // In HTTP/2 only a GET can be told by its first byte.
        let may_be_early = safe && (method == "GET" || protocol.version == Version::HTTP_11);
        let syn = match (protocol.tls, may_be_early) {
            (Tls::Without, true) => InSyn::Request,
            (Tls::Without, false) => InSyn::Nothing,
            (Tls::Full, _) | (Tls::Resumed, false) => InSyn::Hello,
            (Tls::Resumed, true) => InSyn::EarlyData,
        };
        // On a busy machine the request comes too late for HTTP/2's preface, which sets out alone then and has no consequences; over TLS
        // that looks like a request, so what counts is what the servers saw.
        let alone = match protocol.tls {
            Tls::Without => cell.syn == InSyn::Preface,
            Tls::Full | Tls::Resumed => cell.syn == InSyn::EarlyData && protocol.tls == Tls::Resumed,
        };
        assert!(
            cell.syn == syn || protocol.version == Version::HTTP_2 && alone,
            "{what}"
        );
        if !may_be_early {
            assert_ne!(cell.saw, Some(Saw::Early), "{what}");
        } else if protocol.tls == Tls::Resumed && protocol.version == Version::HTTP_11 && *server != 3 {
            // openssl turns this client's early data away here, so for it the SYN is looked at.
            assert_eq!(cell.saw, Some(Saw::Early), "{what}");
        } else {
            assert!(cell.saw.is_some(), "{what}");
        }
    }
    assert!(cells.len() > 100, "{} cells", cells.len());
}

fn draw(cells: &BTreeMap<(usize, usize, usize), Cell>) -> String {
    let mut text = String::from("in the SYN / before the client was confirmed, or as early data\n");
    let _ = write!(text, "{:<32}", "");
    for server in SERVERS {
        let _ = write!(text, " {server:<20}");
    }
    for (row, protocol) in PROTOCOLS.into_iter().enumerate() {
        for (at, method) in METHODS.into_iter().enumerate() {
            let line: Vec<_> = (0..SERVERS.len())
                .map(|server| cells.get(&(row, at, server)))
                .collect();
            if line.iter().all(Option::is_none) {
                continue;
            }
            let _ = write!(text, "\n{:<32}", format!("{}: {method}", protocol.name));
            for cell in line {
                let drawn = cell.map_or(String::new(), |cell| {
                    let saw = match cell.saw {
                        Some(Saw::Early) => "early",
                        Some(Saw::Late) => "no",
                        None => "not seen",
                    };
                    format!("{} / {saw}", cell.syn)
                });
                let _ = write!(text, " {drawn:<20}");
            }
        }
    }
    text
}
