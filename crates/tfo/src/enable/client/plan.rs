//! The drop-in that runs a unit's programs with `tfo run`.

use anyhow::Context;

use super::command;
use super::unit::Service;
use crate::hint::Hint;

/// What `tfo run` calls and `@system-service` lacks or a unit may have taken out.
const CALLS: &str = "seccomp pidfd_open pidfd_getfd process_vm_readv process_vm_writev";

/// A drop-in, and what to know about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) text: String,
    pub(super) notes: Vec<String>,
}

/// For the service of that name, by the `tfo` at this path.
pub(super) fn plan(name: &str, service: &Service, tfo: &str) -> anyhow::Result<Plan> {
    let tfo_word = command::word(tfo);
    anyhow::ensure!(
        !service.commands.is_empty(),
        "{name} starts no program (ExecStart=)"
    );
    let mut text = format!(
        "# Written by tfo enable --client --unit {name}; tfo disable --client --unit {name} removes it.\n\
         # The commands are copies: write it again after the unit's own have changed.\n\
         [Service]\nExecStart=\n"
    );
    for value in &service.commands {
        let value = command::prefixed(value, &tfo_word)
            .with_context(|| format!("{name} can't be run by tfo run: ExecStart={value}"))
            .hint("net.ipv4.tcp_fastopen has its client bit on by default; programs that ask for Fast Open need no tfo run")?;
        text += &format!("ExecStart={value}\n");
    }
    let mut notes = Vec::new();
    if !service.system_calls.is_empty() {
        text += "# The unit filters system calls, and tfo run needs these.\n";
        text += &format!("SystemCallFilter={CALLS}\n");
    }
    if service.kind.as_deref() == Some("forking") && !service.has_pid_file {
        notes.push(
            "it is of Type=forking and has no PIDFile=: systemd guesses its main process, which it can't where tfo's \
             two are in its control group; add PIDFile="
                .to_owned(),
        );
    }
    let bounds = &service.capability_bounds;
    let has = |bound: &String| bound.starts_with('~') || bound.contains("CAP_SYS_PTRACE");
    if !bounds.is_empty() && !bounds.iter().any(has) {
        notes.push(
            "its CapabilityBoundingSet= lacks CAP_SYS_PTRACE: if it starts as root and changes its user, what runs as that user \
             is without Fast Open"
                .to_owned(),
        );
    }
    if ["/home/", "/root/", "/tmp/", "/var/tmp/", "/run/user/"]
        .iter()
        .any(|folder| tfo.starts_with(folder))
    {
        notes.push(format!(
            "{tfo} may be hidden from services (ProtectHome=, PrivateTmp=): install it in /usr/bin"
        ));
    }
    Ok(Plan { text, notes })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(text: &str) -> Service {
        let mut service = Service::default();
        service.apply(&format!("[Service]\n{text}"));
        service
    }

    #[test]
    fn every_command_is_copied() {
        let service = service("Type=oneshot\nExecStart=-/a %i\nExecStart=/b\n");
        let plan = plan("a@.service", &service, "/usr/bin/tfo").unwrap();
        let settings: Vec<_> = plan.text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            settings,
            [
                "[Service]",
                "ExecStart=",
                "ExecStart=-/usr/bin/tfo run -- /a %i",
                "ExecStart=/usr/bin/tfo run -- /b"
            ]
        );
        assert!(plan.notes.is_empty());
    }

    #[test]
    fn what_collides_is_solved_or_said() {
        let noted = |text: &str, tfo: &str| plan("a.service", &service(text), tfo).unwrap();
        let filtered = noted("ExecStart=/a\nSystemCallFilter=@system-service\n", "/usr/bin/tfo");
        assert!(
            filtered.text.contains("\nSystemCallFilter=seccomp "),
            "{}",
            filtered.text
        );
        for (text, tfo, told) in [
            (
                "ExecStart=/a\nType=forking\n",
                "/usr/bin/tfo",
                Some("no PIDFile="),
            ),
            (
                "ExecStart=/a\nType=forking\nPIDFile=/run/a\n",
                "/usr/bin/tfo",
                None,
            ),
            (
                "ExecStart=/a\nCapabilityBoundingSet=CAP_KILL\n",
                "/usr/bin/tfo",
                Some("CAP_SYS_PTRACE"),
            ),
            (
                "ExecStart=/a\nCapabilityBoundingSet=~CAP_KILL\n",
                "/usr/bin/tfo",
                None,
            ),
            (
                "ExecStart=/a\n",
                "/home/me/tfo",
                Some("/home/me/tfo may be hidden"),
            ),
        ] {
            let notes = noted(text, tfo).notes;
            assert_eq!(notes.len(), usize::from(told.is_some()), "{text}: {notes:?}");
            assert!(
                told.is_none_or(|told| notes[0].contains(told)),
                "{text}: {notes:?}"
            );
        }
        for (text, told) in [
            ("Type=oneshot\n", "starts no program"),
            ("ExecStart=@/a b\n", "another name"),
            ("ExecStart=/usr/bin/tfo run -- /a\n", "runs tfo already"),
        ] {
            let error = plan("a.service", &service(text), "/usr/bin/tfo").unwrap_err();
            assert!(format!("{error:#}").contains(told), "{error:#}");
        }
    }
}
