//! `--fix`: prints the settings that it changes, then changes them.

use std::io::{self, ErrorKind, Write};

use serde::Serialize;

use super::finding::{Finding, Fix, Level};
use super::place::Place;
use crate::style::{ERROR, HINT};

/// A setting that was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Applied {
    pub(super) setting: String,
    pub(super) value: String,
}

/// How it went.
pub(super) enum Outcome {
    /// These settings were changed; none if there was nothing to change.
    Applied(Vec<Applied>),
    /// This process lacks the permission; nothing more was changed, and the commands have been printed.
    NotPermitted,
}

/// The fixes that can be applied, each once.
pub(super) fn plan(findings: &[Finding]) -> Vec<&Fix> {
    let mut plan: Vec<&Fix> = Vec::new();
    for fix in findings
        .iter()
        .filter(|finding| finding.level > Level::Note)
        .filter_map(|finding| finding.fix.as_ref())
        .filter(|fix| fix.automatic)
    {
        if !plan.contains(&fix) {
            plan.push(fix);
        }
    }
    plan
}

/// Prints what it will change, and changes it.
pub(super) fn apply(plan: &[&Fix], place: Place, messages: &mut impl Write) -> anyhow::Result<Outcome> {
    apply_with(plan, place, messages, |fix| {
        fix.sysctl.write(&fix.value).map_err(io::Error::from)
    })
}

fn apply_with(
    plan: &[&Fix],
    place: Place,
    messages: &mut impl Write,
    write: impl Fn(&Fix) -> io::Result<()>,
) -> anyhow::Result<Outcome> {
    if plan.is_empty() {
        writeln!(messages, "There is nothing that --fix can change.")?;
        return Ok(Outcome::Applied(Vec::new()));
    }
    writeln!(messages, "Changing, {}:", place.lifetime())?;
    for fix in plan {
        writeln!(messages, "  {} = {}", fix.sysctl, fix.value)?;
    }
    let mut applied = Vec::new();
    for (index, fix) in plan.iter().enumerate() {
        match write(fix) {
            Ok(()) => applied.push(Applied {
                setting: fix.sysctl.to_string(),
                value: fix.value.clone(),
            }),
            Err(error) if is_refusal(&error) => {
                writeln!(messages, "{ERROR}error:{ERROR:#} {error}")?;
                let hint = match error.kind() {
                    ErrorKind::PermissionDenied => {
                        "run it as root (sudo tfo doctor --fix), or what it would do:"
                    }
                    _ => "they are read-only here; where they can be changed, run:",
                };
                writeln!(messages, "{HINT}hint:{HINT:#} {hint}")?;
                for left in &plan[index..] {
                    writeln!(messages, "  {}", left.command)?;
                }
                return Ok(Outcome::NotPermitted);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Outcome::Applied(applied))
}

fn is_refusal(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem
    )
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::super::{findings, sample};
    use super::*;

    fn planned() -> Vec<Finding> {
        findings::of(&sample::troubled())
    }

    #[test]
    fn each_setting_is_changed_once_and_said_before() {
        let findings = planned();
        let plan = plan(&findings);
        let written = RefCell::new(Vec::new());
        let mut messages = Vec::new();
        let outcome = apply_with(&plan, Place::Machine, &mut messages, |fix| {
            written.borrow_mut().push(fix.value.clone());
            Ok(())
        });
        assert!(matches!(outcome, Ok(Outcome::Applied(fixes)) if fixes.len() == 2));
        assert_eq!(written.into_inner(), ["3847", "1"]);
        let messages = String::from_utf8(messages).unwrap();
        assert!(
            messages.contains("  net.ipv4.tcp_fastopen = 3847\n"),
            "{messages}"
        );
    }

    #[test]
    fn without_privilege_it_says_what_to_run() {
        let findings = planned();
        let mut messages = Vec::new();
        let outcome = apply_with(&plan(&findings), Place::Machine, &mut messages, |_| {
            Err(ErrorKind::PermissionDenied.into())
        });
        assert!(matches!(outcome, Ok(Outcome::NotPermitted)));
        let messages = String::from_utf8(messages).unwrap();
        assert!(
            messages.contains("sudo sysctl -w net.ipv4.tcp_fastopen=3847\n"),
            "{messages}"
        );
        assert!(
            messages.contains("sudo sysctl -w net.ipv4.tcp_syncookies=1\n"),
            "{messages}"
        );
    }

    #[test]
    fn what_somebody_chose_is_left_alone() {
        let findings = planned();
        assert!(
            findings
                .iter()
                .any(|finding| finding.id == "client-without-cookie")
        );
        assert!(plan(&findings).iter().all(|fix| fix.automatic));
        assert!(plan(&findings::of(&sample::ready())).is_empty());
    }
}
