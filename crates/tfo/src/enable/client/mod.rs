//! Units whose programs are run by `tfo run`: a drop-in for systemd, shown, written and removed.
//!
//! [`search`] finds a unit's files and [`unit`] reads them; [`plan`] makes the drop-in of that, whose commands [`command`] rewrites.

mod command;
mod plan;
mod search;
mod text;
mod unit;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use serde::Serialize;

use super::report::Action;
use super::selection::Selection;
use crate::hint::Hint;
use crate::status::Status;
use crate::{json, stdout};
use search::Name;
use unit::Service;

/// Read after all others that have a usual name.
const FILE: &str = "zz-tfo-run.conf";

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The connections that the unit's programs make, not its listeners: a drop-in that runs them by tfo run, from its next start on
    #[arg(long, requires = "unit", conflicts_with_all = ["places", "pid", "all", "netns"])]
    client: bool,
    /// Show the drop-in, and change nothing; with --client
    #[arg(long, requires = "client")]
    dry_run: bool,
    /// The system in this folder, as with systemctl --root=; with --client
    #[arg(long, value_name = "DIR", requires = "client")]
    root: Option<PathBuf>,
}

/// What was done, or would be. Its JSON form is described by `schemas/enable-client.json`.
#[derive(Clone, Debug, Serialize)]
struct Report {
    action: Action,
    dry_run: bool,
    units: Vec<Changed>,
    /// The commands that make systemd use it.
    next: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
struct Changed {
    unit: String,
    file: PathBuf,
    /// The drop-in from before, and the one from now on.
    before: Option<String>,
    now: Option<String>,
    notes: Vec<String>,
}

impl Options {
    pub(super) fn are_given(&self) -> bool {
        self.client
    }

    /// Writes the drop-ins of the units that were named, or removes them.
    ///
    /// # Errors
    /// There is no such unit, its commands can't be run by another, or the files can't be read or written.
    pub(super) fn run(&self, action: Action, selection: &Selection, as_json: bool) -> anyhow::Result<Status> {
        let root = self.root.as_deref().unwrap_or(Path::new("/"));
        let changed = selection.units().iter().map(|unit| {
            let name = Name::parse(unit)?;
            match action {
                Action::Enable => with(root, &name, &self.tfo(root)?),
                Action::Disable => without(root, &name),
            }
        });
        // All are known before the first is written.
        let units: Vec<Changed> = changed.collect::<Result<_, _>>()?;
        let report = Report {
            action,
            dry_run: self.dry_run,
            next: self.next(&units),
            units,
        };
        if !self.dry_run {
            carry_out(&report.units)?;
        }
        let mut out = stdout::lock();
        match as_json {
            true => json::line(&mut out, &report)?,
            false => text::report(&report, &mut out)?,
        }
        Ok(Status::Works)
    }

    /// Where units find this program.
    fn tfo(&self, root: &Path) -> anyhow::Result<String> {
        if self.root.is_none() {
            let path = std::env::current_exe().context("this program's path (/proc/self/exe)")?;
            return Ok(path.display().to_string());
        }
        let usual = ["usr/bin/tfo", "usr/local/bin/tfo"];
        let there = usual.iter().find(|path| root.join(path).exists());
        let there = there.with_context(|| format!("there is no /usr/bin/tfo in {}", root.display()));
        Ok(format!("/{}", there.hint("install it there first")?))
    }

