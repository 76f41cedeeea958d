//! The processes that a program has started.

use std::collections::HashMap;
use std::fs;

/// How many descendants of this process are alive, but for these and theirs. One whose parent has ended is not known as such any more.
///
/// By `/proc/PID/stat`; where that can't be read, none.
pub(crate) fn count(ancestor: u32, but: &[u32]) -> usize {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    for process in processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()) {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        if let Some(parent) = parent_of_living(&stat).filter(|_| !but.contains(&process)) {
            children.entry(parent).or_default().push(process);
        }
    }
    let mut known = vec![ancestor];
    let mut next = 0;
    while let Some(parent) = known.get(next) {
        let theirs = children.remove(parent).unwrap_or_default();
        known.extend(theirs);
        next += 1;
    }
    known.len() - 1
}

/// The parent, from proc_pid_stat(5); None for a process that has ended and is still listed.
fn parent_of_living(stat: &str) -> Option<u32> {
    // The name before it may have any character in it.
    let (_, rest) = stat.rsplit_once(") ")?;
    let (state, rest) = rest.split_once(' ')?;
    let parent = rest.split(' ').next()?.parse().ok()?;
    (!matches!(state, "Z" | "X")).then_some(parent)
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn names_do_not_mislead() {
        assert_eq!(parent_of_living("7 (a) Z 9 (b) S 3 4"), Some(3));
        assert_eq!(parent_of_living("7 (sh) Z 3 4"), None);
        assert_eq!(parent_of_living(""), None);
    }

    #[test]
    fn children_and_theirs_are_counted() {
        let mut sh = Command::new("sh");
        sh.args(["-c", "sh -c 'echo $$; read line; true'; true"]);
        let mut child = sh.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert_eq!(count(child.id(), &[]), 1);
        assert_eq!(count(child.id(), &[line.trim().parse().unwrap()]), 0);
        drop(child.stdin.take());
        child.wait().unwrap();
        assert_eq!(count(child.id(), &[]), 0);
    }
}
