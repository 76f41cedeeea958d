//! The table of programs, each unchanged, with and without `tfo run`, as root and as an ordinary user.
//!
//! Every run of the tests makes the rows of the programs that `.ci/packages` names. All are made when that is asked for, with what is
//! installed: some of the programs are large.
//!
//! ```sh
//! apt-get install --no-install-recommends default-jdk-headless golang-go nodejs openssh-client openssh-server postgresql
//! TFO_RUN_TABLE=1 cargo test -p tfo --test run -- the_table --nocapture
//! ```
//!
//! `TFO_RUN_TABLE=java` makes the rows whose names contain that.

mod cases;

use std::os::unix::fs::PermissionsExt;
use std::process::Output;
use std::time::Duration;

use fastopen_lab::testing::{LabTest, need, test};
use fastopen_lab::{Capture, HostSpec};

use super::support::{TFO, World, answers, read_report, world_on};
use cases::{CASES, Case, First};

pub(crate) fn tests() -> Vec<LabTest> {
    vec![
        test("the_table", the_table),
        test("the_usual_rows_of_the_table", the_usual_rows),
    ]
}

const RTT: Duration = Duration::from_millis(60);
/// The first two are the first contact and the first deferred one; from the second or third on a round trip is saved.
const RUNS: usize = 4;

