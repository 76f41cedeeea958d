//! A unit's command line with `tfo run --` in front.
//!
//! Source: systemd.service(5), "COMMAND LINES".

/// What `ExecStart=` may have before the program.
const PREFIXES: &[char] = &['@', '-', ':', '+', '!', '|'];

/// Why a command can't be run by another one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unsupported {
    #[error("it gives the program another name (@), which tfo run can't")]
    OtherName,
    #[error("there is no program in it")]
    Empty,
    #[error("it runs tfo already")]
    Already,
}

/// The value of an `ExecStart=` line whose programs are run by `tfo run`. Everything else stays as it is written: quotes, specifiers and
/// variables mean the same one place further on.
pub(super) fn prefixed(value: &str, tfo: &str) -> Result<String, Unsupported> {
    let commands = split(value);
    let commands: Result<Vec<_>, _> = commands.iter().map(|command| one(command.trim(), tfo)).collect();
    Ok(commands?.join(" ; "))
}

fn one(command: &str, tfo: &str) -> Result<String, Unsupported> {
    let rest = command.trim_start_matches(PREFIXES);
    let prefixes = &command[..command.len() - rest.len()];
    let end = end_of_word(rest);
    let (program, arguments) = rest.split_at(end);
    let name = program.trim_matches(['"', '\'']).rsplit('/').next();
    match name {
        None | Some("") => return Err(Unsupported::Empty),
        Some("tfo") => return Err(Unsupported::Already),
        Some(_) if prefixes.contains('@') => return Err(Unsupported::OtherName),
        Some(_) => {}
    }
    // A dollar in an argument begins a variable, and in the program it doesn't.
    let program = match prefixes.contains(':') {
        true => program.to_owned(),
        false => program.replace('$', "$$"),
    };
    Ok(format!("{prefixes}{tfo} run -- {program}{arguments}"))
}

/// The commands of a line, which stand-alone semicolons separate.
fn split(value: &str) -> Vec<&str> {
    let mut commands = Vec::new();
    let (mut start, mut at) = (0, 0);
    while at < value.len() {
        let rest = &value[at..];
        let spaces = rest.len() - rest.trim_start().len();
        if spaces > 0 {
            at += spaces;
            continue;
        }
        let end = end_of_word(rest);
        if &rest[..end] == ";" {
            commands.push(&value[start..at]);
            start = at + end;
        }
        at += end;
    }
    commands.push(&value[start..]);
    commands
}

/// Where the first word ends, whose quotes and escapes may hold spaces.
fn end_of_word(text: &str) -> usize {
    let mut quote = None;
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match (character, quote) {
            ('\\', _) => drop(characters.next()),
            ('"' | '\'', None) => quote = Some(character),
            (character, Some(open)) if character == open => quote = None,
            (character, None) if character.is_whitespace() => return at,
            _ => {}
        }
    }
    text.len()
}

/// A path as a word of a unit's command line.
pub(super) fn word(path: &str) -> String {
    let path = path.replace('%', "%%");
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+%".contains(c);
    match path.chars().all(is_plain) {
        true => path,
        false => format!("\"{}\"", path.replace('\\', "\\\\").replace('"', "\\\"")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_stands_behind_tfo_run() {
        for (value, expected) in [
            (
                "/usr/sbin/nginx -g 'daemon on;'",
                "T run -- /usr/sbin/nginx -g 'daemon on;'",
            ),
            ("-/a", "-T run -- /a"),
            ("-+/a %i $B \"c d\"", "-+T run -- /a %i $B \"c d\""),
            ("!!/a", "!!T run -- /a"),
            (":/a$b $c", ":T run -- /a$b $c"),
            ("/a$b $c", "T run -- /a$$b $c"),
            ("\"/a b/c\" d", "T run -- \"/a b/c\" d"),
            ("'/a b' ; d", "T run -- '/a b' ; T run -- d"),
            ("/a 1 ; -/b 2", "T run -- /a 1 ; -T run -- /b 2"),
            ("/a \\; b", "T run -- /a \\; b"),
            ("/a ';' b;c", "T run -- /a ';' b;c"),
            ("name --flag", "T run -- name --flag"),
            ("/bin/größe \u{e4}", "T run -- /bin/größe \u{e4}"),
        ] {
            assert_eq!(prefixed(value, "T").as_deref(), Ok(expected), "{value}");
        }
    }

    #[test]
    fn what_cannot_be_run_is_refused() {
        for (value, expected) in [
            ("@/a b", Unsupported::OtherName),
            ("-", Unsupported::Empty),
            ("/a ; ", Unsupported::Empty),
            ("/usr/bin/tfo run -- /a", Unsupported::Already),
            ("-tfo run -- /a", Unsupported::Already),
        ] {
            assert_eq!(prefixed(value, "T"), Err(expected), "{value}");
        }
    }

    #[test]
    fn a_path_is_a_word() {
        for (path, expected) in [
            ("/usr/bin/tfo", "/usr/bin/tfo"),
            ("/opt/a b/tfo", "\"/opt/a b/tfo\""),
            ("/opt/100%/tfo", "/opt/100%%/tfo"),
        ] {
            assert_eq!(word(path), expected);
            assert_eq!(end_of_word(expected), expected.len());
        }
    }

    proptest::proptest! {
        #[test]
        fn any_line_is_taken_or_refused(value in "[ -~]{0,30}|.{0,20}") {
            let _ = prefixed(&value, "T");
        }
    }
}
