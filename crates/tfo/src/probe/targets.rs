//! Where targets come from: the command line, and standard input as it comes.

use std::io;
use std::thread;

use tokio::sync::mpsc;

use crate::target_lines::{Given, TargetLines};

/// How many targets may wait to be probed.
const WAITING: usize = 16;

/// Reads all targets on a thread of their own, as reading standard input may block for ever. It reads ahead only a few targets.
pub(super) fn read(arguments: Vec<String>) -> io::Result<mpsc::Receiver<io::Result<Given>>> {
    let (sender, targets) = mpsc::channel(WAITING);
    thread::Builder::new().name("targets".to_owned()).spawn(move || {
        for argument in arguments {
            let sent = match argument.as_str() {
                "-" => TargetLines::of(io::stdin().lock()).try_for_each(|given| send(&sender, given)),
                _ => send(&sender, Ok(Given::Target(argument))),
            };
            if sent.is_err() {
                return;
            }
        }
    })?;
    Ok(targets)
}

/// The error is that nobody takes it, or that there is no more to read.
fn send(sender: &mpsc::Sender<io::Result<Given>>, given: io::Result<Given>) -> Result<(), ()> {
    let failed = given.is_err();
    sender.blocking_send(given).map_err(|_| ())?;
    if failed { Err(()) } else { Ok(()) }
}
