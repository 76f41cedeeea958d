//! With clients and servers that know nothing of this library.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::get;
use fastopen::for_hyper::HttpConnector;
use fastopen::for_tokio::{ConnectReport, LazyStream, Peer};
use fastopen::{Outcome, Syn};
use fastopen_examples::lab::{Site, connector};
use fastopen_lab::testing::{LabTest, Running, program, test};
use fastopen_lab::{Host, HostSpec, Scenario};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Duration, timeout};
use tokio_rustls::TlsConnector;

#[path = "../../dns.rs"]
#[allow(dead_code, reason = "the example's main")]
mod dns;
#[path = "../../redis.rs"]
#[allow(dead_code, reason = "the example's main")]
mod redis;

pub(crate) fn tests() -> impl Iterator<Item = LabTest> {
    [
        test("foreign::curl_asks_axum", curl_asks_axum),
        test("foreign::hyper_asks_nginx", hyper_asks_nginx),
        test("foreign::hyper_asks_haproxy", hyper_asks_haproxy),
        test("foreign::the_redis_example", the_redis_example),
        test("foreign::the_dns_example", the_dns_example),
        test(
            "foreign::rustls_sends_openssl_early_data",
            rustls_sends_openssl_early_data,
        ),
    ]
    .into_iter()
}

