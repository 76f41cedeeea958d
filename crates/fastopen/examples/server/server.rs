use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use fastopen::Arrival;

const PATIENCE: Duration = Duration::from_secs(5);

fn main() -> io::Result<()> {
    let listener = fastopen::listen("[::]:8080")?; // an ordinary std::net::TcpListener
    loop {
        // Each connection has its own thread: its errors end it alone, and nobody else waits when it waits.
        let started = listener.accept().and_then(|(stream, peer)| {
            thread::Builder::new().spawn(move || {
                if let Err(error) = serve(stream, peer) {
                    eprintln!("{peer}: {error}");
                }
            })
        });
        if let Err(error) = started {
            eprintln!("not served: {error}"); // no descriptor or no thread is left
            thread::sleep(Duration::from_millis(10)); // until others have ended
        }
    }
}

fn serve(mut stream: TcpStream, peer: SocketAddr) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    eprintln!("{peer}: {}", Arrival::of(&stream)?); // fast, 18 bytes in the SYN, not confirmed
    let mut request = [0; 1000];
    let len = stream.read(&mut request)?; // it is here before the handshake is complete
    stream.write_all(&request[..len])?; // so the answer takes one round trip
    fastopen::confirmed_within(&stream, PATIENCE)?; // a replayed SYN never gets past this
    stream.write_all(b"and now what may happen only once\n")
}
