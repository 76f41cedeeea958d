//! Where the fleet's secret comes from: a file, standard input, or what a command prints.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use fastopen::{Rotation, Secret};
use zeroize::Zeroizing;

use crate::hint::Hint;
use crate::{printable, units};

/// The options that name the secret and the schedule.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Source {
    /// The file with the fleet's secret: 32 bytes, as tofurkey reads them, or 64 hexadecimal digits; - is standard input
    #[arg(long, value_name = "FILE", required_unless_present = "secret_command")]
    secret: Option<PathBuf>,
    /// Run this with sh, and take what it prints as the secret: etcdctl get --print-value-only tfo, for instance
    #[arg(long, value_name = "COMMAND", conflicts_with = "secret")]
    secret_command: Option<String>,
    /// How long each key makes cookies: an even number of seconds from 10s to 7d, the same in the whole fleet
    #[arg(long, value_name = "TIME", default_value = "1d", value_parser = units::parse_time)]
    interval: Duration,
}

/// As [`Source`], for what can be done without the secret too.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct OptionalSource {
    /// The file with the fleet's secret: 32 bytes, as tofurkey reads them, or 64 hexadecimal digits
    #[arg(long, value_name = "FILE", group = "named_secret")]
    secret: Option<PathBuf>,
    /// Run this with sh, and take what it prints as the secret
    #[arg(long, value_name = "COMMAND", group = "named_secret")]
    secret_command: Option<String>,
    /// How long each key makes cookies
    #[arg(long, value_name = "TIME", default_value = "1d", value_parser = units::parse_time)]
    interval: Duration,
}

impl OptionalSource {
    /// The schedule, if a secret was named.
    ///
    /// # Errors
    /// Those of [`Source::rotation`].
    pub(super) fn rotation(&self) -> anyhow::Result<Option<Rotation>> {
        if self.secret.is_none() && self.secret_command.is_none() {
            return Ok(None);
        }
        let source = Source {
            secret: self.secret.clone(),
            secret_command: self.secret_command.clone(),
            interval: self.interval,
        };
        source.check()?;
        source.rotation().map(Some)
    }
}

/// How long a command may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// More bytes than a secret has in any form.
const LONGEST: u64 = 256;

impl Source {
    /// Refuses an interval that keys can't follow, before there is a secret.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        Rotation::new(Secret::new([0; Secret::LEN]), self.interval)?;
        Ok(())
    }

    /// Whether the secret can be read again and again.
    pub(super) fn is_lasting(&self) -> bool {
        self.secret.as_deref() != Some(Path::new("-"))
    }

    /// The schedule of the secret as it is now.
    ///
    /// # Errors
    /// The secret can't be read, others than its owner may read or write it, or it is none. They contain nothing of it.
    pub(super) fn rotation(&self) -> anyhow::Result<Rotation> {
        Ok(Rotation::new(self.read()?, self.interval)?)
    }

    fn read(&self) -> anyhow::Result<Secret> {
        match (&self.secret, &self.secret_command) {
            (Some(path), _) => {
                let name = match path == Path::new("-") {
                    true => "standard input".to_owned(),
                    false => printable::path(path),
                };
                let bytes = read_file(path).with_context(|| format!("can't read the secret from {name}"))?;
                decode(&bytes).with_context(|| format!("{name} holds no secret"))
            }
            (None, Some(command)) => {
                let bytes = run(command, PATIENCE).context("the secret command failed")?;
                decode(&bytes).context("the secret command printed no secret")
            }
            (None, None) => bail!("no secret was named"),
        }
    }
}

fn read_file(path: &Path) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    if path == Path::new("-") {
        return Ok(read_some(io::stdin().lock())?);
    }
    let file = File::open(path)?;
    refuse_other_readers(&file, path)?;
    Ok(read_some(file)?)
}

#[cfg(unix)]
fn refuse_other_readers(file: &File, path: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt;

    let metadata = file.metadata()?;
    const OF_OTHERS: u32 = 0o006;
    const WRITABLE_BY_GROUP: u32 = 0o020;
    let mode = metadata.permissions().mode();
    if metadata.is_file() && mode & (OF_OTHERS | WRITABLE_BY_GROUP) != 0 {
        let path = printable::path(path);
        return Err(crate::hint::with(
            anyhow!(
                "its mode is {:04o}: others may read it or change it",
                mode & 0o7777
            ),
            format!("chmod go= {path}; in Kubernetes: defaultMode: 0400 in the volume"),
        ));
    }
    Ok(())
}

/// Windows has no mode that says it.
#[cfg(windows)]
fn refuse_other_readers(_: &File, _: &Path) -> anyhow::Result<()> {
    Ok(())
}

/// Reads no more than a secret can have, into room that does not grow: what a buffer grew out of would stay in memory.
fn read_some(from: impl Read) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * LONGEST as usize));
    from.take(LONGEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What a shell prints for that command.
fn run(command: &str, patience: Duration) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let mut child = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("sh could not be started")?;
    let printed = await_output(&mut child, patience);
    // One that ended already can't be killed, and one that did not must be.
    if printed.is_err() {
        let _ = child.kill();
    }
    let status = child.wait()?;
    let printed = printed?;
    if !status.success() {
        bail!("{status}");
    }
    Ok(printed)
}