fn curl_asks_axum() {
    let site = Site::new(&Scenario::new("clean"));
    let how = |ConnectInfo(peer): ConnectInfo<Peer>| async move { peer.arrival().unwrap().to_string() };
    let address = site.serve(80, Router::new().route("/", get(how)));
    let ask = || {
        let mut curl = program(site.lab.client().unwrap(), "curl");
        let output = curl
            .args(["--silent", "--tcp-fastopen", &format!("http://{address}/")])
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let first = ask();
    assert!(!first.starts_with("fast"), "{first}");
    let second = ask();
    assert!(
        second.starts_with("fast") && second.contains("bytes in the SYN"),
        "{second}"
    );
}

/// Asks twice, each time on a new connection: the second one is fast.
fn ask_twice(site: &Site) {
    let uri: http::Uri = format!("http://{}/", site.address(80)).parse().unwrap();
    for outcome in [Outcome::NoCookie, Outcome::Accepted] {
        let uri = uri.clone();
        site.client(async move {
            let connector = HttpConnector::new().with_connector(connector());
            let client = Client::builder(TokioExecutor::new()).build::<_, String>(connector);
            let response = client.get(uri).await.unwrap();
            let report = response.extensions().get::<ConnectReport>().unwrap().clone();
            assert_eq!(
                (response.status().as_u16(), report.outcome()),
                (200, Some(outcome))
            );
            let body = axum::body::Body::new(response.into_body());
            assert_eq!(axum::body::to_bytes(body, 100).await.unwrap(), "hello");
        });
    }
}

/// nginx on port 80, with Fast Open and `hello` on every page.
pub(crate) fn nginx(host: &Host, directory: &Path) -> Running {
    let path = directory.display();
    let config = format!(
        "user root; daemon off; master_process off; pid {path}/pid; error_log {path}/error;
         events {{}}
         http {{
             access_log off;
             client_body_temp_path {path}; proxy_temp_path {path}; fastcgi_temp_path {path};
             uwsgi_temp_path {path}; scgi_temp_path {path};
             server {{ listen 80 fastopen=256; location / {{ return 200 hello; }} }}
         }}"
    );
    fs::write(directory.join("nginx.conf"), config).unwrap();
    let mut nginx = program(host, "nginx");
    nginx
        .arg("-p")
        .arg(directory)
        .args(["-c", "nginx.conf", "-e", "error"]);
    let mut nginx = Running::start(nginx);
    nginx.await_port(host, (host.ipv4(), 80).into());
    nginx
}

fn hyper_asks_nginx() {
    let site = Site::new(&Scenario::new("clean"));
    let directory = tempfile::tempdir().unwrap();
    let _nginx = nginx(site.lab.server().unwrap(), directory.path());
    ask_twice(&site);
}

fn hyper_asks_haproxy() {
    let site = Site::new(&Scenario::new("clean"));
    let directory = tempfile::tempdir().unwrap();
    let config = "defaults
    mode http
    timeout client 10s
    timeout server 10s
    timeout connect 10s
frontend web
    bind :80 tfo
    http-request return status 200 content-type text/plain string hello
";
    let file = directory.path().join("haproxy.cfg");
    fs::write(&file, config).unwrap();
    let mut haproxy = program(site.lab.server().unwrap(), "haproxy");
    haproxy.args(["-db", "-f"]).arg(&file);
    let mut peer = Running::start(haproxy);
    peer.await_port(site.lab.server().unwrap(), site.address(80));
    ask_twice(&site);
}

/// A server's host that makes every listener fast, for programs that have no option for it.
fn all_fast() -> Site {
    let server = HostSpec::new("server").with_sysctl("net.ipv4.tcp_fastopen", "0x403");
    Site::new(&Scenario::new("clean").with_host(server))
}

fn the_redis_example() {
    let site = all_fast();
    let directory = tempfile::tempdir().unwrap();
    let mut server = program(site.lab.server().unwrap(), "redis-server");
    server.args(["--port", "6379", "--protected-mode", "no", "--save", "", "--dir"]);
    server.arg(directory.path());
    let mut peer = Running::start(server);
    peer.await_port(site.lab.server().unwrap(), site.address(6379));
    let address = site.address(6379).to_string();
    site.lab.client().unwrap().run(|| {
        let mut setting = std::net::TcpStream::connect(&address).unwrap();
        setting.write_all(b"SET greeting hello\r\n").unwrap();
        setting.read_exact(&mut [0; 5]).unwrap();
        let (value, _) = redis::get(&address, "greeting").unwrap();
        assert_eq!(value.as_deref(), Some(&b"hello"[..]));
        assert_eq!(
            redis::get(&address, "nothing").unwrap(),
            (None, Outcome::Accepted)
        );
    });
}

fn the_dns_example() {
    let site = all_fast();
    let mut server = program(site.lab.server().unwrap(), "dnsmasq");
    server.args([
        "--no-daemon",
        "--no-resolv",
        "--no-hosts",
        "--conf-file=/dev/null",
        "--pid-file=",
    ]);
    server.args(["--address=/greeting.test/192.0.2.99"]);
    let mut peer = Running::start(server);
    peer.await_port(site.lab.server().unwrap(), site.address(53));
    let address = site.address(53).to_string();
    site.lab.client().unwrap().run(|| {
        let expected = vec![std::net::Ipv4Addr::new(192, 0, 2, 99)];
        let (addresses, _) = dns::ask(&address, "greeting.test").unwrap();
        assert_eq!(addresses, expected);
        let again = dns::ask(&address, "greeting.test").unwrap();
        assert_eq!(again, (expected, Outcome::Accepted));
    });
}

fn rustls_sends_openssl_early_data() {
    let site = all_fast();
    let host = site.lab.server().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let (key, certificate) = (directory.path().join("key"), directory.path().join("certificate"));
    let address = site.address(443);
    let mut openssl = program(host, "openssl");
    openssl.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
    ]);
    openssl.args([
        "-subj",
        "/CN=lab",
        "-addext",
        "basicConstraints=critical,CA:FALSE",
    ]);
    openssl.args(["-addext", &format!("subjectAltName=IP:{}", address.ip())]);
    openssl.arg("-keyout").arg(&key).arg("-out").arg(&certificate);
    assert!(openssl.output().unwrap().status.success());
    let mut openssl = program(host, "openssl");
    openssl.args(["s_server", "-accept", "443", "-tls1_3", "-early_data", "-key"]);
    openssl.arg(&key).arg("-cert").arg(&certificate);
    let mut openssl = Running::start(openssl);
    openssl.wait_for("ACCEPT");

    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(&certificate).unwrap())
        .unwrap();
    let mut config =
        rustls::ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
    config.enable_early_data = true;
    let tls = TlsConnector::from(std::sync::Arc::new(config)).early_data(true);
    for (early, text) in [(false, "the first\n"), (true, "the second\n")] {
        let tls = tls.clone();
        site.client(async move {
            let lazy = LazyStream::replay_safe(connector(), address);
            let mut stream = tls.connect(address.ip().into(), lazy).await.unwrap();
            stream.write_all(text.as_bytes()).await.unwrap();
            stream.flush().await.unwrap();
            let (lazy, session) = stream.get_ref();
            assert_eq!(session.is_early_data_accepted(), early);
            let report = lazy.report();
            if early {
                assert_eq!(report.outcome(), Some(Outcome::Accepted));
                assert!(matches!(report.attempts()[0].syn, Syn::Fast { bytes } if bytes > 300));
            }
            // The tickets come when the handshake is complete.
            let _ = timeout(Duration::from_millis(500), stream.read_u8()).await;
            let _ = stream.shutdown().await;
        });
        openssl.wait_for(text.trim());
    }
}
