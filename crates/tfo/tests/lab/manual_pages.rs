//! Manual pages, as the programs see them that show and index them.

use std::fs;
use std::process::Command;

use clap::CommandFactory;
use fastopen_lab::testing::{LabTest, program_path, test};
use tfo::classic;
use tfo::cli::Cli;

pub(crate) fn tests() -> Vec<LabTest> {
    vec![test("manual_pages_are_sound", manual_pages_are_sound)]
}

fn pages() -> Vec<(String, String)> {
    let programs = [Cli::command(), classic::Args::command()];
    tfo::man::pages(programs.map(|program| program.version("0.0.0")).into()).unwrap()
}

/// What readers and indexes of manual pages have to say: nothing, and the names.
fn manual_pages_are_sound() {
    let folder = tempfile::tempdir().unwrap();
    for (name, page) in pages() {
        let file = folder.path().join(format!("{name}.1"));
        fs::write(&file, &page).unwrap();
        for columns in ["60n", "80n"] {
            let output = Command::new(program_path("groff"))
                .args(["-ww", "-man", "-Tutf8", "-z", &format!("-rLL={columns}")])
                .arg(&file)
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(
                output.status.success() && said.is_empty(),
                "{name} at {columns}: {said}"
            );
        }
        let mandoc = Command::new(program_path("mandoc"))
            .arg("-Tlint")
            .arg(&file)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&mandoc.stdout);
        assert!(mandoc.status.success() && said.is_empty(), "{name}: {said}");
        let lexgrog = Command::new(program_path("lexgrog")).arg(&file).output().unwrap();
        let found = String::from_utf8_lossy(&lexgrog.stdout);
        assert!(found.contains(&format!(": \"{name} - ")), "{name}: {found}");
        let headings: Vec<_> = page
            .lines()
            .filter_map(|line| line.strip_prefix(".SH "))
            .collect();
        let at = |heading: &str| {
            headings
                .iter()
                .position(|other| other.trim_matches('"') == heading)
        };
        for heading in [
            "NAME",
            "SYNOPSIS",
            "DESCRIPTION",
            "OPTIONS",
            "EXIT STATUS",
            "EXAMPLES",
            "SEE ALSO",
        ] {
            assert!(at(heading).is_some(), "{name} lacks {heading}: {headings:?}");
        }
        assert!(
            at("EXIT STATUS") < at("EXAMPLES") && at("EXAMPLES") < at("SEE ALSO"),
            "{name}: {headings:?}"
        );
        let title = page.lines().find(|line| line.starts_with(".TH ")).unwrap();
        let program = name.split('-').next().unwrap().replace("tcp", "tcp-fast-open");
        let expected = format!(
            ".TH {} 1 {} \"{program} 0.0.0\" \"TCP Fast Open\"",
            name.to_uppercase(),
            date(title)
        );
        assert_eq!(title, expected);
        // What they refer to is there.
        let (_, see_also) = page.split_once(".SH \"SEE ALSO\"\n").unwrap();
        for page in see_also
            .replace("\\-", "-")
            .replace("\\fB", "")
            .replace("\\fR", "")
            .replace('\n', " ")
            .trim()
            .split(", ")
        {
            let page = page.strip_suffix("(1)");
            let is_ours = page.is_none_or(|page| pages().iter().any(|(name, _)| name == page));
            assert!(is_ours, "{name}: {page:?}");
        }
    }
}

fn date(title: &str) -> &str {
    let date = title.split(' ').nth(3).unwrap();
    assert!(date.len() == 10 && date.starts_with("20"), "{title}");
    date
}