fn the_table() {
    let Ok(wanted) = std::env::var("TFO_RUN_TABLE") else {
        return;
    };
    let mut wrong = Vec::new();
    println!(
        "program | user | rounds without | rounds with | ms to the first byte, without: with | outcomes | output and status"
    );
    println!("--- | --- | --- | --- | --- | --- | ---");
    for case in CASES
        .iter()
        .filter(|case| wanted == "1" || case.name.contains(&*wanted))
    {
        if let Some(missing) = case.programs.iter().find(|program| find(program).is_none()) {
            println!("{} | skipped: {missing} is not installed", case.name);
            continue;
        }
        for user in [User::Root, User::Ordinary] {
            match row(case, user) {
                Ok(row) => {
                    row.print(case, user);
                    wrong.extend(row.check(case, user));
                }
                Err(why) => println!("{} | {} | skipped: {why}", case.name, user.name()),
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// As an ordinary user: root runs the same programs in other tests.
fn the_usual_rows() {
    let mut wrong = Vec::new();
    for case in CASES.iter().filter(|case| case.is_usual) {
        case.programs.iter().for_each(need);
        match row(case, User::Ordinary) {
            Ok(row) => wrong.extend(row.check(case, User::Ordinary)),
            // There is one user only, and all tests are his.
            Err(why) if why.contains("setpriv") => return,
            // As a program that is missing.
            Err(why)
                if why.contains("No module named")
                    && std::env::var_os("FASTOPEN_REQUIRE_PROGRAMS").is_none() => {}
            Err(why) => wrong.push(format!("{}: {why}", case.name)),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn find(program: &str) -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into()])
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum User {
    Root,
    Ordinary,
}

impl User {
    fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Ordinary => "65534",
        }
    }

    /// What becomes that user, and runs what follows.
    fn prefix(self) -> &'static [&'static str] {
        match self {
            Self::Root => &[],
            Self::Ordinary => &[
                "setpriv",
                "--reuid",
                "65534",
                "--regid",
                "65534",
                "--clear-groups",
                "--bounding-set",
                "-all",
                "--inh-caps",
                "-all",
            ],
        }
    }
}

/// One run of a program: what it printed, and how its first connection went.
#[derive(Debug)]
struct Run {
    output: Output,
    rounds: Option<u32>,
    took: Option<Duration>,
    outcomes: String,
}

struct Row {
    bare: Run,
    runs: Vec<Run>,
}

fn row(case: &Case, user: User) -> Result<Row, String> {
    let world = world_on(HostSpec::new("client"), RTT);
    let open = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(world.state.path(), open).unwrap();
    let _server = (case.serve)(&world);
    let program = (case.client)(&world);
    let program: Vec<&str> = program.iter().map(String::as_str).collect();
    let capture = world.lab.capture();
    let bare = world.bare(&[user.prefix(), &program].concat()).output().unwrap();
    if !bare.status.success() && !case.fails {
        return Err(String::from_utf8_lossy(&bare.stderr)
            .lines()
            .last()
            .unwrap_or("it fails")
            .to_owned());
    }
    let bare = measured(&world, &capture, case, bare, String::new());
    let mut runs: Vec<_> = (0..RUNS)
        .map(|_| supervised(&world, &capture, case, user, &program))
        .collect();
    // A program that is kept from writing for a round trip is released. Once that is this machine's load.
    if case.first == First::Client && runs[RUNS - 1].outcomes.contains("released") {
        runs.push(supervised(&world, &capture, case, user, &program));
    }
    Ok(Row { bare, runs })
}

fn supervised(world: &World, capture: &Capture, case: &Case, user: User, program: &[&str]) -> Run {
    let file = world.state.path().join("report.json");
    let _ = std::fs::remove_file(&file);
    let state = format!("XDG_STATE_HOME={}", world.state.path().join("user").display());
    let report = format!("--report={}", file.display());
    let run = [
        user.prefix(),
        &["env", &state, TFO, "run", &report],
        case.options,
        &["--"],
        program,
    ]
    .concat();
    let output = world.bare(&run).output().unwrap();
    let report = read_report(&file);
    let port = format!(":{}", case.port);
    let rows = report["rows"].as_array().unwrap().iter();
    let outcomes: Vec<_> = rows
        .filter(|row| row["destination"].as_str().is_some_and(|to| to.ends_with(&port)))
        .map(
            |row| match (row["outcome"].as_str().unwrap(), row["note"].as_str()) {
                ("not-attempted" | "unknown", Some(note)) => note.to_owned(),
                (outcome, _) => outcome.to_owned(),
            },
        )
        .collect();
    measured(world, capture, case, output, outcomes.join("+"))
}

fn measured(_world: &World, capture: &Capture, case: &Case, output: Output, outcomes: String) -> Run {
    let answers = answers(capture, case.port);
    Run {
        output,
        rounds: answers.first().map(|answer| answer.rounds),
        took: answers.first().and_then(|answer| answer.took),
        outcomes,
    }
}

impl Row {
    fn is_same(&self) -> bool {
        let bare = &self.bare.output;
        let is_same = |run: &Run| (&run.output.stdout, run.output.status) == (&bare.stdout, bare.status);
        self.runs.iter().all(is_same)
    }

    fn print(&self, case: &Case, user: User) {
        let rounds = |run: &Run| run.rounds.map_or("-".to_owned(), |rounds| rounds.to_string());
        let ms = |run: &Run| {
            run.took
                .map_or("-".to_owned(), |took| took.as_millis().to_string())
        };
        let all = |of: &dyn Fn(&Run) -> String| self.runs.iter().map(of).collect::<Vec<_>>().join(" ");
        println!(
            "{} | {} | {} | {} | {}: {} | {} | {}",
            case.name,
            user.name(),
            rounds(&self.bare),
            all(&rounds),
            ms(&self.bare),
            all(&ms),
            all(&|run| run.outcomes.clone()),
            if self.is_same() { "the same" } else { "DIFFERENT" },
        );
    }

    /// What is not as it should be.
    fn check(&self, case: &Case, user: User) -> Vec<String> {
        let last = self.runs.last().and_then(|run| run.rounds);
        let saves = self.bare.rounds == Some(2) && last == Some(1);
        let as_expected = match case.first {
            First::Client => saves,
            First::Server => self.runs.iter().all(|run| run.rounds == self.bare.rounds),
        };
        let mut wrong = Vec::new();
        if !self.is_same() {
            wrong.push(format!(
                "{} as {}: {:?} then {:?}",
                case.name,
                user.name(),
                self.bare,
                self.runs
            ));
        }
        if !as_expected {
            let runs: Vec<_> = self.runs.iter().map(|run| (run.rounds, &run.outcomes)).collect();
            wrong.push(format!(
                "{} as {}: rounds {:?}, then {runs:?}",
                case.name,
                user.name(),
                self.bare.rounds
            ));
        }
        wrong
    }
}
