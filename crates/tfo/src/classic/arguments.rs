//! The classic program's arguments, as its README documents them and as Go programs take them.

use std::ffi::OsString;

use crate::address::{self, Address};

/// The options that a Go program also takes with one dash.
const LONG: &[&str] = &["server", "port", "listen", "help", "version"];

/// The arguments, with a second dash before long options that have only one: `-server=ADDR`.
pub fn with_two_dashes(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    arguments
        .into_iter()
        .map(
            |argument| match argument.to_str().and_then(|text| text.strip_prefix('-')) {
                Some(text) if LONG.contains(&text.split('=').next().unwrap_or(text)) => {
                    format!("--{text}").into()
                }
                _ => argument,
            },
        )
        .collect()
}

/// A host without a port; nothing stands for the default.
pub(super) fn server(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Ok(super::LOOPBACK.to_owned());
    }
    match (text.parse::<Address>(), address::split(text)) {
        (Ok(_), Ok(("", Some(port)))) => Err(format!("that is a port: -p {port}")),
        (Ok(_), Ok((host, Some(port)))) => {
            Err(format!("the port has an option of its own: -s {host} -p {port}"))
        }
        (Ok(_), Ok((host, None))) => Ok(host.to_owned()),
        _ => Err("it is an IP address or a name, without a scheme or a path".to_owned()),
    }
}

/// A port; nothing stands for the default.
pub(super) fn port(text: &str) -> Result<u16, String> {
    match text.is_empty() {
        true => Ok(Address::DEFAULT_PORT),
        false => text
            .parse()
            .map_err(|_| "a port is a number up to 65535".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::Args;
    use super::*;

    fn parsed(line: &str) -> Result<(String, u16, bool), String> {
        let arguments = with_two_dashes(line.split(' ').map(OsString::from));
        Args::try_parse_from(arguments)
            .map(|args| (args.server, args.port, args.listen))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn every_form_that_the_original_took() {
        let loopback = "127.0.0.1";
        for (line, server, port, listen) in [
            ("tcp-fast-open", loopback, 2222, false),
            ("tcp-fast-open -l", loopback, 2222, true),
            ("tcp-fast-open -s 192.0.2.1 -p 80", "192.0.2.1", 80, false),
            (
                "tcp-fast-open --server=192.0.2.1 --port=80 --listen",
                "192.0.2.1",
                80,
                true,
            ),
            ("tcp-fast-open -s -p 80", loopback, 80, false),
            ("tcp-fast-open --server= --port=", loopback, 2222, false),
            ("tcp-fast-open -s -p -l", loopback, 2222, true),
            ("tcp-fast-open -s=192.0.2.1 -p=80", "192.0.2.1", 80, false),
            (
                "tcp-fast-open -server=192.0.2.1 -port 80 -listen",
                "192.0.2.1",
                80,
                true,
            ),
            (
                "tcp-fast-open -server 192.0.2.1 --p=80 --l",
                "192.0.2.1",
                80,
                true,
            ),
            ("tcp-fast-open --s 192.0.2.1", "192.0.2.1", 2222, false),
            ("tcp-fast-open -lp 80 -s ::1", "::1", 80, true),
            ("tcp-fast-open -s [2001:db8::2] -l -p 0", "2001:db8::2", 0, true),
            ("tcp-fast-open -s example.com", "example.com", 2222, false),
        ] {
            assert_eq!(parsed(line), Ok((server.to_owned(), port, listen)), "{line}");
        }
    }

    #[test]
    fn a_port_in_the_address_is_pointed_to_its_option() {
        for (line, said) in [
            ("tcp-fast-open -s 127.0.0.1:80", "-s 127.0.0.1 -p 80"),
            ("tcp-fast-open --server=example.com:80", "-s example.com -p 80"),
            ("tcp-fast-open -s [::1]:80", "-s ::1 -p 80"),
            ("tcp-fast-open -s :80", "-p 80"),
            ("tcp-fast-open -s 80", "-p 80"),
            ("tcp-fast-open -s http://example.com", "an IP address or a name"),
            ("tcp-fast-open -p http", "a number up to 65535"),
            ("tcp-fast-open -p 65536", "a number up to 65535"),
        ] {
            let error = parsed(line).unwrap_err();
            assert!(error.contains(said), "{line}: {error}");
        }
    }
}
