//! A thread of another process: duplicates of the descriptors in its own table, and its status.

use std::fs::{File, metadata};
use std::io;
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::os::unix::fs::MetadataExt;

use super::process::{duplicate, pidfd_open, process_of, read_whole};

/// A thread, by descriptors that stand for it whoever gets its number later.
#[derive(Debug)]
pub(crate) struct Thread {
    tid: u32,
    /// None where the kernel opens processes only, and it is not the first of its process.
    pidfd: Option<OwnedFd>,
    status: Option<File>,
}

impl Thread {
    pub(crate) fn open(tid: u32) -> io::Result<Self> {
        /// `PIDFD_THREAD` (Linux 6.9).
        const THREAD: libc::c_uint = libc::O_EXCL as libc::c_uint;
        let pidfd = match pidfd_open(tid, 0) {
            Ok(first) => Some(first),
            // Before 6.18 or so EINVAL, later ENOENT: it is not the first thread of its process.
            Err(error) if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOENT)) => {
                pidfd_open(tid, THREAD).ok()
            }
            Err(error) => return Err(error),
        };
        Ok(Self {
            tid,
            pidfd,
            status: None,
        })
    }

    pub(crate) fn tid(&self) -> u32 {
        self.tid
    }

    /// A duplicate of the descriptor that has this number in its table, which it mostly shares with its process. ESRCH: it has ended.
    pub(crate) fn duplicate(&self, number: RawFd) -> io::Result<OwnedFd> {
        match &self.pidfd {
            Some(thread) => duplicate(thread.as_fd(), number),
            None => self.duplicate_by_process(number),
        }
    }

    /// From its process, if the thread has the same file behind that number.
    fn duplicate_by_process(&self, number: RawFd) -> io::Result<OwnedFd> {
        let process = pidfd_open(process_of(self.tid)?, 0)?;
        let file = duplicate(process.as_fd(), number)?;
        let its_own = metadata(format!("/proc/{}/fd/{number}", self.tid))?;
        let taken = rustix::fs::fstat(&file)?;
        match (its_own.dev(), its_own.ino()) == (taken.st_dev, taken.st_ino) {
            true => Ok(file),
            false => Err(io::Error::from_raw_os_error(libc::EBADF)),
        }
    }

    /// `/proc/TID/status`.
    pub(crate) fn status(&mut self) -> io::Result<String> {
        let file = match &self.status {
            Some(file) => file,
            None => self
                .status
                .insert(File::open(format!("/proc/{}/status", self.tid))?),
        };
        let status = read_whole(file);
        if status.is_err() {
            self.status = None;
        }
        status
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;
    use std::time::{Duration, Instant};

    use super::*;

    /// A thread may have a table of descriptors of its own, in which the same number means another file.
    #[test]
    fn a_thread_with_its_own_descriptors() {
        let (ours, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        let number = ours.as_raw_fd();
        let ino = |file: &OwnedFd| rustix::fs::fstat(file).unwrap().st_ino;
        let ours_ino = rustix::fs::fstat(&ours).unwrap().st_ino;
        let (tell, told) = std::sync::mpsc::channel();
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            let itself = std::fs::read_link("/proc/thread-self").unwrap();
            let tid: u32 = itself.file_name().unwrap().to_str().unwrap().parse().unwrap();
            tell.send(tid).unwrap();
            ended.recv().unwrap();
            // SAFETY: what this thread closes below is in its own table from here on.
            assert_eq!(unsafe { libc::unshare(libc::CLONE_FILES) }, 0);
            let file = std::fs::File::open("/dev/null").unwrap();
            // SAFETY: it replaces a descriptor of this thread's own table, of which nothing else here knows.
            assert_eq!(unsafe { libc::dup2(file.as_raw_fd(), number) }, number);
            tell.send(tid).unwrap();
            ended.recv().unwrap();
        });
        let tid = told.recv().unwrap();
        let mut known = Thread::open(tid).unwrap();
        assert_eq!(ino(&known.duplicate(number).unwrap()), ours_ino);
        assert_eq!(ino(&known.duplicate_by_process(number).unwrap()), ours_ino);
        end.send(()).unwrap();
        told.recv().unwrap();
        if let Ok(its_own) = known.duplicate(number) {
            assert_ne!(ino(&its_own), ours_ino);
        }
        assert!(known.duplicate_by_process(number).is_err(), "another file");
        assert!(known.status().unwrap().contains(&format!("Pid:\t{tid}\n")));
        end.send(()).unwrap();
        thread.join().unwrap();
        // Who joins a thread may go on before the kernel has taken it out of its lists.
        let deadline = Instant::now() + Duration::from_secs(20);
        while known.status().is_ok() {
            assert!(Instant::now() < deadline, "it is still there");
            std::thread::sleep(Duration::from_millis(1));
        }
        known.duplicate(number).unwrap_err();
    }
}
