//! The file in which the memory is kept between runs, and which all supervisors of a user share.
//!
//! Each reads it again when it has changed. Writing is: lock, read, merge, write another file, rename; so a reader sees a whole file, and no
//! writer loses what another has learnt. If the file can't be read or written, only the memory between runs is lost.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::{FlockOperation, flock};

use super::memory::{Entry, Memory};

const HEADER: &str = "tfo destinations 2";
/// Three times the size of a full memory; a longer file was not written by this program.
const LIMIT: u64 = 1 << 20;

#[derive(Debug)]
pub(crate) struct Store {
    path: PathBuf,
    read_at: Option<SystemTime>,
}

impl Store {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, read_at: None }
    }

    /// What is in the file, if that has changed.
    pub(crate) fn refresh(&mut self) -> io::Result<Vec<(SocketAddr, Entry)>> {
        let changed = match fs::metadata(&self.path).and_then(|file| file.modified()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            changed => Some(changed?),
        };
        if changed == self.read_at {
            return Ok(Vec::new());
        }
        self.read_at = changed;
        read(&self.path).map(|text| parse(&text))
    }

    /// Writes what this memory knows, and gives it what else is in the file.
    pub(crate) fn save(&mut self, memory: &mut Memory) -> io::Result<()> {
        if let Some(folder) = self.path.parent() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let beside = |suffix: &str| {
            let mut name = self.path.clone().into_os_string();
            name.push(suffix);
            PathBuf::from(name)
        };
        let lock = open_for_writing(&beside(".lock"))?;
        flock(&lock, FlockOperation::LockExclusive)?;
        if let Ok(text) = read(&self.path) {
            memory.merge(parse(&text));
        }
        let written = beside(".new");
        let mut file = open_for_writing(&written)?;
        let replaced = file
            .set_len(0)
            .and_then(|()| file.write_all(print(memory).as_bytes()))
            .and_then(|()| fs::rename(&written, &self.path));
        if replaced.is_err() {
            // A part of it is of no use, and takes room.
            let _ = fs::remove_file(&written);
        }
        replaced?;
        self.read_at = file.metadata()?.modified().ok();
        Ok(())
    }
}

fn open_for_writing(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC)
        .open(path)
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = Vec::new();
    File::open(path)?.take(LIMIT).read_to_end(&mut text)?;
    // A line that is no text makes no sense, and is left out like others.
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn print(memory: &Memory) -> String {
    let mut lines: Vec<String> = memory
        .entries()
        .map(|(destination, entry)| line(*destination, entry))
        .collect();
    lines.sort_unstable();
    format!("{HEADER}\n{}", lines.concat())
}

fn line(destination: SocketAddr, entry: &Entry) -> String {
    let Entry {
        answered,
        plain_until,
        pause,
        server_first,
        in_vain,
        rtt,
        touched,
    } = entry;
    let first = if *server_first { "server" } else { "client" };
    format!("{destination} {touched} {answered} {plain_until} {pause} {in_vain} {rtt} {first}\n")
}

/// The entries of a file; lines that make no sense are left out, and so is everything in a file of another version.
fn parse(text: &str) -> Vec<(SocketAddr, Entry)> {
    let mut lines = text.lines();
    if lines.next() != Some(HEADER) {
        return Vec::new();
    }
    lines.filter_map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<(SocketAddr, Entry)> {
    let columns: Vec<&str> = line.split(' ').collect();
    let [
        destination,
        touched,
        answered,
        plain_until,
        pause,
        in_vain,
        rtt,
        first,
    ] = columns[..]
    else {
        return None;
    };
    let entry = Entry {
        touched: touched.parse().ok()?,
        answered: answered.parse().ok()?,
        plain_until: plain_until.parse().ok()?,
        pause: pause.parse().ok().filter(|pause| *pause <= 24 * 60 * 60)?,
        in_vain: in_vain.parse().ok()?,
        rtt: rtt.parse().ok()?,
        server_first: match first {
            "server" => true,
            "client" => false,
            _ => return None,
        },
    };
    Some((destination.parse().ok()?, entry))
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use super::*;
    use crate::supervise::memory::Decision;

    const NOW: u64 = 1_800_000_000;

    fn at(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    #[test]
    fn what_is_saved_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deeper/destinations");
        let mut memory = Memory::new(100);
        memory.answered(at(80), NOW, Some(Duration::from_millis(60)));
        memory.server_spoke_first(at(25), NOW);
        memory.failed("[2001:db8::1]:443".parse().unwrap(), NOW);
        Store::new(path.clone()).save(&mut memory).unwrap();
        let mut other = Memory::new(100);
        other.merge(Store::new(path).refresh().unwrap());
        for destination in [at(80), at(25), "[2001:db8::1]:443".parse().unwrap(), at(7)] {
            assert_eq!(other.decide(destination, NOW), memory.decide(destination, NOW));
        }
        assert_eq!(other.decide(at(80), NOW), Decision::Defer);
        assert_eq!(other.rtt(at(80)), memory.rtt(at(80)));
    }

    #[test]
    fn several_writers_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("destinations");
        thread::scope(|scope| {
            for writer in 0..8 {
                let path = path.clone();
                scope.spawn(move || {
                    let mut memory = Memory::new(1000);
                    let mut store = Store::new(path);
                    for port in 1..=20 {
                        memory.answered(at(writer * 100 + port), NOW, None);
                        store.save(&mut memory).unwrap();
                    }
                });
            }
        });
        let mut memory = Memory::new(1000);
        memory.merge(Store::new(path).refresh().unwrap());
        assert_eq!(memory.entries().count(), 160);
    }

    #[test]
    fn what_makes_no_sense_is_left_out() {
        let good = "192.0.2.1:80 1 2 3 4 0 60000 client";
        for (text, taken) in [
            (String::new(), 0),
            (format!("{HEADER}\n{good}\n"), 1),
            (format!("tfo destinations 1\n{good}\n"), 0),
            (
                format!("{HEADER}\nx\n{good} more\n192.0.2.1:80 1 2 3 -4 0 60000 client\n{good}\n"),
                1,
            ),
            (
                format!("{HEADER}\n192.0.2.1:80 1 2 3 99999999 0 60000 client\n"),
                0,
            ),
        ] {
            assert_eq!(parse(&text).len(), taken, "{text}");
        }
    }

    #[test]
    fn a_damaged_file_is_repaired() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("destinations");
        let mut damaged = format!("{HEADER}\n192.0.2.1:80 1 2 3 4 0 60000 client\n").into_bytes();
        damaged.extend_from_slice(b"\xff\xfe\n192.0.2.1:81 1 2\xff 3 4 0 60000 client\n");
        fs::write(&path, damaged).unwrap();
        let mut store = Store::new(path.clone());
        let mut memory = Memory::new(100);
        memory.merge(store.refresh().unwrap());
        assert_eq!(memory.entries().count(), 1);
        memory.answered(at(82), NOW, None);
        store.save(&mut memory).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 3, "{text}");
    }

    #[test]
    fn what_can_not_be_replaced_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("destinations");
        fs::create_dir(&path).unwrap();
        Store::new(path).save(&mut Memory::new(100)).unwrap_err();
        assert!(!folder.path().join("destinations.new").exists());
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_taken(text in "(tfo destinations 2\n)?[0-9a-f:. \nclient]{0,200}") {
            let _ = parse(&text);
        }
    }
}
