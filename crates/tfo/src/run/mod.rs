//! `tfo run`: a program, unchanged, with Fast Open.
//!
//! [`fastopen_attach::supervise`] does the work. Here are the options, and the report: [`report`] adds up what the supervisor
//! sees, [`text`] and [`json`] write that.

mod json;
mod patient;
mod privilege;
mod problem;
mod recorder;
mod report;
mod text;

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use fastopen::ListenOptions;
use fastopen_attach::supervise::{self, Observer, Placement, Rule, Rules, Settings};

use crate::hint::Hint;
use crate::output::{Access, OutputFile};
use crate::status::Status;
use crate::style::HINT;
use crate::warning;
use json::ReportFile;
use problem::Problem;
use recorder::{Destination, Recorder};

/// Run a program, unchanged, with Fast Open
///
/// The program's connections carry their first bytes in the SYN wherever the kernel has a cookie. It works for every program, statically
/// linked ones and those in Go included, and for what the program starts. The program keeps its process number (but for Yama, below),
/// terminal, signals and exit status.
///
/// The first connection to an address and port is an ordinary one, which asks for a cookie; only a destination that answered within the
/// last hour gets data in the SYN, and one that failed is left alone for a minute, then two, up to a day. A host that dies within
/// that hour costs one connection its chance to try another address.
///
/// Where there is a cookie, connect() returns at once, and the SYN leaves with the program's first bytes. If the program writes nothing
/// for 5 ms, or 250 ms while it computes or waits for a processor, but in no case for longer than a round trip, the SYN leaves
/// without data. Programs that read first, write late, or write more at once than a SYN takes can lose that time. So a port where the server
/// speaks first is left alone for an hour and longer, and so is, for a minute and longer, a destination where two connections in a row
/// lost that time. Data that a server ignores costs none, so such a server is tried each time. The ClientHello of today's browsers is too
/// large: with a post-quantum key share it has about 2,000 bytes, and a SYN takes 1,420.
///
/// The data in a SYN can be delivered twice: the network may repeat the SYN, and so may somebody who captured it. By running a program this
/// way you say that a repeated first request does no harm. Unless told otherwise it is done only on ports where that holds: TLS, DNS,
/// PostgreSQL, and HTTP, where a POST can be repeated (--except :80 leaves it out).
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER)]
pub struct Args {
    /// Only destinations that this names: HOST:PORTS, NETWORK/BITS:PORTS, :PORTS or HOST; may be repeated
    #[arg(long, value_name = "RULE")]
    only: Vec<Rule>,
    /// Not destinations that this names; may be repeated
    #[arg(long, value_name = "RULE")]
    except: Vec<Rule>,
    /// Every port, and connections within this machine too
    #[arg(long, conflicts_with = "only")]
    all: bool,
    /// Switch Fast Open on for the sockets that the program listens on: it then takes requests that can be repeated
    #[arg(long)]
    listen: bool,
    /// Say at the end what became of the connections, on standard error or in a JSON file (described by schemas/run.json)
    #[arg(long, value_name = "FILE.json", num_args = 0..=1, require_equals = true)]
    report: Option<Option<PathBuf>>,
    /// Say what became of each connection as soon as it is known, on standard error
    #[arg(long, short)]
    verbose: bool,
    /// Don't run the program where it can't have Fast Open this way, as in some sandboxes; otherwise it runs without, and a warning says why
    #[arg(long)]
    require: bool,
    /// The program and its arguments; the -- before it may be left out
    #[arg(trailing_var_arg = true, required = true, value_name = "PROGRAM")]
    program: Vec<OsString>,
}

const AFTER: &str = "\
Examples:
  tfo run -- curl https://example.com/
  tfo run --report -- git fetch          With a summary at the end
  tfo run --only :6379 -- redis-cli -h 192.0.2.2 get key
  tfo run --only example.com:443,8000-8099 --only '[2001:db8::/32]:443' -- ./client
  tfo run --all --except :25 -- ./client
  tfo run --listen -- python3 -m http.server
                                         A server that takes data in SYNs (net.ipv4.tcp_fastopen
                                         needs its server bit)
  tfo run --report=run.json ./client     The -- may be left out: the first word that is no option
                                         begins the program
  ExecStart=/usr/bin/tfo run -- /usr/bin/program
                                         In a unit of systemd: the main process stays the program,
                                         but for Yama, below

