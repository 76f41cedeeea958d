//! Fast Open kept on listeners as servers restart and others start.
//!
//! ```text
//!   rules ──▶ survey: who listens, in which network namespaces ──▶ table: what is new ──▶ act: find its owners, switch it
//! ```
//!
//! [`rules`] and [`table`] decide and are pure; [`rules_file`] reads rules and [`executables`] follows the paths in them. [`survey`] is what costs time while nothing happens; [`act`] does what is to be done, and
//! [`event`] and [`metrics`] tell of it.

mod act;
mod event;
mod executables;
mod metrics;
mod rules;
mod rules_file;
mod survey;
mod table;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context;
use fastopen_host::sysctl::FastOpenBits;
use tokio::signal::unix::{SignalKind, signal};

use super::Enable;
use super::report::Missing;
use super::text::REPLAY;
use crate::hint;
use crate::interrupt::Interrupt;
use crate::namespace::machine::Id;
use crate::service::notify::Manager;
use crate::service::problems::Problems;
use crate::service::textfile::TextFile;
use crate::{program, stdout, units, warning};
use event::{Event, What};
use metrics::Metrics;
use rules::{Places, Rule, Rules};
use survey::{Place, View};
use table::Table;

/// Where the rules are unless others are named.
pub(super) const RULES: &str = "/etc/tfo/enable.toml";

/// The pauses between two looks: the first, unless looking takes so long that the second is called for.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// What a pause is at least, in terms of the time that the look took: half a percent of a processor.
const REST: u32 = 200;

/// Keeps to the rules until a stop is requested.
pub(super) fn run(args: &Enable) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut interrupt = Interrupt::new()?;
        let mut reload = signal(SignalKind::hangup())?;
        let longest = Manager::watchdog().map_or(LONGEST_PAUSE, |watchdog| (watchdog / 2).min(LONGEST_PAUSE));
        let mut service = Service::new(args)?;
        loop {
            let pause = service.look()?.min(longest);
            tokio::select! {
                () = interrupt.stop_requested() => break,
                _ = reload.recv() => service.reload()?,
                () = tokio::time::sleep(pause) => {}
            }
        }
        service.manager.tell("STOPPING=1");
        Ok(())
    })
}

struct Service<'a> {
    args: &'a Enable,
    /// The file, unless the rules are arguments.
    file: Option<PathBuf>,
    rules: Rules,
    /// Why the file was refused when it was read last.
    refusal: Option<String>,
    /// Whether it was said that data can be delivered twice.
    warned: bool,
    table: Table,
    manager: Manager,
    problems: Problems,
    textfile: Option<TextFile>,
    metrics: Metrics,
    status: String,
    is_ready: bool,
}

impl<'a> Service<'a> {
    fn new(args: &'a Enable) -> anyhow::Result<Self> {
        let file = file(args)?;
        let rules = read(args, file.as_deref())?;
        let mut service = Self {
            manager: Manager::from_environment().context("the service manager's socket (NOTIFY_SOCKET)")?,
            metrics: Metrics {
                rules: rules.0.len(),
                ..Metrics::default()
            },
            args,
            file,
            rules,
            refusal: None,
            warned: false,
            table: Table::default(),
            problems: Problems::default(),
            textfile: args.textfile.as_deref().map(TextFile::at),
            status: String::new(),
            is_ready: false,
        };
        service.warn_of_replay();
        service.tell(&[service.rules_event()])?;
        Ok(service)
    }

    /// Looks for listeners and does what is to be done. Only an output that nobody reads any more ends the service. Gives the pause
    /// until the next look.
    fn look(&mut self) -> anyhow::Result<Duration> {
        let began = Instant::now();
        let (places, mut problems) = survey::places(&self.rules);
        let views = survey::look(&places);
        let took = began.elapsed();
        for (id, view) in &views {
            match view {
                Ok(view) => self.table.see(*id, &view.listeners, began),
                Err(problem) => problems.extend(problem.clone()),
            }
        }
        self.table.keep(|id| places.contains_key(&id));
        match act::on_due(&mut self.table, &self.rules, &places, began) {
            Ok(done) => {
                self.count(&done);
                self.tell(&done)?;
            }
            Err(error) => problems.push(format!("can't find the owners of listeners: {error}")),
        }
        let missing = self.without_server_bit(&places, &views);
        self.metrics.namespaces = places.len();
        self.metrics.namespaces_without_server_bit = missing.len();
        let counts = self.table.counts();
        (self.metrics.listeners, self.metrics.pending) = (counts.switched, counts.pending);
        self.metrics.failed = counts.failed;
        problems.extend(executables::missing(&self.rules));
        self.metrics.problems = problems.len();
        self.metrics.looked = Some(SystemTime::now());
        problems.extend(missing);
        problems.extend(self.export());
        self.problems.tell(problems);
        self.tell_manager();
        Ok((took * REST).clamp(PAUSE, LONGEST_PAUSE))
    }

    /// Reads the rules again, and looks at every listener again.
    fn reload(&mut self) -> anyhow::Result<()> {
        self.manager.tell_reloading();
        match read(self.args, self.file.as_deref()) {
            Ok(rules) => {
                self.metrics.rules = rules.0.len();
                self.rules = rules;
                self.refusal = None;
                self.warn_of_replay();
                self.tell(&[self.rules_event()])?;
            }
            Err(error) => {
                let hint = hint::of(&error).map_or_else(String::new, |hint| format!("\nhint: {hint}"));
                let error = program::message(&error);
                warning::print(format_args!("{error}{hint}"));
                self.refusal = Some(error.clone());
                let file = self.file.as_ref().map(|file| file.display().to_string());
                self.tell(&[Event::now(What::RulesRefused { file, error })])?;
            }
        }
        self.metrics.rules_refused = self.refusal.is_some();
        self.table.reopen(Instant::now());
        self.manager.tell("READY=1");
        Ok(())
    }

