//! Holds the lists of words in the JSON schemas to the enums whose values the commands print, so that neither has one that the other
//! lacks.

#![allow(
    clippy::unwrap_used,
    reason = "what tests share has no attribute that clippy knows"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// A list of words in a schema, and the enum that it is made of: the schema, where in it the list stands, the enum's file below
/// `crates/`, and the enum. Several lists that have the enum's words between them have `and` between their places.
type Row = (&'static str, &'static str, &'static str, &'static str);

const OUTCOME: (&str, &str) = ("fastopen/src/outcome.rs", "Outcome");
const REASON: (&str, &str) = ("fastopen/src/outcome.rs", "Reason");
const ARRIVAL: (&str, &str) = ("fastopen/src/arrival.rs", "ArrivalKind");
const WAY: (&str, &str) = ("tfo/src/timed/connection.rs", "Way");
const SIDE: (&str, &str) = ("wire/src/handshake/step.rs", "Side");
const SERVICE: (&str, &str) = ("tfo/src/timed/service.rs", "Service");

#[rustfmt::skip]
const ENUMS: &[Row] = &[
    ("bench", "/$defs/report/properties/service", SERVICE.0, SERVICE.1),
    ("bench", "/$defs/report/properties/verdict", "tfo/src/bench/report.rs", "Verdict"),
    ("bench", "/$defs/report/properties/samples/items/properties/outcome", OUTCOME.0, OUTCOME.1),
    ("cookies", "/$defs/checked/properties/matches", "tfo/src/cookies/report.rs", "Match"),
    ("demo", "/$defs/report/properties/connections/items/properties/kind", "tfo/src/demo/report.rs", "Kind"),
    ("demo", "/$defs/outcome", OUTCOME.0, OUTCOME.1),
    ("demo", "/$defs/exchange/properties/reason", REASON.0, REASON.1),
    ("demo", "/$defs/arrival/properties/arrival", ARRIVAL.0, ARRIVAL.1),
    ("demo", "/$defs/arrival/properties/syn/properties/option", "tfo/src/demo/report.rs", "SynOption"),
    ("doctor", "/$defs/report/properties/place", "tfo/src/doctor/place.rs", "Place"),
    ("doctor", "/$defs/report/properties/settings/properties/key", "tfo/src/doctor/report.rs", "Key"),
    ("doctor", "/$defs/finding/properties/level", "tfo/src/doctor/finding.rs", "Level"),
    ("enable", "/$defs/report/properties/action", "tfo/src/enable/report.rs", "Action"),
    ("enable-client", "/$defs/report/properties/action", "tfo/src/enable/report.rs", "Action"),
    ("keys", "/$defs/keys/properties/action", "tfo/src/keys/report.rs", "Action"),
    ("keys", "/$defs/listeners/properties/action", "tfo/src/keys/report.rs", "Action"),
    ("keys", "/$defs/verdict and /$defs/together/properties/verdict", "tfo/src/keys/report.rs", "Verdict"),
    ("probe", "/$defs/report/properties/service", SERVICE.0, SERVICE.1),
    ("probe", "/$defs/verdict", "tfo/src/probe/verdict.rs", "Verdict"),
    ("probe", "/$defs/address/properties/causes/items", "tfo/src/probe/verdict.rs", "Cause"),
    ("probe", "/$defs/address/properties/icmp/items/properties/way", WAY.0, WAY.1),
    ("probe", "/$defs/connection/properties/way", WAY.0, WAY.1),
    ("probe", "/$defs/connection/properties/outcome", OUTCOME.0, OUTCOME.1),
    ("probe", "/$defs/connection/properties/end", "tfo/src/probe/report/connection.rs", "End"),
    ("run", "/properties/rows/items/properties/outcome", OUTCOME.0, OUTCOME.1),
    ("run", "/properties/rows/items/properties/reason", REASON.0, REASON.1),
    ("run", "/properties/rows/items/properties/note", "attach/src/supervise/observe.rs", "Note"),
    ("run", "/properties/problems/items/properties/problem", "tfo/src/run/problem.rs", "Kind"),
    ("send", "/properties/outcome", OUTCOME.0, OUTCOME.1),
    ("send", "/properties/reason", REASON.0, REASON.1),
    ("send", "/properties/delivery", "tfo/src/client/report.rs", "Delivery"),
    ("send", "/properties/end", "tfo/src/client/report.rs", "End"),
    ("send", "/properties/attempts/items/properties/syn", "fastopen/src/connect/attempt.rs", "Syn"),
    ("send", "/properties/attempts/items/properties/end", "fastopen/src/connect/attempt.rs", "AttemptEnd"),
    ("serve", "/oneOf/0/properties/mode", "tfo/src/server/mode/mod.rs", "Mode"),
    ("serve", "/oneOf/1/properties/arrival", ARRIVAL.0, ARRIVAL.1),
    ("serve", "/oneOf/1/properties/syn_option", "tfo/src/server/report.rs", "SynOption"),
    ("serve", "/oneOf/2/properties/end", "tfo/src/server/report.rs", "Ending"),
    ("trace", "/$defs/report/properties/verdict", "wire/src/handshake/verdict.rs", "Verdict"),
    ("trace", "/$defs/report/properties/notes/items/properties/from", SIDE.0, SIDE.1),
    ("trace", "/$defs/report/properties/notes/items/properties/cause", "wire/src/handshake/note.rs", "FallbackCause"),
];

