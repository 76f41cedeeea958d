//! The first bytes that a client sends.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};

use super::hello::{self, KeyShare};
use super::service::{DNS_ID, Service};
use super::target::Target;
use crate::hint::Hint;

/// As much as a packet can be long, and far more than servers take before they answer.
const LONGEST: usize = 64 * 1024;

/// What to send first.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct FirstBytesArgs {
    /// Send this first, as it stands, in place of the request that fits the service
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["data_file", "pq"])]
    data: Option<String>,
    /// Send this file's content first, at most 64 KiB
    #[arg(long, value_name = "FILE", conflicts_with = "pq")]
    data_file: Option<PathBuf>,
    /// Send a post-quantum TLS ClientHello (X25519MLKEM768), which hardly fits into a SYN
    #[arg(long)]
    pq: bool,
}

/// Where the first bytes come from.
#[derive(Clone, Debug)]
pub(crate) enum FirstBytes {
    Data(Vec<u8>),
    ForService(KeyShare),
}

impl FirstBytesArgs {
    /// What the command line says.
    ///
    /// # Errors
    /// The file could not be read, or there is nothing to send.
    pub(crate) fn read(&self) -> anyhow::Result<FirstBytes> {
        let data = match (&self.data, &self.data_file) {
            (Some(text), _) => text.clone().into_bytes(),
            (None, Some(path)) => read_file(path).with_context(|| format!("reading {}", path.display()))?,
            (None, None) => {
                return Ok(FirstBytes::ForService(match self.pq {
                    true => KeyShare::PostQuantum,
                    false => KeyShare::Classic,
                }));
            }
        };
        if data.is_empty() {
            bail!("there is nothing to send: Fast Open needs first bytes");
        }
        if data.len() > LONGEST {
            return Err(anyhow!("the first bytes are more than 64 KiB")).hint(
                "a SYN carries 1460 bytes or so; tfo send sends a file of any length: tfo send HOST:PORT - < FILE",
            );
        }
        Ok(FirstBytes::Data(data))
    }
}

impl FirstBytes {
    /// The bytes for one target.
    ///
    /// # Errors
    /// The host's name can't stand in a ClientHello.
    pub(crate) fn bytes(&self, target: &Target) -> anyhow::Result<Vec<u8>> {
        match (self, target.service) {
            (Self::Data(data), _) => Ok(data.clone()),
            (Self::ForService(share), Service::Tls) => hello::client_hello(&target.host, *share),
            // A post-quantum hello is asked for, whatever the port.
            (Self::ForService(KeyShare::PostQuantum), _) => {
                hello::client_hello(&target.host, KeyShare::PostQuantum)
            }
            (_, Service::Http) => Ok(http(target)),
            (_, Service::Dns) => Ok(dns()),
            (_, Service::Redis) => Ok(b"PING\r\n".to_vec()),
        }
    }

    /// Whether they are the service's own request, so that its answer is known.
    pub(crate) fn fit_service(&self) -> bool {
        matches!(self, Self::ForService(KeyShare::Classic))
    }

    /// What is sent, in words.
    pub(crate) fn name(&self, target: &Target) -> &'static str {
        match (self, target.service) {
            (Self::Data(_), _) => "the data given",
            (Self::ForService(KeyShare::PostQuantum), _) => "post-quantum TLS ClientHello",
            (Self::ForService(KeyShare::Classic), service) => service.request(),
        }
    }
}

/// One byte more than there may be, so that too many are seen.
fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(LONGEST as u64 + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A request that changes nothing on any server, however often it comes.
fn http(target: &Target) -> Vec<u8> {
    let host = match target.host.contains(':') {
        true => format!("[{}]", target.host),
        false => target.host.clone(),
    };
    let port = match target.port {
        80 => String::new(),
        port => format!(":{port}"),
    };
    let (path, version) = (&target.path, env!("CARGO_PKG_VERSION"));
    format!(
        "HEAD {path} HTTP/1.1\r\nHost: {host}{port}\r\nUser-Agent: tfo/{version}\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    )
    .into_bytes()
}

/// Asks for the root's name servers, which every resolver knows (RFC 1035, section 4; the length in front: section 4.2.2).
fn dns() -> Vec<u8> {
    const RECURSION_DESIRED: [u8; 2] = [1, 0];
    const ONE_QUESTION: [u8; 8] = [0, 1, 0, 0, 0, 0, 0, 0];
    const ROOT_NS_IN: [u8; 5] = [0, 0, 2, 0, 1];
    let query = [&DNS_ID[..], &RECURSION_DESIRED, &ONE_QUESTION, &ROOT_NS_IN].concat();
    [&[0, query.len() as u8][..], &query].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(target: &str, share: KeyShare) -> Vec<u8> {
        FirstBytes::ForService(share)
            .bytes(&target.parse().unwrap())
            .unwrap()
    }

    #[test]
    fn each_service_gets_what_it_answers() {
        let request = String::from_utf8(sent("http://example.com:81/a?b", KeyShare::Classic)).unwrap();
        assert!(
            request.starts_with("HEAD /a?b HTTP/1.1\r\nHost: example.com:81\r\n"),
            "{request}"
        );
        assert!(request.ends_with("\r\n\r\n"));
        let request = String::from_utf8(sent("[2001:db8::2]:80", KeyShare::Classic)).unwrap();
        assert!(request.contains("\r\nHost: [2001:db8::2]\r\n"), "{request}");
        assert_eq!(sent("192.0.2.2:6379", KeyShare::Classic), b"PING\r\n");
        let query = sent("192.0.2.2:53", KeyShare::Classic);
        assert_eq!(query.len(), 2 + 17);
        assert_eq!(query[..4], [0, 17, b'T', b'F']);
    }

    #[test]
    fn a_hello_fits_into_a_syn_unless_it_is_post_quantum() {
        const ROOM: usize = 1400;
        let classic = sent("example.com", KeyShare::Classic);
        assert!(classic.len() < 600, "{}", classic.len());
        let name = classic.windows(11).any(|window| window == b"example.com");
        assert!(name, "the name is in it");
        assert_eq!(classic[..2], [22, 3], "a handshake record");
        let pq = sent("example.com", KeyShare::PostQuantum);
        assert!(pq.len() > ROOM, "{}", pq.len());
        assert!(!sent("192.0.2.2", KeyShare::Classic).is_empty());
    }

    #[test]
    fn there_must_be_something_to_send() {
        let nothing = FirstBytesArgs {
            data: Some(String::new()),
            ..FirstBytesArgs::default()
        };
        assert!(nothing.read().is_err());
    }

    #[test]
    fn a_file_has_at_most_64_kib() {
        let first_bytes = |path: &Path| FirstBytesArgs {
            data_file: Some(path.to_owned()),
            ..FirstBytesArgs::default()
        };
        let error = first_bytes(Path::new("/dev/zero")).read().unwrap_err();
        assert!(format!("{error:#}").contains("more than 64 KiB"), "{error:#}");
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), vec![b'x'; LONGEST]).unwrap();
        assert!(first_bytes(file.path()).read().is_ok());
    }
}
