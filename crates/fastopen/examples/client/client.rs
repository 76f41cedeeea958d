use std::io::Read;
use std::net::Shutdown;

use fastopen::ReplaySafe;

fn main() -> std::io::Result<()> {
    let request = ReplaySafe("GET / HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n");
    let (mut stream, outcome) = fastopen::connect("example.com:80", request)?.into();
    eprintln!("{outcome}"); // no-cookie the first time, then accepted
    stream.shutdown(Shutdown::Write)?; // that was all: a server that waits for more would keep the connection open
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?; // an ordinary std::net::TcpStream
    print!("{answer}");
    Ok(())
}