/// Lists that are made of more than an enum, each with the words that are added to it.
#[rustfmt::skip]
const WITH_OTHERS: &[(Row, &[&str])] = &[
    (("keys", "/$defs/rotated/properties/cause", "tfo/src/keys/rotate/timetable.rs", "Cause"), &["once"]),
];

/// Enums of which each variant has a shape of its own, and the field that tells them apart: the schema, the field, the enum's file and
/// the enum.
const TAGGED: &[Row] = &[
    ("cookies", "report", "tfo/src/cookies/report.rs", "Report"),
    ("enable-watch", "event", "tfo/src/enable/watch/event.rs", "What"),
    ("keys", "report", "tfo/src/keys/report.rs", "Report"),
    ("serve", "event", "tfo/src/serve/report.rs", "Event"),
];

/// Lists that are no enum's. What holds them to the code stands behind them.
#[rustfmt::skip]
const OTHERS: &[(&str, &str)] = &[
    ("demo", "/$defs/report/properties/ip_version"), // 4 or 6
    ("demo", "/$defs/report/properties/greetings/items/properties/kind"), // `Greeting::KINDS`, some of `Kind`
    ("demo", "/$defs/report/properties/paths/items/properties/scenario"), // a test in demo/hostile.rs
    ("doctor", "/$defs/report/properties/settings/properties/fast_open/properties/names/items"), // `FastOpenBits` names them
    ("doctor", "/$defs/finding/properties/id"), // `findings_are_listed` below
    ("probe", "/$defs/address/properties/sources/items"), // `sources()` in probe/report/address.rs
    ("trace", "/$defs/report/properties/rounds_saved"),
    ("trace", "/$defs/report/properties/rounds_used"),
    ("trace", "/$defs/option"), // `FastOpen` in wire/src/serial.rs
    ("trace", "/$defs/kind"), // the option's two numbers
];

fn crates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn read(path: &str) -> String {
    let path = crates().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn schema(name: &str) -> Value {
    serde_json::from_str(&read(&format!("tfo/schemas/{name}.json"))).unwrap()
}

/// The words of a list, without null.
fn listed(name: &str, pointer: &str) -> BTreeSet<String> {
    let schema = schema(name);
    let list = schema
        .pointer(&format!("{pointer}/enum"))
        .and_then(Value::as_array)
        .unwrap_or_else(|| panic!("there is no list at {pointer} in {name}.json"));
    let words = list.iter().filter(|word| !word.is_null());
    words.map(|word| word.as_str().unwrap().to_owned()).collect()
}

/// The variants of an enum, as its values are printed: in kebab case.
fn variants(file: &str, name: &str) -> BTreeSet<String> {
    let source = read(file);
    let (_, body) = source
        .split_once(&format!("enum {name} {{\n"))
        .unwrap_or_else(|| panic!("there is no enum {name} in {file}"));
    let (body, _) = body.split_once("\n}").unwrap();
    let lines = body.lines().filter_map(|line| line.strip_prefix("    "));
    let variants = lines.filter(|line| line.starts_with(char::is_uppercase));
    variants
        .map(|line| line.split(|c: char| !c.is_alphanumeric()).next().unwrap())
        .map(kebab)
        .collect()
}

fn kebab(name: &str) -> String {
    let mut kebab = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !kebab.is_empty() {
            kebab.push('-');
        }
        kebab.push(letter.to_ascii_lowercase());
    }
    kebab
}

