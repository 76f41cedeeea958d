//! What a unit's files say of its service, as far as it matters here.
//!
//! Source: systemd.syntax(7).

/// The settings of a service, put together from its file and its drop-ins, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Service {
    /// The values of `ExecStart=`.
    pub(super) commands: Vec<String>,
    pub(super) kind: Option<String>,
    pub(super) has_pid_file: bool,
    /// The values of `SystemCallFilter=`.
    pub(super) system_calls: Vec<String>,
    /// The values of `CapabilityBoundingSet=`.
    pub(super) capability_bounds: Vec<String>,
}

impl Service {
    /// Takes a file's settings on top. Gives whether it has a say in `ExecStart=`.
    pub(super) fn apply(&mut self, text: &str) -> bool {
        let mut has_a_say = false;
        let mut in_service = false;
        for line in lines(text) {
            let line = line.trim();
            if let Some(section) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                in_service = section == "Service";
                continue;
            }
            let Some((name, value)) = line.split_once('=').filter(|_| in_service) else {
                continue;
            };
            let value = value.trim().to_owned();
            match name.trim_end() {
                "ExecStart" => {
                    has_a_say = true;
                    add(&mut self.commands, value);
                }
                "SystemCallFilter" => add(&mut self.system_calls, value),
                "CapabilityBoundingSet" => add(&mut self.capability_bounds, value),
                "Type" => self.kind = Some(value).filter(|kind| !kind.is_empty()),
                "PIDFile" => self.has_pid_file = !value.is_empty(),
                _ => {}
            }
        }
        has_a_say
    }
}

/// An empty value resets the list.
fn add(list: &mut Vec<String>, value: String) {
    match value.is_empty() {
        true => list.clear(),
        false => list.push(value),
    }
}

/// The lines, those that end in a backslash joined with the next by a space; comments, which may stand in between, left out.
fn lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut open: Option<String> = None;
    for line in text.lines() {
        if line.trim_start().starts_with(['#', ';']) {
            continue;
        }
        let (part, goes_on) = match line.strip_suffix('\\') {
            Some(part) => (part, true),
            None => (line, false),
        };
        let whole = open
            .take()
            .map_or_else(|| part.to_owned(), |start| start + " " + part);
        match goes_on {
            true => open = Some(whole),
            false => lines.push(whole),
        }
    }
    lines.extend(open);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_put_together() {
        let mut service = Service::default();
        let unit = "[Unit]\nExecStart=/no\n[Service]\nType=oneshot\n# ExecStart=/no\nExecStart=/a \\\n  # a comment\n  -b\\\n; another\n\n\
                    ExecStart = /c\nPIDFile=/run/a.pid\nSystemCallFilter=@system-service\n[Install]\nExecStart=/no\n";
        assert!(service.apply(unit));
        assert_eq!(service.commands, ["/a    -b", "/c"]);
        assert_eq!(
            (service.kind.as_deref(), service.has_pid_file),
            (Some("oneshot"), true)
        );
        assert!(!service.apply("[Service]\nSystemCallFilter=~@debug\nType=\n"));
        assert_eq!(service.system_calls, ["@system-service", "~@debug"]);
        assert!(service.apply("[Service]\nExecStart=\nExecStart=/d\nPIDFile=\n"));
        assert_eq!(service.commands, ["/d"]);
        assert_eq!((service.kind, service.has_pid_file), (None, false));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_taken(text: String) {
            Service::default().apply(&text);
        }
    }
}
