//! Programs that listen, and how each is configured to use Fast Open. `tests/doctor` tries these settings on the programs.

/// What is known of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Program {
    /// It has settings of its own.
    Configured {
        /// What makes it ask.
        ask: &'static str,
        /// What gives it a queue of a certain length, before and after that number.
        lengthen: (&'static str, &'static str),
    },
    /// It asks on every system, whether or not its administrator wants Fast Open, and always for the same queue.
    AsksByItself,
}

/// The program of that name, if it is known here.
pub(super) fn find(name: &str) -> Option<Program> {
    match name {
        "nginx" => Some(Program::Configured {
            ask: "listen PORT fastopen=256;",
            lengthen: ("listen PORT fastopen=", ";"),
        }),
        "haproxy" => Some(Program::Configured {
            ask: "bind :PORT tfo",
            lengthen: ("backlog ", ""),
        }),
        "dnsmasq" => Some(Program::AsksByItself),
        _ => None,
    }
}

/// The setting with which it asks.
pub(super) fn to_ask(name: &str) -> Option<String> {
    match find(name)? {
        Program::Configured { ask, .. } => Some(format!("{name}: {ask}")),
        Program::AsksByItself => None,
    }
}

/// The setting that gives it a queue of that length.
pub(super) fn to_lengthen(name: &str, queue: u32) -> Option<String> {
    match find(name)? {
        Program::Configured {
            lengthen: (before, after),
            ..
        } => Some(format!("{name}: {before}{queue}{after}")),
        Program::AsksByItself => None,
    }
}
