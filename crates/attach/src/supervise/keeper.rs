//! Keeps the memory's file on a thread of its own: programs do not wait for a disk, or for a file server that does not answer.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, eventfd};

use super::memory::{Entry, Memory};
use super::store::Store;

enum Job {
    Read,
    Write(Memory),
}

enum Done {
    Read(Vec<(SocketAddr, Entry)>),
    Written(Memory),
}

/// The thread, as the supervisor sees it. It has one job at a time: where the disk hangs, nothing piles up.
#[derive(Debug)]
pub(crate) struct Keeper {
    jobs: Sender<Job>,
    results: Receiver<io::Result<Done>>,
    /// Readable when there is a result.
    told: Arc<OwnedFd>,
    is_busy: bool,
    /// It was waited for in vain.
    hangs: bool,
}

impl Keeper {
    /// # Errors
    /// There can be no further thread.
    pub(crate) fn start(path: PathBuf) -> io::Result<Self> {
        let (jobs, given) = channel();
        let (tell, results) = channel();
        let told = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let tells = Arc::clone(&told);
        thread::Builder::new().spawn(move || {
            let mut store = Store::new(path);
            while let Ok(job) = given.recv() {
                if tell.send(carry_out(job, &mut store)).is_err() {
                    return;
                }
                let _ = rustix::io::write(&tells, &1_u64.to_ne_bytes());
            }
        })?;
        Ok(Self {
            jobs,
            results,
            told,
            is_busy: false,
            hangs: false,
        })
    }

    /// Reads the file, if it has changed.
    pub(crate) fn read(&mut self) {
        self.begin(Job::Read);
    }

    /// Writes what is known.
    pub(crate) fn write(&mut self, memory: &Memory) {
        if !self.is_busy {
            self.begin(Job::Write(memory.clone()));
        }
    }

    fn begin(&mut self, job: Job) {
        if !self.is_busy {
            self.is_busy = self.jobs.send(job).is_ok();
        }
    }

    /// Takes a result, if there is one.
    pub(crate) fn take(&mut self, memory: &mut Memory) -> io::Result<()> {
        let _ = rustix::io::read(&self.told, &mut [0_u8; 8]);
        match self.results.try_recv() {
            Ok(result) => self.apply(result, memory),
            Err(_) => Ok(()),
        }
    }

    /// Waits for what it is doing, for at most so long.
    pub(crate) fn wait(&mut self, memory: &mut Memory, within: Duration) -> io::Result<()> {
        let within = match self.hangs {
            true => Duration::ZERO,
            false => within,
        };
        match self.is_busy {
            false => Ok(()),
            true => match self.results.recv_timeout(within) {
                Ok(result) => self.apply(result, memory),
                Err(RecvTimeoutError::Timeout) => {
                    self.hangs = true;
                    Err(io::Error::other("the file system does not answer"))
                }
                Err(RecvTimeoutError::Disconnected) => Ok(()),
            },
        }
    }

    /// Writes what is not in the file yet, and waits until it is there, for at most so long.
    pub(crate) fn finish(&mut self, memory: &mut Memory, within: Duration) -> io::Result<()> {
        let deadline = Instant::now() + within;
        self.wait(memory, within)?;
        if memory.has_news() {
            self.write(memory);
        }
        self.wait(memory, deadline.saturating_duration_since(Instant::now()))
    }

    fn apply(&mut self, result: io::Result<Done>, memory: &mut Memory) -> io::Result<()> {
        (self.is_busy, self.hangs) = (false, false);
        match result? {
            Done::Read(entries) => memory.merge(entries),
            Done::Written(copy) => {
                memory.is_saved(&copy);
                memory.merge(copy.entries().map(|(destination, entry)| (*destination, *entry)));
            }
        }
        Ok(())
    }
}

impl AsFd for Keeper {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.told.as_fd()
    }
}

fn carry_out(job: Job, store: &mut Store) -> io::Result<Done> {
    match job {
        Job::Read => store.refresh().map(Done::Read),
        Job::Write(mut memory) => store.save(&mut memory).map(|()| Done::Written(memory)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervise::memory::Decision;

    const NOW: u64 = 1_800_000_000;
    const LONG: Duration = Duration::from_secs(20);

    fn at(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    #[test]
    fn what_is_learnt_while_it_writes_is_written_next() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("destinations");
        let mut keeper = Keeper::start(path.clone()).unwrap();
        let mut memory = Memory::new(100);
        memory.answered(at(80), NOW, None);
        keeper.write(&memory);
        memory.answered(at(81), NOW, None);
        memory.failed(at(80), NOW + 1);
        keeper.wait(&mut memory, LONG).unwrap();
        assert!(memory.has_news(), "port 81, and what became of 80");
        keeper.finish(&mut memory, LONG).unwrap();
        assert!(!memory.has_news());

        let mut other = Memory::new(100);
        let mut reader = Keeper::start(path).unwrap();
        reader.read();
        reader.wait(&mut other, LONG).unwrap();
        assert_eq!(other.decide(at(81), NOW), Decision::Defer);
        assert_eq!(other.decide(at(80), NOW + 2), memory.decide(at(80), NOW + 2));
    }

    /// Opening a pipe that nobody writes to waits for ever, as a file does whose server is gone.
    #[test]
    fn a_file_that_hangs_is_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("destinations");
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.unwrap().success());
        let mut keeper = Keeper::start(path).unwrap();
        let mut memory = Memory::new(100);
        keeper.read();
        memory.answered(at(80), NOW, None);
        keeper.finish(&mut memory, Duration::from_millis(20)).unwrap_err();
        let begun = Instant::now();
        keeper.finish(&mut memory, LONG).unwrap_err();
        assert!(begun.elapsed() < LONG / 2, "it is waited for once");
    }
}