Notes:
It needs Linux 5.9, 64 descriptors (ulimit -Hn) and no privilege. Unless run by root, setuid
programs below it (sudo, ping) have no privilege: run tfo run inside of sudo instead. It warns
where PROGRAM is one; of those that a script starts it does not know. connect(), getpeername()
and shutdown() take some 10 us longer, and more where processors are busy; other calls are not
looked at, nor are connections made by io_uring, of Multipath TCP or in another network
namespace. Programs that want reports of seccomp for themselves (EBUSY) can't have them below
it. Two more processes, tfo-supervisor and tfo-guardian, stay as long as the program and what it
started; if one is killed the other takes over. What is learnt of destinations is kept in
$XDG_STATE_HOME/tfo/destinations, by default in ~/.local/state, and for root in /var/lib.

Before the first bytes are written, TCP_INFO says SYN_SENT, TCP_FASTOPEN_CONNECT reads 1 and
TCP_MAXSEG 536, some options need a connection (IPV6_ADDRFORM), and a write of none on a socket
that does not block fails with EINPROGRESS. A first byte that is urgent (MSG_OOB) is not.

A signal that interrupts a blocking first write during the handshake makes the kernel send it
twice. So a socket that blocks gets ordinary connections in a program that handles signals other
than SIGINT (but for what wget and Java handle). Whoever stops a program (Ctrl-Z) or attaches a
debugger within that round trip causes the same: leave out by --except what must not bear that.
A handler without SA_RESTART can interrupt connect(), getpeername() and shutdown() with EINTR in
the moment before the supervisor takes the call: then nothing has been done, and connect() has
to be called again.

The report on standard error comes when the program ends, and tells how many processes it has
left running. FILE.json is written then, and again when the last of those has ended, unless
somebody else, such as a later run, has written it since. What it holds from an earlier run
stays until then; if it can't be written, the report goes to standard error. A program that
exits has ended when its report is written; one that a signal kills can't be held back, and its
report comes a moment later.

It takes pidfd_getfd(2), process_vm_readv(2) and seccomp(2). Docker denies the first unless it
is run with --cap-add SYS_PTRACE; podman allows all. A unit with
SystemCallFilter=@system-service needs SystemCallFilter=pidfd_getfd seccomp as well.

Where kernel.yama.ptrace_scope is 1 (Ubuntu, Arch), an ordinary user's supervisor must be the
program's parent. The process that was started then stands for the program: it stops, goes on
and ends as that does, and passes on the signals that it gets, but not SIGSTOP; SIGKILL kills
both. It waits 10 ms, so that what a process sends to the whole group, or systemd to the whole
unit, reaches the program once (two more processes, tfo-witness, tell); what others send to each
process by its number comes twice. The program has another number, and getppid() gives it, and
daemons, the supervisor's. Only the program leaves a core file, and the times that a shell
measures leave it out. Under systemd with Type=notify or socket activation, which go by the
number, the program keeps that, and what it starts has no Fast Open. Scopes 2 and 3 leave out
users and everybody.

Exit status:
That of the program, or
  2    wrong usage, or with --require no Fast Open
  126  the program can't be run
  127  there is no such program";

/// For tests on kernels without Yama: in the environment it puts the supervisor above the program.
const ABOVE: &str = "FASTOPEN_RUN_ABOVE";

