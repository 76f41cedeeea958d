//! Holds the source tree to what ARCHITECTURE.md says of it: verbs don't use each other, no modules use each other in a circle, and
//! what it names is there.

#![allow(
    clippy::unwrap_used,
    reason = "what tests share has no attribute that clippy knows"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Where the verbs are put together: each folder that it uses is one.
const COMMAND_LINE: &str = "cli";

#[test]
fn no_verb_uses_another() {
    let tree = Tree::read(Path::new(env!("CARGO_MANIFEST_DIR")));
    let uses = tree.uses();
    let by_command_line = uses.iter().filter(|(user, _)| *user == [COMMAND_LINE]);
    let verbs: BTreeSet<_> = by_command_line
        .map(|(_, used)| &used[..1])
        .filter(|module| tree.is_folder(module))
        .map(|module| module[0].clone())
        .collect();
    assert!(verbs.len() >= 13, "{verbs:?}");
    let mut wrong = Vec::new();
    for (user, used) in &uses {
        let (Some(from), Some(to)) = (user.first(), used.first()) else {
            continue;
        };
        if from != to && verbs.contains(to) && from != COMMAND_LINE {
            wrong.push(format!("{} uses {}", user.join("::"), used.join("::")));
        }
    }
    assert!(
        wrong.is_empty(),
        "what two verbs share belongs into a folder beside them:\n{}",
        wrong.join("\n")
    );
}

/// Of the modules of one folder, those below any one may use those below another, but then not the other way round. A folder's own
/// `mod.rs` and what stands below it may use each other.
#[test]
fn no_modules_use_each_other_in_a_circle() {
    let mut circles = Vec::new();
    for root in crates() {
        let tree = Tree::read(&root);
        let mut levels: BTreeMap<&[String], Graph<'_>> = BTreeMap::new();
        let uses = tree.uses();
        for (user, used) in &uses {
            let shared = user.iter().zip(used).take_while(|(a, b)| a == b).count();
            if let (Some(from), Some(to)) = (user.get(shared), used.get(shared)) {
                let level = levels.entry(&user[..shared]).or_default();
                level.entry(from).or_default().insert(to);
            }
        }
        let name = root.file_name().unwrap().to_string_lossy();
        for (level, graph) in levels {
            if let Some(circle) = circle(&graph) {
                circles.push(format!("{name} {}: {}", level.join("::"), circle.join(" → ")));
            }
        }
    }
    assert!(circles.is_empty(), "{}", circles.join("\n"));
}

