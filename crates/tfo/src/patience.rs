//! Reading what may never answer: a named pipe that nobody writes to, a file system whose server is gone.

use std::io;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// How long reading a file may take, or a command that prints what is read.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Does it on a thread, which nothing can end: it is left behind where it takes longer than that.
///
/// # Errors
/// It took longer, or there can be no thread.
pub(crate) fn within<T: Send + 'static>(
    patience: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    let (sender, done) = mpsc::channel();
    thread::Builder::new().spawn(move || {
        // Nobody waits any more: too late.
        let _ = sender.send(work());
    })?;
    done.recv_timeout(patience).map_err(|_| {
        let message = format!("it does not answer within {patience:?}: a pipe that nobody writes to?");
        io::Error::new(io::ErrorKind::TimedOut, message)
    })
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs::{self, File, read_to_string};
    use std::path::PathBuf;
    use std::process::Command;
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_pipe_is_read_when_it_has_a_writer_and_not_waited_for_without_end() {
        let folder = tempfile::tempdir().unwrap();
        let pipe: PathBuf = folder.path().join("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let writer = thread::spawn({
            let pipe = pipe.clone();
            move || fs::write(pipe, "written").unwrap()
        });
        let read = |patience| {
            within(patience, {
                let pipe = pipe.clone();
                move || read_to_string(pipe).unwrap()
            })
        };
        assert_eq!(read(PATIENCE).unwrap(), "written");
        writer.join().unwrap();
        let began = Instant::now();
        let error = read(Duration::from_millis(50)).unwrap_err();
        assert!(
            error.to_string().starts_with("it does not answer within 50ms"),
            "{error}"
        );
        assert!(began.elapsed() < PATIENCE);
        // The thread that was left behind.
        drop(File::options().write(true).open(&pipe));
    }
}
