//! The events of Windows' console.

use std::io;
use std::iter;

use tokio::runtime::{Builder, Runtime};
use tokio::signal::windows::{CtrlBreak, CtrlC, ctrl_break, ctrl_c};

/// `STATUS_CONTROL_C_EXIT`, with which a console program ends that handles neither.
const CONTROL_C_EXIT: i32 = 0xc000_013a_u32.cast_signed();

/// Ctrl-C and Ctrl-Break, as they come.
pub(super) struct Signals {
    runtime: Runtime,
    ctrl_c: CtrlC,
    ctrl_break: CtrlBreak,
}

impl Signals {
    pub(super) fn new() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let guard = runtime.enter();
        let (ctrl_c, ctrl_break) = (ctrl_c()?, ctrl_break()?);
        drop(guard);
        Ok(Self {
            runtime,
            ctrl_c,
            ctrl_break,
        })
    }

    /// Waits for each.
    pub(super) fn forever(&mut self) -> impl Iterator<Item = i32> {
        iter::from_fn(|| {
            let (ctrl_c, ctrl_break) = (&mut self.ctrl_c, &mut self.ctrl_break);
            let event = self.runtime.block_on(async {
                tokio::select! {
                    event = ctrl_c.recv() => event,
                    event = ctrl_break.recv() => event,
                }
            });
            event.map(|()| CONTROL_C_EXIT)
        })
    }
}

/// Ends the process with that status, without waiting for anything.
pub(super) fn end_by(status: i32) {
    std::process::exit(status);
}
