//! Where a unit's files are.
//!
//! Source: systemd.unit(5), "UNIT FILE LOAD PATH"; `systemctl cat` needs a systemd that runs, and this does not.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};

use crate::hint::Hint;

/// The folders, the first of which has precedence.
const FOLDERS: &[&str] = &[
    "etc/systemd/system.control",
    "run/systemd/system.control",
    "run/systemd/transient",
    "run/systemd/generator.early",
    "etc/systemd/system",
    "etc/systemd/system.attached",
    "run/systemd/system",
    "run/systemd/system.attached",
    "run/systemd/generator",
    "usr/local/lib/systemd/system",
    "usr/lib/systemd/system",
    "lib/systemd/system",
    "run/systemd/generator.late",
];
/// No sensible file is longer.
const LONGEST: u64 = 1 << 20;

/// A unit's name, with its suffix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name(pub(super) String);

/// A unit's files, in the order in which they are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Files {
    pub(super) unit: PathBuf,
    pub(super) drop_ins: Vec<PathBuf>,
}

impl Name {
    /// A unit that is named without a suffix is a service.
    pub(super) fn parse(text: &str) -> anyhow::Result<Self> {
        let name = match text.contains('.') {
            true => text.to_owned(),
            false => format!("{text}.service"),
        };
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
        ensure!(
            name.chars().all(is_allowed) && name.len() < 256 && !name.starts_with('.'),
            "{text:?} is no unit's name"
        );
        ensure!(
            name.ends_with(".service"),
            "{name} is no service: only those start programs"
        );
        Ok(Self(name))
    }

    /// The template that it is an instance of.
    pub(super) fn template(&self) -> Option<String> {
        let (template, instance) = self.0.strip_suffix(".service")?.split_once('@')?;
        (!instance.is_empty()).then(|| format!("{template}@.service"))
    }

    /// The folders' names of its drop-ins: `a-b@c.service.d`, `a-b@.service.d`, `a-.service.d` and `service.d`.
    fn folders(&self) -> Vec<String> {
        let mut folders = vec![format!("{}.d", self.0)];
        folders.extend(self.template().map(|template| template + ".d"));
        let stem = self
            .0
            .split('@')
            .next()
            .unwrap_or(&self.0)
            .trim_end_matches(".service");
        for (at, _) in stem.match_indices('-').collect::<Vec<_>>().into_iter().rev() {
            folders.push(format!("{}.service.d", &stem[..=at]));
        }
        folders.push("service.d".to_owned());
        folders.dedup();
        folders
    }
}

/// Finds them in the system that has this root.
pub(super) fn files(root: &Path, name: &Name) -> anyhow::Result<Files> {
    let names = [Some(name.0.clone()), name.template()];
    let mut unit = None;
    'found: for file in names.into_iter().flatten() {
        for folder in FOLDERS {
            let path = root.join(folder).join(&file);
            if fs::symlink_metadata(&path).is_ok() {
                unit = Some(path);
                break 'found;
            }
        }
    }
    let Some(unit) = unit else {
        return Err(anyhow::anyhow!(
            "there is no unit {} in {}",
            name.0,
            root.display()
        ))
        .hint("systemctl list-unit-files has those that there are");
    };
    if let Ok(target) = fs::read_link(&unit) {
        ensure!(target != Path::new("/dev/null"), "{} is masked", name.0);
        // Its drop-ins are found by that name, and a drop-in for the alias alone would surprise.
        if let Some(other) = target.file_name().and_then(|other| other.to_str())
            && other != name.0
            && Some(other) != name.template().as_deref()
        {
            return Err(anyhow::anyhow!("{} is another name of {other}", name.0))
                .hint(format!("name that one: --unit {other}"));
        }
    }
    // Of those with the same name the first counts.
    let mut drop_ins = BTreeMap::new();
    for named in name.folders() {
        for folder in FOLDERS {
            for entry in fs::read_dir(root.join(folder).join(&named))
                .into_iter()
                .flatten()
                .flatten()
            {
                let file = entry.file_name();
                if file.to_string_lossy().ends_with(".conf") {
                    drop_ins.entry(file).or_insert_with(|| entry.path());
                }
            }
        }
    }
    Ok(Files {
        unit,
        drop_ins: drop_ins.into_values().collect(),
    })
}

/// A file's text; links lead where they do in the system that has this root.
pub(super) fn read(root: &Path, path: &Path) -> anyhow::Result<String> {
    use std::io::Read;

    const LINKS: usize = 8;
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        match fs::read_link(&path) {
            Ok(target) if target.is_absolute() => {
                path = root.join(target.strip_prefix("/").unwrap_or(&target));
            }
            Ok(target) => path = path.parent().unwrap_or(Path::new("/")).join(target),
            Err(error) if error.kind() == ErrorKind::InvalidInput => break,
            Err(error) => return Err(error).with_context(|| format!("can't read {}", path.display())),
        }
    }
    // A mask among drop-ins is an empty file.
    if path == root.join("dev/null") {
        return Ok(String::new());
    }
    let reading = || format!("can't read {}", path.display());
    let mut text = String::new();
    let file = fs::File::open(&path).with_context(reading)?;
    let read = file
        .take(LONGEST)
        .read_to_string(&mut text)
        .with_context(reading)?;
    if read as u64 == LONGEST {
        bail!("{} is too long for a unit", path.display());
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_to_its_folders() {
        let folders = |text: &str| Name::parse(text).unwrap().folders();
        assert_eq!(folders("nginx"), ["nginx.service.d", "service.d"]);
        assert_eq!(
            folders("a-b-c@1.service"),
            [
                "a-b-c@1.service.d",
                "a-b-c@.service.d",
                "a-b-.service.d",
                "a-.service.d",
                "service.d"
            ]
        );
        for text in ["", "../a", "a/b", "a.socket", "a b", ".service", "a\n"] {
            assert!(Name::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn files_are_found_in_order() {
        let root = tempfile::tempdir().unwrap();
        let put = |path: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, path.display().to_string()).unwrap();
        };
        put("usr/lib/systemd/system/a@.service");
        put("usr/lib/systemd/system/a@.service.d/20.conf");
        put("etc/systemd/system/a@1.service.d/10.conf");
        put("etc/systemd/system/a@1.service.d/20.conf");
        put("etc/systemd/system/a@1.service.d/readme");
        put("run/systemd/system/service.d/15.conf");
        let names = |files: Files| -> Vec<String> {
            let paths = std::iter::once(files.unit).chain(files.drop_ins);
            paths
                .map(|path| path.strip_prefix(root.path()).unwrap().display().to_string())
                .collect()
        };
        let name = Name::parse("a@1").unwrap();
        assert_eq!(
            names(files(root.path(), &name).unwrap()),
            [
                "usr/lib/systemd/system/a@.service",
                "etc/systemd/system/a@1.service.d/10.conf",
                "run/systemd/system/service.d/15.conf",
                "etc/systemd/system/a@1.service.d/20.conf",
            ]
        );
        std::os::unix::fs::symlink("/dev/null", root.path().join("etc/systemd/system/b.service")).unwrap();
        std::os::unix::fs::symlink(
            "/lib/systemd/system/d.service",
            root.path().join("etc/systemd/system/c.service"),
        )
        .unwrap();
        for (name, told) in [
            ("b", "masked"),
            ("c", "another name of d.service"),
            ("e", "no unit e.service"),
        ] {
            let error = files(root.path(), &Name::parse(name).unwrap()).unwrap_err();
            assert!(format!("{error:#}").contains(told), "{error:#}");
        }
    }
}