    fn next(&self, units: &[Changed]) -> Vec<String> {
        let changed = units.iter().filter(|unit| unit.before != unit.now);
        let names: Vec<_> = changed.map(|changed| changed.unit.as_str()).collect();
        if names.is_empty() || self.root.is_some() {
            return Vec::new();
        }
        // A template has nothing to restart, but its instances.
        let names: Vec<_> = names.iter().map(|name| name.replace("@.", "@*.")).collect();
        vec![format!(
            "sudo systemctl daemon-reload && sudo systemctl restart '{}'",
            names.join("' '")
        )]
    }
}

fn with(root: &Path, name: &Name, tfo: &str) -> anyhow::Result<Changed> {
    let (file, before) = drop_in(root, name)?;
    let files = search::files(root, name)?;
    let mut service = Service::default();
    service.apply(&search::read(root, &files.unit)?);
    // One of this name is this one, or its template's, in whose place this one would come.
    let others = files
        .drop_ins
        .iter()
        .filter(|other| other.file_name() != file.file_name());
    for other in others {
        let has_a_say = service.apply(&search::read(root, other)?);
        ensure!(
            !has_a_say || other.file_name() < file.file_name(),
            "{} is read after {FILE} and sets ExecStart= too: rename it",
            other.display()
        );
    }
    let mut plan = plan::plan(&name.0, &service, tfo)?;
    if before.is_none()
        && let Some((template, of_template)) = of_template(root, name)?
        && settings(&of_template.1).eq(settings(&plan.text))
    {
        plan.notes.push(format!(
            "{} is an instance of {template}, whose drop-in is for it too",
            name.0
        ));
        return Ok(Changed {
            unit: name.0.clone(),
            file: of_template.0,
            before: Some(of_template.1.clone()),
            now: Some(of_template.1),
            notes: plan.notes,
        });
    }
    Ok(Changed {
        unit: name.0.clone(),
        file,
        before,
        now: Some(plan.text),
        notes: plan.notes,
    })
}

fn without(root: &Path, name: &Name) -> anyhow::Result<Changed> {
    let (file, before) = drop_in(root, name)?;
    let of_template = of_template(root, name)?.map(|(template, _)| {
        format!(
            "{} is an instance of {template}, whose drop-in is for it too; to remove that: tfo disable --client --unit {template}",
            name.0
        )
    });
    Ok(Changed {
        unit: name.0.clone(),
        file,
        before,
        now: None,
        notes: of_template.into_iter().collect(),
    })
}

/// The template of an instance, where that has a drop-in: its name, and the drop-in's path and text.
fn of_template(root: &Path, name: &Name) -> anyhow::Result<Option<(String, (PathBuf, String))>> {
    let Some(template) = name.template() else {
        return Ok(None);
    };
    let (file, text) = drop_in(root, &Name(template.clone()))?;
    Ok(text.map(|text| (template, (file, text))))
}

/// What systemd reads of a drop-in.
fn settings(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.starts_with('#'))
}

/// The drop-in's path, and what it holds.
fn drop_in(root: &Path, name: &Name) -> anyhow::Result<(PathBuf, Option<String>)> {
    let file = root
        .join("etc/systemd/system")
        .join(format!("{}.d", name.0))
        .join(FILE);
    let there = file
        .try_exists()
        .with_context(|| format!("can't read {}", file.display()))?;
    let before = there.then(|| search::read(root, &file)).transpose()?;
    Ok((file, before))
}

/// Writes and removes what is to change. An error says how far it came.
fn carry_out(units: &[Changed]) -> anyhow::Result<()> {
    let mut done: Vec<String> = Vec::new();
    for changed in units.iter().filter(|unit| unit.before != unit.now) {
        changed.carry_out().with_context(|| match &done[..] {
            [] => "nothing was changed".to_owned(),
            done => format!("only {} was changed", done.join(", ")),
        })?;
        done.push(changed.file.display().to_string());
    }
    Ok(())
}

impl Changed {
    fn carry_out(&self) -> anyhow::Result<()> {
        let done = match &self.now {
            Some(text) => self.write(text),
            None => self.remove(),
        };
        done.with_context(|| format!("can't change {}", self.file.display()))
            .hint("run it as root; --dry-run shows the file without changing it")
    }

    /// At once, so that systemd never reads half of it.
    fn write(&self, text: &str) -> io::Result<()> {
        if let Some(folder) = self.file.parent() {
            fs::create_dir_all(folder)?;
        }
        // What doesn't end in .conf is no drop-in.
        let new = self.file.with_extension("conf.new");
        fs::write(&new, text)?;
        fs::rename(new, &self.file)
    }

    fn remove(&self) -> io::Result<()> {
        fs::remove_file(&self.file)?;
        if let Some(folder) = self.file.parent() {
            // It stays where others have drop-ins in it.
            let _ = fs::remove_dir(folder);
        }
        Ok(())
    }
}
