//! How a program is supervised.

use std::path::PathBuf;

use super::refusal;
use super::rules::Rules;

/// What a supervisor is to do.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Which destinations may get data in a SYN.
    pub rules: Rules,
    /// Switch Fast Open on for listeners, with a queue of this length.
    pub listen: Option<u32>,
    /// The file in which what is learnt of destinations is kept.
    pub memory: Option<PathBuf>,
    /// Hold back the program's end until the observer has been told of it and what was learnt is in the file.
    pub holds_exit: bool,
    /// Where the supervisor's process stands.
    pub placement: Placement,
}

/// Where the supervisor's process stands among others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Placement {
    /// Beside the program, out of its sight: the process that starts it becomes the program.
    #[default]
    Beside,
    /// Above the program, as its parent: a Linux security module, Yama, may let nobody else look at what the program starts. The process
    /// that starts it stands for the program, whose number is another.
    Above,
}

impl Placement {
    /// The one that this system takes, for a program that this process becomes.
    ///
    /// Beside also where a service manager knows the program by its number: systemd takes notifications (`NOTIFY_SOCKET`) and hands over sockets
    /// (`LISTEN_PID`) by that. Yama then [leaves out](leaves_out_descendants) what the program starts.
    pub fn here() -> Self {
        match refusal::only_ancestors_may_trace() && !must_keep_its_number() {
            true => Self::Above,
            false => Self::Beside,
        }
    }
}

/// Whether a supervisor [beside](Placement::Beside) the program may not look at what that starts.
pub fn leaves_out_descendants() -> bool {
    refusal::only_ancestors_may_trace()
}

fn must_keep_its_number() -> bool {
    is_known_by_number(std::process::id(), |name| std::env::var(name).ok())
}

/// Source: sd_notify(3), sd_listen_fds(3), `NotifyAccess=` in systemd.service(5), `$SYSTEMD_EXEC_PID` in systemd.exec(5).
fn is_known_by_number(pid: u32, variable: impl Fn(&str) -> Option<String>) -> bool {
    let is_ours = |name| variable(name).map(|number| number == pid.to_string());
    let notifies = variable("NOTIFY_SOCKET").is_some() && is_ours("SYSTEMD_EXEC_PID") != Some(false);
    notifies || is_ours("LISTEN_PID") == Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_manager_knows_it_by_number() {
        for (variables, expected) in [
            (&[][..], false),
            (&[("NOTIFY_SOCKET", "/run/systemd/notify")], true),
            (&[("NOTIFY_SOCKET", "@n"), ("SYSTEMD_EXEC_PID", "7")], true),
            // What a service has started inherits its environment.
            (&[("NOTIFY_SOCKET", "@n"), ("SYSTEMD_EXEC_PID", "6")], false),
            (&[("LISTEN_PID", "7")], true),
            (&[("LISTEN_PID", "6")], false),
        ] {
            let variable = |name: &str| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            assert_eq!(is_known_by_number(7, variable), expected, "{variables:?}");
        }
    }
}