#[test]
fn schemas_list_what_can_be_printed() {
    let mut wrong = Vec::new();
    let rows = ENUMS.iter().map(|row| (row, &[][..]));
    let others = WITH_OTHERS.iter().map(|(row, others)| (row, *others));
    for ((name, pointer, file, variant_of), others) in rows.chain(others) {
        let lists = pointer.split(" and ").map(|pointer| listed(name, pointer));
        let listed: BTreeSet<_> = lists.flatten().collect();
        let mut printed = variants(file, variant_of);
        printed.extend(others.iter().map(ToString::to_string));
        if listed != printed {
            let missing: Vec<_> = printed.difference(&listed).collect();
            let spare: Vec<_> = listed.difference(&printed).collect();
            wrong.push(format!(
                "{name}.json {pointer}: {variant_of} in {file} has also {missing:?}, and has no {spare:?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn schemas_describe_every_shape() {
    for (name, field, file, variants_of) in TAGGED {
        let mut described = BTreeSet::new();
        walk(&schema(name), "", &mut |pointer, value| {
            if pointer.ends_with(&format!("/properties/{field}")) {
                let words = value["enum"].as_array().into_iter().flatten();
                let words = words.chain(value.get("const")).map(|word| word.as_str().unwrap());
                described.extend(words.map(str::to_owned));
            }
        });
        assert_eq!(described, variants(file, variants_of), "{name}.json");
    }
}

#[test]
fn every_list_of_a_schema_is_looked_at() {
    let with_others = WITH_OTHERS.iter().map(|(row, _)| row);
    let enums = ENUMS
        .iter()
        .chain(with_others)
        .map(|(name, pointer, ..)| (name, pointer));
    let others = OTHERS.iter().map(|(name, pointer)| (name, pointer));
    let known: BTreeSet<(String, String)> = enums
        .chain(others)
        .flat_map(|(name, pointers)| {
            pointers
                .split(" and ")
                .map(|pointer| (name.to_string(), pointer.to_owned()))
        })
        .collect();
    let mut lists = BTreeSet::new();
    for entry in fs::read_dir(crates().join("tfo/schemas")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy();
        let is_tag = |pointer: &str| {
            let mut tags = TAGGED.iter().filter(|(tagged, ..)| *tagged == name);
            tags.any(|(_, field, ..)| pointer.ends_with(&format!("/properties/{field}")))
        };
        walk(&schema(&name), "", &mut |pointer, value| {
            if value.get("enum").is_some_and(Value::is_array) && !is_tag(pointer) {
                lists.insert((name.to_string(), pointer.to_owned()));
            }
        });
    }
    let unknown: Vec<_> = lists.difference(&known).collect();
    let gone: Vec<_> = known.difference(&lists).collect();
    assert!(
        unknown.is_empty() && gone.is_empty(),
        "lists that the tables in this file lack: {unknown:?}; rows of them without a list: {gone:?}"
    );
}

/// Visits each part of a schema, with the pointer to it.
fn walk(value: &Value, pointer: &str, visit: &mut dyn FnMut(&str, &Value)) {
    visit(pointer, value);
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                walk(value, &format!("{pointer}/{key}"), visit);
            }
        }
        Value::Array(array) => {
            for (index, value) in array.iter().enumerate() {
                walk(value, &format!("{pointer}/{index}"), visit);
            }
        }
        _ => {}
    }
}

/// The ids of doctor's findings, which their functions name.
#[test]
fn findings_are_listed() {
    let mut ids = BTreeSet::new();
    for entry in fs::read_dir(crates().join("tfo/src/doctor/findings")).unwrap() {
        let source = fs::read_to_string(entry.unwrap().path()).unwrap();
        let source = source.split("#[cfg(test)]").next().unwrap();
        let constants = source.split("const ID: &str = ").skip(1);
        let arguments = source.split("Finding::").skip(1).map(|call| {
            let arguments = call.split_once('(').unwrap().1.trim_start();
            // `new` has the level first.
            match call.starts_with("new(") {
                true => arguments.split_once(',').unwrap().1.trim_start(),
                false => arguments,
            }
        });
        let quoted = constants
            .chain(arguments)
            .filter_map(|text| text.strip_prefix('"'));
        ids.extend(quoted.map(|text| text.split('"').next().unwrap().to_owned()));
    }
    assert_eq!(ids, listed("doctor", "/$defs/finding/properties/id"));
}
