//! Programs that rules name by a path, and what processes run.
//!
//! A path may be a link, as /usr/bin/python3 is, which leads elsewhere after an upgrade and in a container. So it is followed anew for each
//! process, in the file system that the process sees.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, ResolveFlags, open, openat2};
use rustix::io::Errno;

use super::rules::{Places, Rules, is_path};

/// What the kernel adds to the path of an executable that was replaced, as an upgrade does. Source: proc_pid_exe(5).
const DELETED: &str = " (deleted)";

/// The paths of programs in the rules that lead to the executable of this process.
pub(super) fn leading_to(rules: &Rules, pid: u32) -> Vec<String> {
    let mut paths: Vec<&String> = rules
        .0
        .iter()
        .flat_map(|rule| &rule.programs)
        .filter(|name| is_path(name))
        .collect();
    paths.sort();
    paths.dedup();
    if paths.is_empty() {
        return Vec::new();
    }
    let Ok(executable) = fs::read_link(format!("/proc/{pid}/exe")) else {
        return Vec::new();
    };
    let executable = executable.to_str().map_or(&*executable, |text| {
        Path::new(text.strip_suffix(DELETED).unwrap_or(text))
    });
    let leads = |path: &&String| {
        Path::new(path) == executable || followed(path, pid).is_ok_and(|file| file == executable)
    };
    paths.into_iter().filter(leads).cloned().collect()
}

/// Where a path leads for that process.
fn followed(path: &str, pid: u32) -> io::Result<PathBuf> {
    let file = open_in(&root_of(pid)?, path)?;
    fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

fn root_of(pid: u32) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    open(format!("/proc/{pid}/root"), flags, Mode::empty())
}

fn open_in(root: &OwnedFd, path: &str) -> rustix::io::Result<OwnedFd> {
    openat2(
        root,
        path,
        OFlags::PATH | OFlags::CLOEXEC,
        Mode::empty(),
        ResolveFlags::IN_ROOT,
    )
}

/// Whether there is nothing at that path, as the first process sees it: a service sees less where its unit hides folders.
fn is_missing(path: &str) -> bool {
    match root_of(1) {
        Ok(root) => open_in(&root, path).is_err_and(|error| error == Errno::NOENT),
        Err(_) => fs::metadata(path).is_err_and(|error| error.kind() == ErrorKind::NotFound),
    }
}

/// What is wrong with the rules' paths. Those for every network namespace may be of containers.
pub(super) fn missing(rules: &Rules) -> Vec<String> {
    let mut missing = Vec::new();
    for (at, rule) in rules.0.iter().enumerate() {
        let here = rule.places == Places::Own;
        for path in rule.programs.iter().filter(|name| here && is_path(name)) {
            if is_missing(path) {
                missing.push(format!("rule {}: there is no program {path}", at + 1));
            }
        }
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::super::rules::Rule;
    use super::*;

    fn rules(programs: &[&Path]) -> Rules {
        Rules(vec![Rule {
            programs: programs.iter().map(|path| path.display().to_string()).collect(),
            ..Rule::default()
        }])
    }

    #[test]
    fn links_lead_to_a_programs_executable() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let own = std::env::current_exe().unwrap();
        std::os::unix::fs::symlink(&own, path("relink")).unwrap();
        std::os::unix::fs::symlink("relink", path("link")).unwrap();
        fs::write(path("other"), "").unwrap();
        let rules = rules(&[&own, &path("link"), &path("other"), &path("none")]);
        let leading = leading_to(&rules, std::process::id());
        assert_eq!(leading.len(), 2, "{leading:?}");
        assert!(leading.contains(&path("link").display().to_string()));
        assert_eq!(
            missing(&rules),
            [format!("rule 1: there is no program {}", path("none").display())]
        );
    }

    #[test]
    fn a_program_that_was_replaced_while_it_runs_is_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let (program, link) = (folder.path().join("program"), folder.path().join("link"));
        fs::copy("/bin/sleep", &program).unwrap();
        std::os::unix::fs::symlink(&program, &link).unwrap();
        let mut running = std::process::Command::new(&link).arg("60").spawn().unwrap();
        // As a package manager does: the new file takes the old one's name.
        fs::copy("/bin/sleep", folder.path().join("new")).unwrap();
        fs::rename(folder.path().join("new"), &program).unwrap();
        let leading = leading_to(&rules(&[&program, &link]), running.id());
        running.kill().unwrap();
        running.wait().unwrap();
        assert_eq!(leading.len(), 2, "{leading:?}");
    }
}
