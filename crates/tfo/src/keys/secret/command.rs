//! A command that prints the secret.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use tokio::io::AsyncReadExt;
use tokio::process::Command;
use tokio::time;
use zeroize::Zeroizing;

use super::LONGEST;

/// What a shell prints for that command. The shell is killed when it takes too long, or when this is dropped.
pub(super) async fn run(command: &str, patience: Duration) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let mut child = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("sh could not be started")?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn commands_are_run_and_not_waited_for_without_end() {
        let patience = Duration::from_secs(20);
        assert_eq!(*run("printf abc", patience).await.unwrap(), b"abc");
        let error = run("echo lost; exit 3", patience).await.unwrap_err();
        assert_eq!(error.to_string(), "exit status: 3");
        // With its output open, and with its output closed.
        for command in ["exec sleep 60", "echo lost; exec sleep 60 >&-"] {
            let error = run(command, Duration::from_millis(50)).await.unwrap_err();
            assert_eq!(error.to_string(), "it did not end within 50ms", "{command}");
        }
        assert!(run("cat /dev/zero", patience).await.is_err());
    }
}
