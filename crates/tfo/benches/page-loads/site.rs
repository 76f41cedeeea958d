//! The pages, and the nginx that serves them.

use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, ensure};
use fastopen_host::counters::{Counter, Counters};
use fastopen_lab::testing::Running;
use fastopen_lab::{Host, Lab};
use tempfile::TempDir;

use crate::protocol::Protocol;

/// How many addresses the server has, each with a name of its own.
pub(crate) const HOSTS: usize = 8;
/// A stylesheet or an image; it fits into the first flight of an answer.
const OBJECT_BYTES: usize = 10_000;

/// An HTML document with a stylesheet, and images that stand in it.
pub(crate) struct Page {
    pub(crate) objects: usize,
    pub(crate) hosts: usize,
}

/// From one host and a few objects to many of both.
pub(crate) const PAGES: [Page; 3] = [
    Page { objects: 4, hosts: 1 },
    Page {
        objects: 20,
        hosts: 4,
    },
    Page {
        objects: 100,
        hosts: 8,
    },
];

/// A server with its pages.
pub(crate) struct Site {
    addresses: Vec<IpAddr>,
    server: Host,
    _nginx: Running,
    _folder: TempDir,
}

/// What the server has counted.
#[derive(Clone, Copy)]
pub(crate) struct Connections {
    pub(crate) all: u64,
    pub(crate) fast: u64,
}

impl Site {
    pub(crate) fn start(lab: &Lab) -> anyhow::Result<Self> {
        let server = lab.server()?.clone();
        let folder = tempfile::tempdir()?;
        write_files(folder.path())?;
        let mut nginx = server.command("nginx")?;
        nginx.arg("-p").arg(folder.path()).args(["-c", "nginx.conf"]);
        nginx.env("PATH", "/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin");
        let mut nginx = Running::start(nginx);
        for protocol in Protocol::ALL {
            nginx.await_port(&server, (server.ipv4(), protocol.port()).into());
        }
        let mut addresses = vec![server.addresses()];
        for n in 1..HOSTS {
            addresses.push(lab.farm(&format!("host{n}"))?.addresses());
        }
        // Every other one by IPv6.
        let addresses = addresses.into_iter().enumerate();
        let addresses = addresses
            .map(|(n, [ipv4, ipv6])| if n % 2 == 1 && lab.has_ipv6() { ipv6 } else { ipv4 })
            .collect();
        Ok(Self {
            addresses,
            server,
            _nginx: nginx,
            _folder: folder,
        })
    }

    /// As the browser's `--host-resolver-rules` takes it.
    pub(crate) fn names(&self) -> String {
        let rule = |(n, address): (usize, &IpAddr)| match address {
            IpAddr::V4(address) => format!("MAP {} {address}", name(n)),
            IpAddr::V6(address) => format!("MAP {} [{address}]", name(n)),
        };
        let rules: Vec<_> = self.addresses.iter().enumerate().map(rule).collect();
        rules.join(",")
    }

    pub(crate) fn connections(&self) -> anyhow::Result<Connections> {
        self.server.run(|| {
            let fast = Counters::read()?.get(Counter::Passive).unwrap_or(0);
            let snmp = fs::read_to_string("/proc/thread-self/net/snmp")?;
            let mut tcp = snmp.lines().filter_map(|line| line.strip_prefix("Tcp: "));
            let (names, values) = tcp.next().zip(tcp.next()).context("no TCP in /proc/net/snmp")?;
            let all = names
                .split(' ')
                .zip(values.split(' '))
                .find(|(name, _)| *name == "PassiveOpens");
            let (_, all) = all.context("no PassiveOpens in /proc/net/snmp")?;
            Ok(Connections {
                all: all.parse()?,
                fast,
            })
        })
    }
}

impl Page {
    pub(crate) fn url(&self, protocol: Protocol) -> String {
        format!("{}/{}", origin(0, protocol), self.file(protocol))
    }

    fn file(&self, protocol: Protocol) -> String {
        format!("{}-{}.html", protocol.port(), self.objects)
    }

    fn html(&self, protocol: Protocol) -> String {
        // The stylesheet is the first object.
        let images = 1..self.objects;
        let images = images.map(|n| {
            format!(
                "<img src=\"{}/object/{n}\" width=\"9\" height=\"9\">",
                origin(n % self.hosts, protocol)
            )
        });
        format!(
            "<!DOCTYPE html><title>page</title><link rel=\"icon\" href=\"data:,\"><link rel=\"stylesheet\" href=\"/style.css\"><p>{}",
            images.collect::<String>()
        )
    }
}

fn name(host: usize) -> String {
    format!("host{host}.test")
}

fn origin(host: usize, protocol: Protocol) -> String {
    format!("{}://{}:{}", protocol.scheme(), name(host), protocol.port())
}

fn write_files(folder: &Path) -> anyhow::Result<()> {
    let certificate = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "30",
        ])
        .args([
            "-subj",
            "/CN=page loads",
            "-addext",
            "subjectAltName=DNS:*.test",
            "-keyout",
            "key.pem",
            "-out",
            "cert.pem",
        ])
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .context("openssl")?;
    ensure!(
        certificate.status.success(),
        "openssl: {}",
        String::from_utf8_lossy(&certificate.stderr)
    );
    let pages = folder.join("pages");
    fs::create_dir(&pages)?;
    for page in &PAGES {
        for protocol in Protocol::ALL {
            fs::write(pages.join(page.file(protocol)), page.html(protocol))?;
        }
    }
    let mut style = b"p { margin: 0 } /*".to_vec();
    style.resize(OBJECT_BYTES - 2, b' ');
    style.extend(b"*/");
    fs::write(pages.join("style.css"), style)?;
    // An image of one pixel; what follows it is no part of it, and costs the browser nothing.
    let mut image =
        b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;".to_vec();
    image.resize(OBJECT_BYTES, 0);
    fs::write(pages.join("object.gif"), image)?;
    fs::write(folder.join("nginx.conf"), config())?;
    Ok(())
}

fn config() -> String {
    let listen = |protocol: Protocol| {
        let more = match protocol {
            Protocol::Http => "",
            Protocol::Https => "ssl",
            Protocol::H2 => "ssl http2",
        };
        let port = protocol.port();
        format!("listen {port} {more} fastopen=1024; listen [::]:{port} {more} fastopen=1024 ipv6only=on;\n")
    };
    let listen: String = Protocol::ALL.into_iter().map(listen).collect();
    format!(
        "daemon off; master_process off; pid nginx.pid; error_log stderr;
events {{ worker_connections 4096; }}
http {{
access_log off; keepalive_timeout 60; default_type text/html;
types {{ text/css css; image/gif gif; text/html html; }}
client_body_temp_path .; proxy_temp_path .; fastcgi_temp_path .; uwsgi_temp_path .; scgi_temp_path .;
ssl_certificate cert.pem; ssl_certificate_key key.pem;
server {{
{listen}root pages;
location /object/ {{ try_files /object.gif =404; }}
}}
}}
"
    )
}

/// Until the server's counters have stood still for a moment: connections of the last load may still be on their way.
pub(crate) fn settled(site: &Site, rtt: Duration) -> anyhow::Result<Connections> {
    loop {
        let before = site.connections()?;
        thread::sleep(rtt + Duration::from_millis(20));
        let after = site.connections()?;
        if before.all == after.all {
            return Ok(after);
        }
    }
}
