//! The screen, on a pseudo-terminal.

use std::fs::File;
use std::io::{Read, Write};
use std::process::Stdio;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use fastopen_lab::Host;
use rustix::process::Signal;
use rustix::termios::{LocalModes, tcgetattr};

use crate::support::{TFO, Watch, connect_fast, lab, listen};
use crate::terminal::{self, resize};

const PATIENCE: Duration = Duration::from_secs(20);
const ENTER: &str = "\u{1b}[?1049h";
const CLEAR: &str = "\u{1b}[2J";
const LEAVE: &str = "\u{1b}[?1049l";

/// `tfo watch` on a terminal.
struct Terminal {
    watch: Watch,
    keyboard: File,
    /// The program's end, kept open so that its settings can be read when the program is gone.
    line: File,
    written: Receiver<Vec<u8>>,
    seen: String,
}

impl Terminal {
    fn start(host: &Host, environment: &[(&str, &str)]) -> Self {
        let (keyboard, line) = terminal::open(80, 24);
        let mut command = host.command(TFO).unwrap();
        command
            .args(["watch", "--interval", "100ms"])
            .env("TERM", "xterm-256color")
            .env_remove("NO_COLOR")
            .envs(environment.iter().copied())
            .stdin(line.try_clone().unwrap())
            .stdout(line.try_clone().unwrap())
            .stderr(Stdio::piped());
        let watch = Watch(command.spawn().unwrap());
        let (sender, written) = channel();
        let mut output = keyboard.try_clone().unwrap();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = output.read(&mut buffer) {
                if sender.send(buffer[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self {
            watch,
            keyboard,
            line,
            written,
            seen: String::new(),
        }
    }

    /// Waits until the terminal has got this, and forgets what came before it.
    fn wait_for(&mut self, text: &str) {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.seen.find(text) {
                self.seen.drain(..at);
                return;
            }
            let left = end.saturating_duration_since(Instant::now());
            let Ok(written) = self.written.recv_timeout(left) else {
                let seen: String = self.seen.chars().take(2000).collect();
                panic!("{text:?} does not come: {seen:?}");
            };
            self.seen.push_str(&String::from_utf8_lossy(&written));
        }
    }

    fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Whether the terminal echoes what is typed, line by line, as a shell wants it.
    fn is_as_a_shell_wants_it(&self) -> bool {
        let modes = tcgetattr(&self.line).unwrap().local_modes;
        modes.contains(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG)
    }

    fn ends_well(mut self) {
        self.wait_for(LEAVE);
        self.wait_for("In ");
        assert_eq!(self.watch.0.wait().unwrap().code(), Some(0));
        assert!(self.is_as_a_shell_wants_it());
    }
}

pub(crate) fn it_fills_the_screen_and_leaves_it_as_it_was() {
    let lab = lab();
    for how in ["q", "\u{1b}", "\u{3}", "SIGTERM", "SIGHUP", "SIGQUIT"] {
        let mut terminal = Terminal::start(lab.client().unwrap(), &[]);
        terminal.wait_for(ENTER);
        terminal.wait_for("TCPFastOpenBlackhole");
        assert!(!terminal.is_as_a_shell_wants_it());
        match how {
            "SIGTERM" => terminal.watch.signal(Signal::TERM),
            "SIGHUP" => terminal.watch.signal(Signal::HUP),
            "SIGQUIT" => terminal.watch.signal(Signal::QUIT),
            keys => terminal.press(keys),
        }
        terminal.ends_well();
    }
}

pub(crate) fn it_is_drawn_anew_when_the_size_changes() {
    let lab = lab();
    let mut terminal = Terminal::start(lab.client().unwrap(), &[]);
    terminal.wait_for("TCPFastOpenBlackhole");
    assert!(!terminal.seen.contains("SyncookiesSent"));
    resize(&terminal.keyboard, 120, 40);
    // A terminal that is not the program's own sends it no signal.
    terminal.watch.signal(Signal::WINCH);
    terminal.wait_for("SyncookiesSent");
    terminal.seen.clear();
    resize(&terminal.keyboard, 3, 2);
    terminal.watch.signal(Signal::WINCH);
    // Not at once: crossterm keeps a key that comes together with a change of size until the next key.
    terminal.wait_for(CLEAR);
    terminal.press("q");
    terminal.ends_well();
}

pub(crate) fn keys_do_what_they_say() {
    let lab = lab();
    let (client, server) = (lab.client().unwrap(), lab.server().unwrap());
    let listener = listen(server, server.ipv4().into());
    let port = listener.local_addr().unwrap().port();
    let _streams = [(); 3].map(|()| connect_fast(client, server.ipv4().into(), port));
    let mut terminal = Terminal::start(client, &[]);
    terminal.wait_for("outgoing 3 (2 accepted, 1 no-cookie)");
    // Only what changes is drawn.
    for (keys, shown) in [("\u{1b}[C", "▲"), ("r", "▼"), ("\t", "▶")] {
        terminal.seen.clear();
        terminal.press(keys);
        terminal.wait_for(shown);
    }
    terminal.press("q");
    terminal.ends_well();
}

pub(crate) fn nothing_is_coloured_where_nothing_should_be() {
    let lab = lab();
    for (environment, coloured) in [(&[][..], true), (&[("NO_COLOR", "1")], false)] {
        let mut terminal = Terminal::start(lab.client().unwrap(), environment);
        terminal.wait_for(ENTER);
        terminal.press("q");
        let mut drawn = String::new();
        while let Ok(written) = terminal.written.recv_timeout(Duration::from_millis(500)) {
            drawn.push_str(&String::from_utf8_lossy(&written));
        }
        drawn.insert_str(0, &terminal.seen);
        assert_eq!(drawn.contains("[38;5;"), coloured, "{drawn:?}");
    }
}
