//! Stop requests: Ctrl-C and SIGTERM.
//!
//! The first one asks a command to finish and to print what it has. After the second the process ends in any case, whatever it is
//! waiting for: a command that handles the second one itself has [`GRACE`] to end.

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod signals;

use std::io;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::watch;

use signals::{Signals, end_by};

/// How long a command may wait for the reader of its output once it is asked to stop.
pub const GRACE: Duration = Duration::from_secs(1);

/// The number of stop requests so far; nothing until the first [`Interrupt`] exists.
static REQUESTS: Mutex<Option<watch::Receiver<u32>>> = Mutex::new(None);

/// The stop requests that a command receives. From its creation on, the first signal no longer ends the process by itself.
#[derive(Debug)]
pub struct Interrupt {
    requests: watch::Receiver<u32>,
    handled: u32,
}

impl Interrupt {
    /// Starts to catch SIGINT and SIGTERM, or Ctrl-C and Ctrl-Break on Windows.
    ///
    /// # Errors
    /// The system refuses a signal handler or a thread.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            requests: requests()?,
            handled: 0,
        })
    }

    /// Waits for the next stop request.
    pub async fn stop_requested(&mut self) {
        let handled = self.handled;
        // The error would be that the thread which counts has ended, and it runs as long as the process.
        let _ = self.requests.wait_for(|requests| *requests > handled).await;
        self.handled += 1;
    }
}

/// Whether the process catches stop requests, instead of ending on the first signal.
pub(crate) fn is_caught() -> bool {
    lock().is_some()
}

/// Whether a stop was requested.
pub(crate) fn is_requested() -> bool {
    lock().as_ref().is_some_and(|requests| *requests.borrow() > 0)
}

fn lock() -> std::sync::MutexGuard<'static, Option<watch::Receiver<u32>>> {
    REQUESTS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn requests() -> io::Result<watch::Receiver<u32>> {
    let mut shared = lock();
    if let Some(requests) = &*shared {
        return Ok(requests.clone());
    }
    let signals = Signals::new()?;
    let (sender, requests) = watch::channel(0);
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || count(signals, &sender))?;
    Ok(shared.insert(requests).clone())
}

/// On a thread of its own, so that it also works while all others are blocked.
fn count(mut signals: Signals, requests: &watch::Sender<u32>) {
    for signal in signals.forever() {
        requests.send_modify(|requests| *requests += 1);
        match *requests.borrow() {
            1 => {}
            2 => {
                thread::spawn(move || {
                    thread::sleep(GRACE);
                    end_by(signal);
                });
            }
            _ => end_by(signal),
        }
    }
}
