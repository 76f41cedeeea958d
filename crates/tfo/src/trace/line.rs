//! One line a connection.

use std::io::{self, Write};

use fastopen_wire::Connection;

use super::words;

pub(super) fn write(out: &mut impl Write, connection: &Connection) -> io::Result<()> {
    let Connection {
        client,
        server,
        verdict,
        ..
    } = connection;
    let style = words::style(*verdict);
    writeln!(
        out,
        "{style}{verdict:<18}{style:#}  {client} → {server}  {}",
        words::reason(connection)
    )
}

#[cfg(test)]
mod tests {
    use super::super::sample;

    #[test]
    fn each_verdict_comes_with_its_evidence() {
        let mut text = Vec::new();
        for connection in sample::connections() {
            super::write(&mut anstream::StripStream::new(&mut text), &connection).unwrap();
        }
        insta::assert_snapshot!(String::from_utf8(text).unwrap());
    }
}
