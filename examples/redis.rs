//! Reads a key from a Redis server, with the command in the SYN. GET may be repeated; INCR may not. Redis has no option for Fast Open, so
//! its host makes every listener fast (`sysctl -w net.ipv4.tcp_fastopen=0x403`, before Redis starts):
//!
//! ```text
//! cargo run -p fastopen-examples --example redis -- 127.0.0.1:6379 KEY
//! ```

use std::error::Error;
use std::io::{BufRead, BufReader, Read};

use fastopen::{Outcome, ReplaySafe};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(address), Some(key)) = (arguments.next(), arguments.next()) else {
        return Err("usage: redis ADDRESS:PORT KEY".into());
    };
    match get(&address, &key)? {
        (Some(value), outcome) => println!("{} (the command was {outcome})", String::from_utf8_lossy(&value)),
        (None, outcome) => println!("no such key (the command was {outcome})"),
    }
    Ok(())
}

/// A key's value, if there is one, and what became of the command.
type Answer = (Option<Vec<u8>>, Outcome);

pub(crate) fn get(address: &str, key: &str) -> Result<Answer, Box<dyn Error>> {
    let command = format!("*2\r\n$3\r\nGET\r\n${}\r\n{key}\r\n", key.len());
    let (stream, outcome) = fastopen::connect(address, ReplaySafe(command))?.into();
    let mut answer = BufReader::new(stream);
    let mut line = String::new();
    answer.read_line(&mut line)?;
    // "$5" announces five bytes, "$-1" that there is no such key.
    let len: Option<i64> = line.trim_end().strip_prefix('$').and_then(|len| len.parse().ok());
    let len = len.ok_or_else(|| format!("the server says: {}", line.trim_end()))?;
    let Ok(len) = usize::try_from(len) else {
        return Ok((None, outcome));
    };
    let mut value = vec![0; len];
    answer.read_exact(&mut value)?;
    Ok((Some(value), outcome))
}
