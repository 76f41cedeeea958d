//! The file of rules, as people write it. Errors say where, what stands there, what may, and give an example.

mod values;

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use fastopen::KeyRing;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::rules::{Rule, Rules};
use crate::hint::{self, Hint};
use crate::key_options;
use values::{Wrong, address, number, places, port, program, several, text};

/// The settings of a rule, what each may be, and an example.
const SETTINGS: [(&str, &str, &str); 7] = [
    (
        "port",
        "a port is a number from 1 to 65535, or in quotes a range of them; an array has several",
        "port = [443, \"8000-8099\"]",
    ),
    (
        "address",
        "an address is an IP address in quotes; an array has several",
        "address = \"192.0.2.2\"",
    ),
    (
        "program",
        "a program is its name, or the whole path of its executable, in quotes; an array has several",
        "program = \"nginx\"",
    ),
    (
        "unit",
        "a unit is its name in quotes; an array has several",
        "unit = \"nginx.service\"",
    ),
    (
        "netns",
        "a network namespace is \"all\", or in quotes a name (ip netns) or a file",
        "netns = \"all\"",
    ),
    (
        "queue",
        "a queue is a number from 0 (no Fast Open) to 2147483647",
        "queue = 256",
    ),
    (
        "key_file",
        "a key file is its path in quotes",
        "key_file = \"nginx.key\"",
    ),
];
/// What a rule is, for those who write none.
const EXAMPLE: &str = "a rule is a line [[rule]] and below it, for example: port = 443";

/// Reads a file, and the key files that it names.
pub(super) fn read(path: &Path) -> anyhow::Result<Rules> {
    /// No sensible file is longer.
    const LONGEST: u64 = 1 << 20;

    let mut text = String::new();
    // Opening a pipe could wait for ever, and it can't be read again.
    let is_file = |found: &Metadata| match found.is_file() {
        true => Ok(()),
        false => Err(io::Error::other("it is not a regular file")),
    };
    fs::metadata(path)
        .and_then(|found| is_file(&found))
        .and_then(|()| File::open(path))
        .and_then(|file| file.take(LONGEST).read_to_string(&mut text))
        .with_context(|| format!("can't read the rules from {}", path.display()))
        .hint(format!("{EXAMPLE}; or name listeners: tfo enable --watch :443"))?;
    if text.len() as u64 == LONGEST {
        bail!(
            "{} is too long for a file of rules: it has 1 MiB or more",
            path.display()
        );
    }
    parse(&text, path)
}

pub(super) fn parse(text: &str, path: &Path) -> anyhow::Result<Rules> {
    let written = Written { text, path };
    let file = DeTable::parse(text).map_err(|error| {
        written.error(
            error.span().unwrap_or_default(),
            error.message().replace('\n', ", "),
            EXAMPLE,
        )
    })?;
    let mut rules = Vec::new();
    for (name, value) in file.get_ref() {
        if name.get_ref() != "rule" {
            return Err(written.error(
                name.span(),
                format!("there is no {:?} outside of rules", name.get_ref()),
                EXAMPLE,
            ));
        }
        let list = value.get_ref().as_array().map_or(&[][..], |list| list.as_ref());
        if list.is_empty() {
            return Err(written.error(name.span(), "each rule begins with [[rule]]", EXAMPLE));
        }
        for (at, rule) in list.iter().enumerate() {
            rules.push(written.rule(at + 1, rule)?);
        }
    }
    if rules.is_empty() {
        return Err(hint::with(
            anyhow!("there is no [[rule]] in {}", path.display()),
            EXAMPLE,
        ));
    }
    Ok(Rules(rules))
}

struct Written<'a> {
    text: &'a str,
    path: &'a Path,
}

