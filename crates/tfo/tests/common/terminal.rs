//! A pseudo-terminal.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::process::{Command, Stdio};
use std::thread;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// Both ends of a new terminal: the test's and the program's.
pub(crate) fn open(columns: u16, rows: u16) -> (File, File) {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let path = ptsname(&ours, Vec::new()).unwrap();
    let theirs = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path.to_str().unwrap())
        .unwrap();
    let ours = File::from(ours);
    resize(&ours, columns, rows);
    (ours, theirs)
}

pub(crate) fn resize(terminal: &File, columns: u16, rows: u16) {
    let size = Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(terminal, size).unwrap();
}

/// What a program writes to a terminal of that size until it ends.
#[allow(dead_code, reason = "not every test that has terminals waits for the end")]
pub(crate) fn output(command: &mut Command, columns: u16, rows: u16) -> String {
    let (mut ours, theirs) = open(columns, rows);
    command
        .stdin(Stdio::null())
        .stdout(theirs)
        .stderr(Stdio::inherit());
    let mut child = command.spawn().unwrap();
    let reader = thread::spawn(move || {
        let mut text = Vec::new();
        let mut buffer = [0; 4096];
        // An error: the other end has been closed everywhere.
        while let Ok(read @ 1..) = ours.read(&mut buffer) {
            text.extend_from_slice(&buffer[..read]);
        }
        String::from_utf8(text).unwrap().replace("\r\n", "\n")
    });
    assert!(child.wait().unwrap().code().is_some());
    // The command keeps the program's end open until it is given another.
    command.stdout(Stdio::null());
    reader.join().unwrap()
}
