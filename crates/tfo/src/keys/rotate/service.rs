//! The rotation as a service.

use std::time::{Duration, Instant, SystemTime};

use anyhow::Context;
use fastopen::{KeyRing, Rotation};
use tokio::signal::unix::{SignalKind, signal};

use super::super::report::{Report, Rotated};
use super::super::{derive, text};
use super::Args;
use super::metrics::Metrics;
use super::places::Places;
use super::reading::{self, Reading};
use super::timetable::{self, Cause, Decision, Timetable};
use crate::interrupt::{self, Interrupt};
use crate::service::notify::Manager;
use crate::service::problems::Problems;
use crate::service::textfile::TextFile;
use crate::{fingerprint, hint, json, printable, program, stdout, warning};

/// How often clocks, keys and namespaces are looked at.
const LOOK: Duration = Duration::from_secs(3);

/// Keeps the keys to the schedule until a stop is requested.
pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    anyhow::ensure!(
        args.source.is_lasting(),
        "--watch reads the secret again for each change, which standard input does not allow: name a file or --secret-command"
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let ended = runtime.block_on(async {
        let mut interrupt = Interrupt::new()?;
        let mut reload = signal(SignalKind::hangup())?;
        let changed = reading::watch(&args.source, LOOK);
        let look = Manager::watchdog().map_or(LOOK, |watchdog| (watchdog / 2).min(LOOK));
        let mut service = Service::new(args)?;
        loop {
            service.look();
            let pause = service.timetable.pause(SystemTime::now(), look);
            tokio::select! {
                () = interrupt.stop_requested() => break,
                _ = reload.recv() => service.timetable.ask(Cause::Reload),
                () = changed.notified() => service.timetable.ask(Cause::SecretChanged),
                (cause, rotation) = reading::done(&mut service.reading) => service.read(cause, rotation)?,
                () = tokio::time::sleep(pause) => {}
            }
        }
        service.manager.tell("STOPPING=1");
        Ok(())
    });
    // A file system that does not answer is not waited for.
    runtime.shutdown_background();
    ended
}

struct Service<'a> {
    args: &'a Args,
    started: Instant,
    manager: Manager,
    timetable: Timetable,
    reading: Option<Reading>,
    places: Places,
    /// The keys that are set. The secret is kept no longer than it takes to make them.
    keys: Option<KeyRing>,
    metrics: Metrics,
    problems: Problems,
    textfile: Option<TextFile>,
    is_ready: bool,
}

impl<'a> Service<'a> {
    fn new(args: &'a Args) -> anyhow::Result<Self> {
        Ok(Self {
            args,
            started: Instant::now(),
            manager: Manager::from_environment().context("the service manager's socket (NOTIFY_SOCKET)")?,
            timetable: Timetable::default(),
            reading: None,
            places: args.places(),
            keys: None,
            metrics: Metrics::default(),
            problems: Problems::default(),
            textfile: args.textfile.as_deref().map(TextFile::at),
            is_ready: false,
        })
    }

    /// Does what is due.
    fn look(&mut self) {
        let now = SystemTime::now();
        let decision = self.timetable.decide(now, self.started.elapsed());
        self.metrics.clock_is_unset = decision == Decision::ClockIsUnset;
        let mut problems = Vec::new();
        match decision {
            Decision::Change(cause) => {
                self.timetable.reading();
                self.reading = Some(Reading::start(&self.args.source, cause));
            }
            Decision::ClockIsUnset => problems.push(format!(
                "the clock says {}: it was not set, and the keys stay as they are until it is",
                derive::time(now)
            )),
            Decision::Wait => {}
        }
        if let Some(reading) = &mut self.reading
            && reading.is_newly_late()
        {
            self.metrics.secret_failures += 1;
            self.warn_of_secret(&anyhow::anyhow!(
                "{} does not answer: it is still being read",
                self.args.source.name()
            ));
        }
        self.keep(&mut problems);
        problems.extend(self.export());
        self.problems.tell(problems);
        self.manager.tell("WATCHDOG=1");
    }

    /// The secret was read, or could not be. Only an output that nobody reads any more ends the service.
    fn read(&mut self, cause: Cause, rotation: anyhow::Result<Rotation>) -> anyhow::Result<()> {
        match rotation {
            Ok(rotation) => self.change(&rotation, cause),
            Err(error) => {
                self.timetable.failed(self.started.elapsed());
                self.metrics.secret_failures += 1;
                self.warn_of_secret(&error);
                Ok(())
            }
        }
    }

    fn change(&mut self, rotation: &Rotation, cause: Cause) -> anyhow::Result<()> {
        // The secret may have taken its time.
        let now = SystemTime::now();
        if timetable::is_unset(now) {
            self.timetable.put_off(cause);
            return Ok(());
        }
        let keys = rotation.keys(now);
        let next = rotation.next_change(now);
        let failures = self.places.set(&keys, || is_alive(&self.manager));
        self.timetable.changed(now, next);
        self.metrics.changes += 1;
        self.metrics.fingerprints = fingerprint::of_ring(&keys);
        self.metrics.changed = Some((now, next));
        self.metrics.namespace_failures = failures.len();
        self.keys = Some(keys);
        self.problems = Problems::default();
        self.problems.tell(failures.clone());
        let report = Rotated {
            time: derive::time(now),
            cause: cause.name().to_owned(),
            fingerprints: self.metrics.fingerprints.clone(),
            next_change: Some(derive::time(next)),
            namespaces: self.places.count(),
            listeners: self.places.listener_count(),
            failures,
        };
        let mut out = stdout::lock();
        match self.args.output.json {
            true => json::line(&mut out, &Report::Rotated(report))?,
            false => text::rotated_line(&report, &mut out)?,
        }
        let next = derive::time(next);
        self.manager.tell(&format!(
            "STATUS=Keys in {} network namespaces; next change {next}",
            self.places.count()
        ));
        if !self.is_ready && self.places.count() > 0 {
            self.manager.tell("READY=1");
            self.is_ready = true;
        }
        Ok(())
    }

    /// Sets the keys in namespaces that came, and where they were changed.
    fn keep(&mut self, problems: &mut Vec<String>) {
        if let Some(keys) = &self.keys {
            let failures = self.places.keep(keys, || is_alive(&self.manager));
            self.metrics.namespace_failures = failures.len();
            problems.extend(failures);
        }
    }

    fn warn_of_secret(&self, error: &anyhow::Error) {
        let message = program::message(error);
        let hint = hint::of(error).map_or_else(String::new, |hint| format!("\nhint: {hint}"));
        let state = match self.keys {
            Some(_) => "the keys stay as they are",
            None => "no keys were set",
        };
        warning::print(format_args!("{message}; {state}, and it is tried again{hint}"));
        self.manager.tell(&format!(
            "STATUS=The secret can't be read: {}",
            printable::lines(&message).replace('\n', " ")
        ));
    }

    /// Keeps the metrics' file. Says what failed.
    fn export(&mut self) -> Option<String> {
        self.metrics.namespaces = self.places.count();
        self.metrics.listeners = self.places.listener_count();
        self.metrics.overwritten = self.places.overwritten;
        let file = self.textfile.as_mut()?;
        file.write(self.metrics.page()).err()
    }
}

/// Tells the manager so, in the middle of work that takes long; false when a stop is requested.
fn is_alive(manager: &Manager) -> bool {
    manager.tell("WATCHDOG=1");
    !interrupt::is_requested()
}
