//! A command that prints the secret.

use std::io;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};
use tokio::time;
use zeroize::Zeroizing;

use super::LONGEST;
#[cfg(unix)]
use super::group::Group;

/// What a shell prints for that command. The shell is killed when it takes too long, or when this is dropped, and what it has started with
/// it, `apart` in a process group of their own.
pub(super) async fn run(
    command: &str,
    patience: Duration,
    apart: bool,
) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let mut shell = Command::new("sh");
    shell
        .args(["-c", command])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    let (mut child, _group) = spawn(&mut shell, apart).context("sh could not be started")?;
    let output = child.stdout.take().context("sh has no output")?;
    // Room that does not grow: what a buffer grew out of would stay in memory.
    let mut printed = Zeroizing::new(Vec::with_capacity(2 * LONGEST as usize));
    let ended = time::timeout(patience, async {
        // No more than a secret can have: one that prints on and on ends by SIGPIPE.
        output.take(LONGEST).read_to_end(&mut printed).await?;
        child.wait().await
    });
    let status = ended
        .await
        .map_err(|_| anyhow!("it did not end within {patience:?}"))??;
    if !status.success() {
        bail!("{status}");
    }
    Ok(printed)
}

#[cfg(unix)]
fn spawn(shell: &mut Command, apart: bool) -> io::Result<(Child, Option<Group>)> {
    match apart {
        true => Group::spawn(shell),
        false => Ok((shell.spawn()?, None)),
    }
}

/// Windows has no process groups.
#[cfg(windows)]
fn spawn(shell: &mut Command, _: bool) -> io::Result<(Child, ())> {
    Ok((shell.spawn()?, ()))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::thread::sleep;
    use std::time::Instant;

    use super::*;

    /// Whether a process runs; one that has ended and that nobody has waited for does not.
    fn runs(pid: &str) -> bool {
        let state = fs::read_to_string(Path::new("/proc").join(pid).join("stat")).unwrap_or_default();
        state
            .rsplit_once(") ")
            .is_some_and(|(_, state)| !state.starts_with('Z'))
    }

    #[tokio::test]
    #[cfg(target_os = "linux")]
    async fn nothing_that_a_command_starts_outlives_it() {
        let folder = tempfile::tempdir().unwrap();
        for (number, (end, expected)) in [
            ("wait", "it did not end within 1s"),
            ("exit 3", "exit status: 3"),
            ("printf abc", "abc"),
        ]
        .into_iter()
        .enumerate()
        {
            let pid = folder.path().join(number.to_string());
            // Below another shell, without an output, and deaf to what a terminal that goes away sends.
            let command = format!(
                "(trap '' HUP; sleep 1000 >&- & echo $! > {}; {end}; ) || exit $?",
                pid.display()
            );
            let told = match run(&command, Duration::from_secs(1), true).await {
                Ok(printed) => String::from_utf8(printed.to_vec()).unwrap(),
                Err(error) => error.to_string(),
            };
            assert_eq!(told, expected);
            let pid = fs::read_to_string(pid).unwrap();
            let began = Instant::now();
            while runs(pid.trim()) {
                assert!(began.elapsed() < Duration::from_secs(20), "{end}: {pid} runs on");
                sleep(Duration::from_millis(10));
            }
        }
    }

    #[tokio::test]
    async fn commands_are_run_and_not_waited_for_without_end() {
        let patience = Duration::from_secs(20);
        assert_eq!(*run("printf abc", patience, true).await.unwrap(), b"abc");
        let error = run("echo lost; exit 3", patience, true).await.unwrap_err();
        assert_eq!(error.to_string(), "exit status: 3");
        // With its output open, and with its output closed.
        for command in ["exec sleep 60", "echo lost; exec sleep 60 >&-"] {
            let error = run(command, Duration::from_millis(50), true).await.unwrap_err();
            assert_eq!(error.to_string(), "it did not end within 50ms", "{command}");
        }
        assert!(run("cat /dev/zero", patience, true).await.is_err());
    }
}