/// So that a file's imports show what it rests on.
#[test]
fn things_are_imported_from_where_they_are_defined() {
    let mut wrong = Vec::new();
    for root in crates() {
        for source in Tree::read(&root).modules.values() {
            let through_the_root = source.paths.iter().filter(|path| {
                let name = path.get(1).filter(|_| path[0] == "crate");
                name.is_some_and(|name| name.starts_with(char::is_uppercase))
            });
            wrong.extend(
                through_the_root.map(|path| format!("{}: {}", source.path.display(), path.join("::"))),
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A path with a word in capitals or an asterisk stands for many, and is not looked for.
#[test]
fn documents_name_files_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    if !root.join("ARCHITECTURE.md").exists() {
        return; // a released package, which has no documents beside it
    }
    let mut paths = Vec::new();
    ["crates", "examples", "fuzz", "contrib", "packaging", ".ci"]
        .iter()
        .for_each(|folder| list(&root.join(folder), &mut paths));
    let mut missing = Vec::new();
    for document in ["ARCHITECTURE.md", "CONTRIBUTING.md"] {
        let text = fs::read_to_string(root.join(document)).unwrap();
        let named = text.split('`').skip(1).step_by(2).filter(|name| {
            let is_path = name.ends_with(".rs") || name.ends_with('/');
            is_path && !name.contains(' ') && !name.contains(|c: char| c.is_uppercase() || c == '*')
        });
        let exists = |name: &str| {
            paths
                .iter()
                .any(|path| path.ends_with(name.trim_end_matches('/')))
        };
        missing.extend(
            named
                .filter(|name| !exists(name))
                .map(|name| format!("{document}: {name}")),
        );
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

fn list(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true if path.ends_with("target") => {}
            true => list(&path, paths),
            false => paths.push(path),
        }
    }
    paths.push(folder.to_owned());
}

/// The folders of the workspace's crates.
fn crates() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let crates: Vec<_> = entries.filter(|path| path.join("src").is_dir()).collect();
    assert!(crates.len() >= 6, "{crates:?}");
    crates
}

type Graph<'a> = BTreeMap<&'a String, BTreeSet<&'a String>>;

/// A way that leads back to where it began.
fn circle(graph: &Graph<'_>) -> Option<Vec<String>> {
    graph.keys().find_map(|start| {
        let mut ways = vec![vec![*start]];
        let mut seen = BTreeSet::new();
        while let Some(way) = ways.pop() {
            for next in graph.get(way[way.len() - 1]).into_iter().flatten() {
                if next == start {
                    return Some(way.iter().chain([start]).map(ToString::to_string).collect());
                }
                if seen.insert(next) {
                    ways.push(way.iter().chain([next]).copied().collect());
                }
            }
        }
        None
    })
}

/// A module, by its path from the crate's root.
type Module = Vec<String>;

/// The modules of a crate that have a file each.
struct Tree {
    modules: BTreeMap<Module, Source>,
}

struct Source {
    path: PathBuf,
    /// The paths in its code, but not in comments and unit tests, which may use what they like.
    paths: Vec<Vec<String>>,
}

impl Tree {
    fn read(root: &Path) -> Self {
        let mut tree = Self {
            modules: BTreeMap::new(),
        };
        tree.read_folder(&root.join("src"), &[]);
        tree
    }

    fn read_folder(&mut self, folder: &Path, module: &[String]) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
            let child = || [module, std::slice::from_ref(&stem)].concat();
            if stem.ends_with("_tests") {
                continue;
            }
            match path.extension() {
                None if path.is_dir() && stem != "bin" => self.read_folder(&path, &child()),
                Some(extension) if extension == "rs" => {
                    let module = match stem.as_str() {
                        "lib" | "mod" => module.to_vec(),
                        "main" => continue,
                        _ => child(),
                    };
                    let paths = paths(&code(&fs::read_to_string(&path).unwrap()));
                    self.modules.insert(module, Source { path, paths });
                }
                _ => {}
            }
        }
    }

    fn is_folder(&self, module: &[String]) -> bool {
        self.modules
            .get(module)
            .is_some_and(|source| source.path.ends_with("mod.rs"))
    }

    /// Which module uses which.
    fn uses(&self) -> BTreeSet<(Module, Module)> {
        let mut uses = BTreeSet::new();
        for (module, source) in &self.modules {
            for path in &source.paths {
                if let Some(used) = self.resolve(module, path)
                    && used != *module
                {
                    uses.insert((module.clone(), used));
                }
            }
        }
        uses
    }

    /// The module that a path leads to: the one that defines the thing, also where its parent hands it on.
    fn resolve(&self, user: &[String], path: &[String]) -> Option<Module> {
        let mut module = match path.first()?.as_str() {
            "crate" => Vec::new(),
            "super" => user[..user.len() - 1].to_vec(),
            first if self.modules.contains_key(&[user, &[first.to_owned()]].concat()) => {
                [user, &[first.to_owned()]].concat()
            }
            _ => return None,
        };
        for name in &path[1..] {
            let child = [&module[..], std::slice::from_ref(name)].concat();
            if name == "super" {
                module.pop();
            } else if self.modules.contains_key(&child) {
                module = child;
            } else {
                return Some(self.definer(&module, name));
            }
        }
        Some(module)
    }

    /// The child from which a module hands on a name, or the module itself.
    fn definer(&self, module: &[String], name: &str) -> Module {
        let handed_on = self.modules[module]
            .paths
            .iter()
            .filter(|path| path.len() > 1 && path.last().is_some_and(|last| last == name))
            .map(|path| [module, &path[..1]].concat())
            .find(|child| self.modules.contains_key(child));
        handed_on.unwrap_or_else(|| module.to_vec())
    }
}

/// What is compiled for users of the crate.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// The paths in a piece of code, those in braces one by one: `use super::{a::B, c}` has two.
fn paths(code: &str) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    let mut rest = code;
    while let Some(start) = rest.find(is_name) {
        rest = &rest[start..];
        let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
        match rest[end..].starts_with("::") {
            true => rest = path(rest, &[], &mut paths),
            false => rest = &rest[end..],
        }
    }
    paths
}

/// Takes one path with all its branches, and gives what follows it.
fn path<'a>(mut rest: &'a str, before: &[String], paths: &mut Vec<Vec<String>>) -> &'a str {
    let mut path = before.to_vec();
    loop {
        rest = rest.trim_start();
        if let Some(mut branches) = rest.strip_prefix('{') {
            while !branches.trim_start().starts_with('}') {
                let after = self::path(branches, &path, paths);
                branches = after.trim_start().trim_start_matches(',');
                if branches.len() == after.len() && !branches.starts_with('}') {
                    return after;
                }
            }
            return &branches.trim_start()[1..];
        }
        let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
        path.push(rest[..end].to_owned());
        rest = &rest[end..];
        match rest.strip_prefix("::") {
            Some(after) if after.starts_with(|c| is_name(c) || c == '{') => rest = after,
            _ => break,
        }
    }
    // `self` names what stands before the braces, and another name given by `as` changes nothing.
    if path.last().is_some_and(|last| last == "self") {
        path.pop();
    }
    paths.push(path);
    match rest.trim_start().strip_prefix("as ") {
        Some(after) => after.trim_start().trim_start_matches(is_name),
        None => rest,
    }
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[test]
fn paths_are_found() {
    let found = paths("use super::{a::{B, self}, c as d};\nlet x = crate::e::f(1, g);");
    let found: Vec<_> = found.iter().map(|path| path.join("::")).collect();
    assert_eq!(found, ["super::a::B", "super::a", "super::c", "crate::e::f"]);
}