fn await_output(child: &mut Child, patience: Duration) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let output = child.stdout.take().context("sh has no output")?;
    let (sender, printed) = mpsc::sync_channel(1);
    thread::Builder::new()
        .name("secret".to_owned())
        .spawn(move || sender.send(read_some(output)))?;
    printed
        .recv_timeout(patience)
        .map_err(|_| anyhow!("it printed nothing and did not end within {patience:?}"))?
        .map_err(Into::into)
}

/// 32 bytes as they stand, or 64 hexadecimal digits; the line end that stores and editors add is not part of it.
fn decode(bytes: &[u8]) -> anyhow::Result<Secret> {
    let without_line_end = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let secret = match (bytes.len(), without_line_end.len()) {
        (Secret::LEN, _) => raw(bytes),
        (_, Secret::LEN) => raw(without_line_end),
        (_, 64) => hexadecimal(without_line_end),
        _ => None,
    };
    let secret = secret.with_context(|| match bytes.len() as u64 {
        LONGEST => format!("it has {LONGEST} bytes or more, and a secret has 32, or 64 hexadecimal digits"),
        length => format!("it has {length} bytes, and a secret has 32, or 64 hexadecimal digits"),
    });
    let secret = secret.hint("to make one: tfo keys generate --secret FILE")?;
    if secret.iter().all(|byte| *byte == secret[0]) {
        bail!("all its bytes are the same: it was not written to its end, or is no secret");
    }
    Ok(Secret::new(*secret))
}

fn raw(bytes: &[u8]) -> Option<Zeroizing<[u8; Secret::LEN]>> {
    bytes.try_into().ok().map(Zeroizing::new)
}

fn hexadecimal(digits: &[u8]) -> Option<Zeroizing<[u8; Secret::LEN]>> {
    let mut secret = Zeroizing::new([0; Secret::LEN]);
    for (byte, pair) in secret.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |digit: u8| char::from(digit).to_digit(16);
        *byte = u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok()?;
    }
    Some(secret)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn bytes() -> Vec<u8> {
        (100..132).collect()
    }

    fn source(path: &Path) -> Source {
        Source {
            secret: Some(path.to_owned()),
            secret_command: None,
            interval: Rotation::DEFAULT_INTERVAL,
        }
    }

    fn secret() -> Secret {
        Secret::new(bytes().try_into().unwrap())
    }

    #[test]
    fn it_is_taken_as_files_and_stores_have_it() {
        let hexadecimal: String = bytes().iter().map(|byte| format!("{byte:02X}")).collect();
        let with_line_end = |bytes: &[u8]| [bytes, b"\n"].concat();
        for text in [
            bytes(),
            with_line_end(&bytes()),
            hexadecimal.clone().into_bytes(),
            with_line_end(hexadecimal.as_bytes()),
        ] {
            assert_eq!(decode(&text).unwrap(), secret(), "{text:?}");
        }
    }

    #[test]
    fn what_is_none_is_refused_and_not_shown() {
        for (text, told) in [
            (&b""[..], "it has 0 bytes"),
            (b"correct horse battery staple", "it has 28 bytes"),
            (&[b'z'; 64], "64 hexadecimal digits"),
            (&[0; 32], "all its bytes are the same"),
            (&[b'0'; 64], "all its bytes are the same"),
            (&[7; 256], "256 bytes or more"),
        ] {
            let error = format!("{:#}", decode(text).unwrap_err());
            assert!(error.contains(told) && !error.contains("horse"), "{error}");
        }
    }

    #[test]
    fn a_file_that_others_may_touch_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), bytes()).unwrap();
        for (mode, allowed) in [
            (0o400, true),
            (0o600, true),
            (0o640, true),
            (0o644, false),
            (0o660, false),
            (0o602, false),
        ] {
            fs::set_permissions(file.path(), Permissions::from_mode(mode)).unwrap();
            assert_eq!(source(file.path()).read().is_ok(), allowed, "{mode:o}");
        }
        let error = source(file.path()).read().unwrap_err();
        assert!(format!("{error:#}").contains("its mode is 0602"), "{error:#}");
    }

    #[test]
    fn commands_are_run_and_not_waited_for_without_end() {
        let patience = Duration::from_secs(20);
        assert_eq!(*run("printf abc", patience).unwrap(), b"abc");
        let error = run("echo lost; exit 3", patience).unwrap_err();
        assert_eq!(error.to_string(), "exit status: 3");
        let error = run("exec sleep 60", Duration::from_millis(50)).unwrap_err();
        assert!(error.to_string().contains("did not end within 50ms"), "{error}");
        assert!(run("cat /dev/zero", patience).is_err());
    }

    #[test]
    fn nothing_of_the_secret_is_in_the_options() {
        let options = format!("{:?}", source(Path::new("/run/secret")));
        assert!(options.contains("/run/secret"), "{options}");
    }
}