/// Becomes the program, under supervision where the system allows for it.
///
/// # Errors
/// The report's file can't be made, or Fast Open is required and can't be had.
pub fn run(args: &Args) -> anyhow::Result<Status> {
    let [program, arguments @ ..] = &args.program[..] else {
        anyhow::bail!("there is no program to run");
    };
    const NOT_RUN: &str = "the program was not run, since it can't have Fast Open here";
    let is_asked = args.verbose || args.report.is_some();
    let mut problems = Vec::new();
    if let Some(problem) = Problem::of_sysctl(args.listen) {
        if args.require {
            let error = Err(anyhow::anyhow!(problem.text)).context(NOT_RUN);
            return error.hint(problem.fix.unwrap_or_default());
        }
        warn(&problem);
        problems.push(problem);
    }
    let memory = match problem::memory_path() {
        Ok(path) => Some(path),
        Err(problem) => {
            if is_asked {
                warn(&problem);
                problems.push(problem);
            }
            None
        }
    };
    let placement = match std::env::var_os(ABOVE) {
        Some(_) => Placement::Above,
        None => Placement::here(),
    };
    let settings = Settings {
        rules: Rules {
            only: args.only.clone(),
            except: args.except.clone(),
            all: args.all,
        },
        listen: args.listen.then_some(ListenOptions::DEFAULT_QUEUE),
        memory: memory.clone(),
        // So that a report on a terminal stands before the next prompt, and one in a file is there for who waits for the program; and the
        // end of a container's first process ends all others in it.
        holds_exit: args.report.is_some() || std::process::id() == 1,
        placement,
    };
    privilege::warn(program);
    let file = args.report_file()?;
    let recorder = |problems| args.recorder(file.as_ref(), problems, memory.clone());
    let observer = match is_asked {
        true => Some(Box::new(recorder(problems.clone())?) as Box<dyn Observer>),
        false => None,
    };
    match supervise::supervise(settings, observer) {
        Err(reason) if args.require && !reason.is_supervised_already() => {
            return Err(reason).context(NOT_RUN);
        }
        Err(reason) => {
            let problem = Problem::of_supervision(&reason);
            warn(&problem);
            // Who reads the file is to know, too.
            if let Some(file) = &file {
                problems.push(problem);
                let report = recorder(problems)?.report(false);
                ReportFile::new(file.share()?)
                    .write(&report, Duration::from_secs(2))
                    .context("can't write the report")?;
            }
        }
        // Who asks what became of the connections is told of those that nobody sees.
        Ok(()) if is_asked && placement == Placement::Beside && supervise::leaves_out_descendants() => {
            warning::print(format_args!(
                "{} has Fast Open, the processes that it starts do not, and their connections are not reported: systemd knows it \
                 by its number, and kernel.yama.ptrace_scope is 1; to change that: sysctl -w kernel.yama.ptrace_scope=0",
                program.to_string_lossy()
            ));
        }
        Ok(()) => {}
    }
    if let Some(file) = file {
        file.keep();
    }
    let error = supervise::exec(program, arguments);
    let status = if error.kind() == io::ErrorKind::NotFound {
        127
    } else {
        126
    };
    anstream::eprintln!("{HINT}tfo:{HINT:#} {}: {error}", program.to_string_lossy());
    if status == 127 && matches!(args.report, Some(None)) && program.to_string_lossy().ends_with(".json") {
        anstream::eprintln!("{HINT}hint:{HINT:#} the report's file is named by --report=FILE.json");
    }
    // The supervisor ends with this process.
    std::process::exit(status)
}

/// On standard error, as the report has it.
fn warn(problem: &Problem) {
    let _ = text::problem(problem, &mut anstream::stderr().lock());
}

impl Args {
    /// The report's file, before the program is run. What it holds stays until there is a report.
    fn report_file(&self) -> anyhow::Result<Option<OutputFile>> {
        let Some(Some(path)) = &self.report else {
            return Ok(None);
        };
        if path.as_os_str() == "-" {
            let error = anyhow::anyhow!("the report can't go to standard output, which is the program's");
            return Err(error)
                .hint("--report alone writes it to standard error, --report=FILE.json to a file");
        }
        OutputFile::open(path, Access::Anybody)
            .context("there is no file for the report")
            .hint("name a file in a folder that you may write to")
            .map(Some)
    }

    fn recorder(
        &self,
        file: Option<&OutputFile>,
        problems: Vec<Problem>,
        memory: Option<PathBuf>,
    ) -> anyhow::Result<Recorder> {
        let destination = match (&self.report, file) {
            (Some(Some(path)), Some(file)) => Destination::File(path.clone(), ReportFile::new(file.share()?)),
            (Some(_), _) => Destination::StandardError,
            (None, _) => Destination::Nowhere,
        };
        Ok(Recorder::new(
            &self.program,
            destination,
            self.verbose,
            problems,
            memory,
        ))
    }
}
