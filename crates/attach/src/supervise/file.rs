//! The memory's file, as the supervisor uses it.

use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::event::epoll;

use super::keeper::Keeper;
use super::supervisor::{FILE, FILE_INTERVAL, Supervisor};

/// For how long the program's first call waits until the file is read, and its end until that is written: far longer than it takes, unless
/// its disk or its server hangs.
const FILE_WITHIN: Duration = Duration::from_secs(1);

impl Supervisor {
    pub(super) fn begin_with_file(&mut self, path: PathBuf) {
        let begun = Keeper::start(path).and_then(|mut keeper| {
            let data = epoll::EventData::new_u64(FILE);
            epoll::add(&self.epoll, &keeper, data, epoll::EventFlags::IN)?;
            keeper.read();
            let read = keeper.wait(&mut self.memory, FILE_WITHIN);
            self.keeper = Some(keeper);
            read
        });
        self.was_kept(begun);
    }

    fn was_kept(&mut self, result: io::Result<()>) {
        if let (Err(error), false, Some(observer)) = (result, self.told_of_file, &mut self.observer) {
            observer.memory_not_kept(&error);
            self.told_of_file = true;
        }
    }

    pub(super) fn file_was_told_of(&mut self) {
        if let Some(keeper) = &mut self.keeper {
            let result = keeper.take(&mut self.memory);
            self.was_kept(result);
        }
    }

    pub(super) fn keep_file(&mut self, now: Instant) {
        if now < self.file_due {
            return;
        }
        self.file_due = now + FILE_INTERVAL;
        let Some(keeper) = &mut self.keeper else { return };
        match self.memory.has_news() {
            true => keeper.write(&self.memory),
            false => keeper.read(),
        }
    }

    pub(super) fn save(&mut self) {
        if let Some(keeper) = &mut self.keeper {
            let result = keeper.finish(&mut self.memory, FILE_WITHIN);
            self.was_kept(result);
        }
    }
}
