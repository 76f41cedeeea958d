//! A shell on a terminal of its own, with job control.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use fastopen_lab::testing::{LabTest, test};

use super::support::{TFO, World, world};
use super::terminals;

pub(crate) fn tests() -> Vec<LabTest> {
    vec![
        test("job_control", job_control),
        test("deadly_signals_and_core_files", deadly_signals_and_core_files),
    ]
}

/// An interactive shell, and what it has written.
struct Shell {
    terminal: File,
    output: Receiver<u8>,
    child: std::process::Child,
}

impl Shell {
    fn start(world: &World) -> Self {
        let (ours, theirs) = terminals::open(97, 31);
        let shell = [
            "setsid",
            "-c",
            "bash",
            "--norc",
            "--noprofile",
            "--noediting",
            "-i",
        ];
        let child = world
            .bare(&shell)
            .env("PS1", "$ ")
            .env("XDG_STATE_HOME", world.state.path())
            .stdin(theirs.try_clone().unwrap())
            .stdout(theirs.try_clone().unwrap())
            .stderr(theirs)
            .spawn()
            .unwrap();
        let mut reader = ours.try_clone().unwrap();
        let (tell, output) = channel();
        std::thread::spawn(move || {
            let mut byte = [0];
            while let Ok(1) = reader.read(&mut byte) {
                if tell.send(byte[0]).is_err() {
                    return;
                }
            }
        });
        Self {
            terminal: ours,
            output,
            child,
        }
    }

    /// Types, and gives what is written until that text.
    fn types(&mut self, keys: &str, until: &str) -> String {
        self.terminal.write_all(keys.as_bytes()).unwrap();
        let mut text = Vec::new();
        while !text.ends_with(until.as_bytes()) {
            let byte = self.output.recv_timeout(Duration::from_secs(20));
            text.push(
                byte.unwrap_or_else(|_| panic!("no {until:?} in {:?}", String::from_utf8_lossy(&text))),
            );
        }
        String::from_utf8(text).unwrap()
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Ctrl-Z, fg, Ctrl-C, Ctrl-\, the size of the window and its changes: the same answers with and without.
fn job_control() {
    let world = world();
    // A shell would do as well, but for the moment between vfork() and exec() in which its children can't be stopped.
    let job = "import os, signal\n\
               signal.signal(signal.SIGWINCH, lambda *_: print(*reversed(os.get_terminal_size()), flush=True))\n\
               signal.signal(signal.SIGHUP, lambda *_: os._exit(7))\n\
               signal.signal(signal.SIGINT, signal.SIG_DFL)\n\
               print('go', flush=True)\n\
               while True: signal.pause()\n";
    std::fs::write(world.state.path().join("job.py"), job).unwrap();
    let prefix = format!("{TFO} run {} --", world.placement.concat());
    let talk = |prefix: &str| {
        let mut shell = Shell::start(&world);
        shell.types("stty -echo\n", "$ ");
        shell.types("", "");
        let mut said = Vec::new();
        said.push(shell.types(&format!("{prefix} stty size; echo =$?\n"), "=0\r\n"));
        shell.types(&format!("{prefix} python3 job.py\n"), "go\r\n");
        terminals::resize(&shell.terminal, 61, 17);
        said.push(shell.types("", "17 61\r\n"));
        said.push(shell.types("\x1a", "Stopped"));
        shell.types("", "$ ");
        said.push(shell.types("echo =$?; jobs -p %1 >/dev/null; echo jobs $?\n", "jobs 0\r\n"));
        // Not before it goes on, which it says: only the foreground is told of the terminal's size.
        shell.types("fg\n", "job.py\r\n");
        std::thread::sleep(Duration::from_millis(300));
        terminals::resize(&shell.terminal, 62, 18);
        said.push(shell.types("", "18 62\r\n"));
        said.push(shell.types("\x03", "\n"));
        said.push(shell.types("echo =$?\n", "=130\r\n"));
        shell.types(&format!("{prefix} python3 job.py &\n"), "go\r\n");
        said.push(shell.types("kill -HUP %1; wait %1; echo =$?\n", "=7\r\n"));
        shell.types(&format!("{prefix} sleep 99\n"), "");
        std::thread::sleep(Duration::from_millis(300));
        shell.types("\x1c", "Quit");
        said.push(shell.types("echo =$?\n", "=131\r\n"));
        // The names of the jobs differ, and prompts come when they come.
        said.iter()
            .map(|text| text.rsplit("\r\n").nth(1).unwrap_or("").to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(talk(&prefix), talk(""));
}

fn deadly_signals_and_core_files() {
    let world = world();
    for signal in ["SEGV", "ABRT", "HUP", "PIPE", "QUIT", "USR1"] {
        let script = format!("ulimit -c unlimited 2>/dev/null; kill -{signal} $$");
        let program = ["sh", "-c", &script];
        let bare = world.bare(&program).stderr(Stdio::null()).status().unwrap();
        let status = world.under(&[], &program).stderr(Stdio::null()).status().unwrap();
        assert!(bare.signal().is_some());
        // The process that stands for the program leaves no second core file.
        let dumps = |status: ExitStatus| !world.is_above() && status.core_dumped();
        assert_eq!(
            (status.signal(), dumps(status)),
            (bare.signal(), dumps(bare)),
            "{signal}"
        );
    }
}
