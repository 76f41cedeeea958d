//! Asks a name server over TCP (RFC 7766) for a name's IPv4 addresses, with the query in the SYN. A query may be repeated. BIND has Fast Open by
//! itself; for dnsmasq, its host makes every listener fast (`sysctl -w net.ipv4.tcp_fastopen=0x403`, before it starts):
//!
//! ```text
//! cargo run -p fastopen-examples --example dns -- 127.0.0.1:53 NAME
//! ```

use std::error::Error;
use std::io::Read;
use std::net::Ipv4Addr;

use fastopen::{Outcome, ReplaySafe};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(server), Some(name)) = (arguments.next(), arguments.next()) else {
        return Err("usage: dns ADDRESS:PORT NAME".into());
    };
    let (addresses, outcome) = ask(&server, &name)?;
    for address in addresses {
        println!("{address}");
    }
    eprintln!("the query was {outcome}");
    Ok(())
}

pub(crate) fn ask(server: &str, name: &str) -> Result<(Vec<Ipv4Addr>, Outcome), Box<dyn Error>> {
    let (mut stream, outcome) = fastopen::connect(server, ReplaySafe(query(name)?))?.into();
    let mut len = [0; 2];
    stream.read_exact(&mut len)?;
    let mut answer = vec![0; u16::from_be_bytes(len).into()];
    stream.read_exact(&mut answer)?;
    Ok((addresses(&answer).ok_or("the answer makes no sense")?, outcome))
}

/// A query for A records that asks for recursion, with its length in front (RFC 1035, section 4).
fn query(name: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut message = vec![0x12, 0x34, 0x01, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.trim_end_matches('.').split('.') {
        message.push(
            u8::try_from(label.len())
                .ok()
                .filter(|len| (1..64).contains(len))
                .ok_or("not a name")?,
        );
        message.extend(label.as_bytes());
    }
    message.extend([0, 0, 1, 0, 1]);
    let len = u16::try_from(message.len())?.to_be_bytes();
    Ok([&len[..], &message].concat())
}

/// The A records of an answer; `None` where it ends too early.
fn addresses(answer: &[u8]) -> Option<Vec<Ipv4Addr>> {
    let records = u16::from_be_bytes(answer.get(6..8)?.try_into().ok()?);
    let mut rest = after_name(answer.get(12..)?)?.get(4..)?;
    let mut found = Vec::new();
    for _ in 0..records {
        rest = after_name(rest)?;
        let [kind, len] = [0, 8].map(|at| rest.get(at..at + 2));
        let len = usize::from(u16::from_be_bytes(len?.try_into().ok()?));
        let data = rest.get(10..10 + len)?;
        if let (Some([0, 1]), Ok(address)) = (kind, <[u8; 4]>::try_from(data)) {
            found.push(Ipv4Addr::from(address));
        }
        rest = rest.get(10 + len..)?;
    }
    Some(found)
}

/// What follows a name: labels to the root, or to a pointer elsewhere.
fn after_name(mut bytes: &[u8]) -> Option<&[u8]> {
    loop {
        match *bytes.first()? {
            0 => return bytes.get(1..),
            0xc0.. => return bytes.get(2..),
            len => bytes = bytes.get(1 + usize::from(len)..)?,
        }
    }
}
