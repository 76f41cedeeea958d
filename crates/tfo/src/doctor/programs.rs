//! Programs that listen, and how each is configured to use Fast Open. `tests/doctor` tries these settings on the programs; Exim's, which
//! starts as root alone, were tried by hand on 4.96.

/// What is known of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Program {
    /// The setting that makes it ask. Without one it asks on every system, whether or not its administrator wants Fast Open.
    ask: Option<&'static str>,
    /// What gives its queue a certain length, before and after that number; nothing where the length is fixed.
    lengthen: Option<(&'static str, &'static str)>,
}

/// The names that processes have, and what is known of the program.
const PROGRAMS: &[(&str, Program)] = &[
    (
        "nginx",
        Program {
            ask: Some("listen PORT fastopen=256;"),
            lengthen: Some(("listen PORT fastopen=", ";")),
        },
    ),
    (
        "haproxy",
        Program {
            ask: Some("bind :PORT tfo"),
            lengthen: Some(("backlog ", "")),
        },
    ),
    (
        "pdns_recursor",
        Program {
            ask: Some("tcp-fast-open=256"),
            lengthen: Some(("tcp-fast-open=", "")),
        },
    ),
    ("exim4", EXIM),
    ("exim", EXIM),
    ("dnsmasq", FIXED),
    ("unbound", FIXED),
];

const EXIM: Program = Program {
    ask: None,
    lengthen: Some(("smtp_connect_backlog = ", "")),
};
const FIXED: Program = Program {
    ask: None,
    lengthen: None,
};

impl Program {
    /// Whether it asks on every system, for the queue that its authors thought long enough.
    pub(super) fn asks_by_itself(&self) -> bool {
        self.ask.is_none()
    }

    /// Whether the length of its queue can't be set.
    pub(super) fn is_fixed(&self) -> bool {
        self.lengthen.is_none()
    }
}

/// The program of that name, if it is known here.
pub(super) fn find(name: &str) -> Option<Program> {
    let mut known = PROGRAMS.iter();
    known
        .find(|(known, _)| *known == name)
        .map(|(_, program)| *program)
}

/// The setting with which it asks.
pub(super) fn to_ask(name: &str) -> Option<String> {
    Some(format!("{name}: {}", find(name)?.ask?))
}

/// The setting that gives it a queue of that length.
pub(super) fn to_lengthen(name: &str, queue: u32) -> Option<String> {
    let (before, after) = find(name)?.lengthen?;
    Some(format!("{name}: {before}{queue}{after}"))
}