impl Written<'_> {
    fn rule(&self, number: usize, written: &Spanned<DeValue<'_>>) -> anyhow::Result<Rule> {
        let Some(table) = written.get_ref().as_table() else {
            return Err(self.error(written.span(), "each rule begins with [[rule]]", EXAMPLE));
        };
        let mut rule = Rule::default();
        for (name, value) in table {
            let Some(setting) = SETTINGS.iter().find(|(setting, ..)| setting == name.get_ref()) else {
                let names = SETTINGS.map(|(name, ..)| name).join(", ");
                let what = format!("rule {number} has no setting {:?}", name.get_ref());
                return Err(self.error(name.span(), what, format!("a rule may have {names}")));
            };
            self.set(&mut rule, setting.0, value)
                .map_err(|wrong| self.refusal(*setting, value, wrong))?;
            if let ("key_file", Some(file)) = (setting.0, value.get_ref().as_str()) {
                rule.keys = Some(self.keys(file, value.span())?);
            }
        }
        if rule.ports.is_empty() && rule.addresses.is_empty() && !rule.asks_for_owners() {
            return Err(self.error(
                written.span(),
                format!("rule {number} names no listener: it has no port, address, program or unit"),
                "every listener has: port = \"1-65535\"",
            ));
        }
        Ok(rule)
    }

    fn set(&self, rule: &mut Rule, name: &str, value: &Spanned<DeValue<'_>>) -> Result<(), Wrong> {
        match name {
            "port" => rule.ports = several(value, port)?,
            "address" => rule.addresses = several(value, address)?,
            "program" => rule.programs = several(value, program)?,
            "unit" => rule.units = several(value, text)?,
            "netns" => rule.places = places(value.get_ref())?,
            "queue" => rule.queue = Some(number(value.get_ref(), i64::from(i32::MAX))?),
            _ => drop(text(value.get_ref())?),
        }
        Ok(())
    }

    fn keys(&self, file: &str, span: Range<usize>) -> anyhow::Result<KeyRing> {
        let folder = self.path.parent().unwrap_or(Path::new(""));
        let read = key_options::read_file(&folder.join(PathBuf::from(file)));
        read.map_err(|error| {
            let help = hint::of(&error)
                .unwrap_or("a key file is looked for in the folder of the rules")
                .to_owned();
            let place = self.place(span);
            hint::with(
                error.context(format!("{place}: key_file = {file:?} is of no use")),
                help,
            )
        })
    }

    fn refusal(
        &self,
        (name, allowed, example): (&str, &str, &str),
        value: &Spanned<DeValue<'_>>,
        wrong: Wrong,
    ) -> anyhow::Error {
        /// More of a value is not repeated.
        const SHOWN: usize = 40;
        let shown = self.text.get(value.span()).unwrap_or_default();
        let shown: String = shown
            .lines()
            .next()
            .unwrap_or_default()
            .chars()
            .take(SHOWN)
            .collect();
        let wrong = wrong.unwrap_or_else(|| allowed.to_owned());
        self.error(
            value.span(),
            format!("{name} = {shown}: {wrong}"),
            format!("for example: {example}"),
        )
    }

    fn error(&self, span: Range<usize>, what: impl AsRef<str>, help: impl Into<String>) -> anyhow::Error {
        hint::with(anyhow!("{}: {}", self.place(span), what.as_ref()), help)
    }

    fn place(&self, span: Range<usize>) -> String {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        format!("{}:{}", self.path.display(), before.matches('\n').count() + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_is_refused_with_the_place_and_an_example() {
        for (text, told, help) in [
            ("", "there is no [[rule]] in /etc/tfo/enable.toml", "port = 443"),
            ("[[rule]]\n", ":1: rule 1 names no listener", "\"1-65535\""),
            (
                "[[rule]]\nport = 1\n[[rule]]\nqueue = 1\n",
                ":3: rule 2 names no listener",
                "\"1-65535\"",
            ),
            (
                "[[rule]]\nport = []\n",
                ":2: port = []: an empty array",
                "port = [443",
            ),
            (
                "[[rule]]\nport = 0\n",
                ":2: port = 0: a port is a number from 1 to 65535",
                "port = [443",
            ),
            (
                "[[rule]]\nport = 70000\n",
                ":2: port = 70000: a port is a number from 1 to 65535",
                "\"8000-8099\"",
            ),
            (
                "[[rule]]\nport = \"http\"\n",
                ":2: port = \"http\": a port is a number",
                "port = [443",
            ),
            (
                "[[rule]]\nport = '9-8'\n",
                ":2: port = '9-8': a range goes upwards: \"8-9\"",
                "port = [443",
            ),
            (
                "[[rule]]\nport = [80, true]\n",
                ":2: port = [80, true]: a port is",
                "port = [443",
            ),
            (
                "[[rule]]\nport = 8.5\n",
                ":2: port = 8.5: a port is",
                "port = [443",
            ),
            (
                "[[rule]]\naddress = 'localhost'\n",
                "address = 'localhost': an address is an IP address",
                "\"192.0.2.2\"",
            ),
            (
                "[[rule]]\nprogram = 'bin/a'\n",
                "program = 'bin/a': a path begins with /",
                "\"nginx\"",
            ),
            (
                "[[rule]]\nprogram = ''\n",
                "program = '': a program is its name",
                "\"nginx\"",
            ),
            (
                "[[rule]]\nunit = 7\n",
                "unit = 7: a unit is its name in quotes",
                "\"nginx.service\"",
            ),
            (
                "[[rule]]\nprot = 80\n",
                ":2: rule 1 has no setting \"prot\"",
                "port, address, program",
            ),
            (
                "[[rules]]\nport = 80\n",
                ":1: there is no \"rules\" outside of rules",
                "[[rule]]",
            ),
            (
                "port = 80\n",
                ":1: there is no \"port\" outside of rules",
                "[[rule]]",
            ),
            (
                "[rule]\nport = 80\n",
                ":1: each rule begins with [[rule]]",
                "port = 443",
            ),
            (
                "[[rule]]\nport = 80\nqueue = 4294967295\n",
                ":3: queue = 4294967295: a queue is a number from 0",
                "queue = 256",
            ),
            (
                "[[rule]]\nport = 80\nqueue = -3\n",
                ":3: queue = -3: a queue is a number from 0",
                "queue = 256",
            ),
            (
                "[[rule]]\nport = 80\nqueue = \"many\"\n",
                ":3: queue = \"many\": a queue is",
                "queue = 256",
            ),
            (
                "[[rule]]\nport = 80\nnetns = '4711'\n",
                "only as long as it runs",
                "netns = \"all\"",
            ),
            (
                "[[rule]]\nport = 80\nkey_file = 'no.key'\n",
                ":3: key_file = \"no.key\" is of no use: reading the key from /etc/tfo/no.key",
                "in the folder of the rules",
            ),
            (
                "[[rule]]\nport = 80\nkey_file = 1\n",
                ":3: key_file = 1: a key file is its path",
                "nginx.key",
            ),
            ("[[rule]\n", ":1: ", "port = 443"),
            ("[[rule]]\nport = 80\nport = 81\n", ":3: ", "port = 443"),
        ] {
            let error = parse(text, Path::new("/etc/tfo/enable.toml")).unwrap_err();
            let hint = hint::of(&error).unwrap_or_default();
            let error = format!("{error:#}");
            assert!(error.contains(told), "{text:?}: {error}");
            assert!(hint.contains(help), "{text:?}: {error}: {hint}");
        }
    }

    #[test]
    fn only_a_regular_file_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("enable.toml");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        for path in [&*pipe, folder.path()] {
            let error = format!("{:#}", read(path).unwrap_err());
            assert!(error.contains("it is not a regular file"), "{error}");
        }
    }

    #[test]
    fn every_example_is_a_rule() {
        let examples = SETTINGS.map(|(_, _, example)| example);
        let rest: Vec<_> = examples
            .iter()
            .filter(|example| !example.starts_with("key_file"))
            .collect();
        let text = rest
            .iter()
            .fold("[[rule]]\n".to_owned(), |text, example| text + example + "\n");
        let rules = parse(&text, Path::new("/etc/tfo/enable.toml")).unwrap();
        assert_eq!((rules.0.len(), rules.0[0].queue), (1, Some(256)));
        assert_eq!(rules.0[0].ports.len(), 2);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_taken_or_refused(text: String) {
            let _ = parse(&text, Path::new("/nowhere/enable.toml"));
        }
    }
}