    /// Says it once, and not where rules only switch Fast Open off.
    fn warn_of_replay(&mut self) {
        if !self.warned && self.rules.0.iter().any(|rule| rule.queue != Some(0)) {
            warning::print(format_args!("{REPLAY}"));
            self.warned = true;
        }
    }

    fn rules_event(&self) -> Event {
        Event::now(What::Rules {
            file: self.file.as_ref().map(|file| file.display().to_string()),
            rules: self.rules.0.len(),
        })
    }

    fn count(&mut self, events: &act::Done) {
        self.metrics.failures += events.failures;
        let changed = events.events.iter().filter(|event| match &event.what {
            What::Switched(switched) => switched.socket.before != switched.socket.now,
            _ => false,
        });
        self.metrics.switched += changed.count() as u64;
    }

    /// Where listeners have Fast Open by the rules and the kernel takes no data for them.
    fn without_server_bit(
        &self,
        places: &BTreeMap<Id, Place>,
        views: &BTreeMap<Id, Result<View, Option<String>>>,
    ) -> Vec<String> {
        let lacking = |(id, view): (&Id, &Result<View, Option<String>>)| {
            let Ok(view) = view else { return None };
            let place = places.get(id).filter(|_| self.table.uses(*id))?;
            let namespace = (!place.is_own).then_some(&place.namespace);
            let missing = match view.bits {
                Some(bits) if bits.contains(FastOpenBits::SERVER) => return None,
                Some(bits) => Missing::server_bit(bits, namespace),
                None => Missing::fast_open(),
            };
            let inside = namespace.map_or_else(String::new, |namespace| format!("in {namespace}, "));
            let command = missing
                .command
                .map_or_else(String::new, |command| format!("; to add it: {command}"));
            Some(format!("{inside}{}{command}", missing.what))
        };
        views.iter().filter_map(lacking).collect()
    }

    fn tell(&self, events: impl AsRef<[Event]>) -> anyhow::Result<()> {
        let events = events.as_ref();
        if events.is_empty() {
            return Ok(());
        }
        let mut out = stdout::lock();
        match self.args.json {
            true => event::as_json(events, &mut out)?,
            false => event::as_text(events, &mut out)?,
        }
        Ok(())
    }

    /// Keeps the metrics' file. Says what failed.
    fn export(&mut self) -> Option<String> {
        let page = self.metrics.page();
        self.textfile.as_mut()?.write(page).err()
    }

    fn tell_manager(&mut self) {
        let (listeners, pending) = (self.metrics.listeners as u64, self.metrics.pending as u64);
        let status = match &self.refusal {
            Some(error) => format!("The rules from before stay: {}", error.replace('\n', " ")),
            None => format!(
                "Fast Open on {} in {}, {pending} tried again",
                units::count(listeners, "listener", "listeners"),
                units::count(
                    self.metrics.namespaces as u64,
                    "network namespace",
                    "network namespaces"
                ),
            ),
        };
        if status != self.status {
            self.manager.tell(&format!("STATUS={status}"));
            self.status = status;
        }
        if !self.is_ready {
            self.manager.tell("READY=1");
            self.is_ready = true;
        }
        self.manager.tell("WATCHDOG=1");
    }
}

/// The file of the rules; `None` where the listeners are named by arguments.
fn file(args: &Enable) -> anyhow::Result<Option<PathBuf>> {
    if args.which.selection.is_empty() && args.which.netns.is_none() {
        anyhow::ensure!(
            args.queue.is_none() && !args.keys.are_given(),
            "--queue and keys belong to the listeners that arguments name; in {} each rule has its own",
            args.rules.as_deref().unwrap_or(Path::new(RULES)).display()
        );
        return Ok(Some(args.rules.clone().unwrap_or_else(|| RULES.into())));
    }
    anyhow::ensure!(
        args.rules.is_none(),
        "--rules stands alone: the file names the listeners"
    );
    Ok(None)
}

fn read(args: &Enable, file: Option<&Path>) -> anyhow::Result<Rules> {
    match file {
        Some(file) => rules_file::read(file),
        None => from_arguments(args),
    }
}

/// A rule for each argument that names listeners.
fn from_arguments(args: &Enable) -> anyhow::Result<Rules> {
    let selection = &args.which.selection;
    anyhow::ensure!(
        selection.processes().is_empty(),
        "--watch can't keep to a process: its number is another's after a restart; name the port, --unit or a program in --rules"
    );
    let places = match &args.which.netns {
        None => Places::Own,
        Some(namespace) => Places::named(namespace.clone())?,
    };
    let keys = args.keys.read()?;
    let rule = || Rule {
        places: places.clone(),
        queue: args.queue,
        keys: keys.clone(),
        ..Rule::default()
    };
    let places_named = selection.places().iter().map(|place| Rule {
        ports: vec![place.port.into()],
        addresses: place.ip.into_iter().collect::<Vec<IpAddr>>(),
        ..rule()
    });
    let units = selection.units().iter().map(|unit| Rule {
        units: vec![unit.clone()],
        ..rule()
    });
    let all = selection.is_all().then(rule);
    let rules: Vec<Rule> = places_named.chain(units).chain(all).collect();
    anyhow::ensure!(
        !rules.is_empty(),
        "--netns says where, and not which listeners: add --all, for example"
    );
    Ok(Rules(rules))
}
