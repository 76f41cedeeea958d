//! Where targets come from: the command line, and standard input as it comes.

use std::io::{self, BufRead};
use std::thread;

use tokio::sync::mpsc;

/// How many targets may wait to be probed.
const WAITING: usize = 16;

/// Reads all targets on a thread of their own, as standard input may keep the reader waiting for ever. It reads no further ahead than
/// it is taken from.
pub(super) fn read(arguments: Vec<String>) -> io::Result<mpsc::Receiver<io::Result<String>>> {
    let (sender, targets) = mpsc::channel(WAITING);
    thread::Builder::new().name("targets".to_owned()).spawn(move || {
        for argument in arguments {
            let sent = match argument.as_str() {
                "-" => io::stdin()
                    .lock()
                    .lines()
                    .try_for_each(|line| send(&sender, line)),
                _ => send(&sender, Ok(argument)),
            };
            if sent.is_err() {
                return;
            }
        }
    })?;
    Ok(targets)
}

/// Passes on what is no comment. The error is that nobody takes it, or that there is no more to read.
fn send(sender: &mpsc::Sender<io::Result<String>>, line: io::Result<String>) -> Result<(), ()> {
    let failed = line.is_err();
    if let Ok(text) = &line
        && (text.trim().is_empty() || text.trim_start().starts_with('#'))
    {
        return Ok(());
    }
    sender
        .blocking_send(line.map(|text| text.trim().to_owned()))
        .map_err(|_| ())?;
    if failed { Err(()) } else { Ok(()) }
}
