//! Chromium, steered over two pipes by its DevTools protocol: one JSON object after the other, with a zero byte behind each.
//!
//! Source: <https://chromedevtools.github.io/devtools-protocol/>.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use fastopen_lab::Host;
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;

/// For a page that takes a second.
const PATIENCE: Duration = Duration::from_secs(60);

/// A browser that runs as long as this lives.
pub(crate) struct Browser {
    child: Child,
    to: ChildStdin,
    from: Receiver<Value>,
    last: u64,
    folder: TempDir,
}

/// What the browser says of a page that it has loaded, in milliseconds since the navigation began.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Load {
    /// The first byte of the document.
    pub(crate) first_byte: f64,
    /// The end of the load event: everything is there.
    pub(crate) load: f64,
    protocol: String,
    images: usize,
    missing: usize,
}

const TIMES: &str = "(() => {
    const { responseStart, loadEventEnd, nextHopProtocol } = performance.getEntriesByType('navigation')[0];
    const images = [...document.images];
    const missing = images.filter(image => !image.complete || image.naturalWidth === 0);
    return { first_byte: responseStart, load: loadEventEnd, protocol: nextHopProtocol, images: images.length, missing: missing.length };
})()";

impl Browser {
    /// Starts it in the host, below that command where there is one, and waits until it answers.
    pub(crate) fn start(
        host: &Host,
        prefix: &[&str],
        program: &Path,
        arguments: &[String],
    ) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut command = host.command("sh")?;
        // It reads commands from descriptor 3, and answers on 4.
        command.args(["-c", "exec \"$@\" 3<&0 4>&1 </dev/null >/dev/null", "sh"]);
        command.args(prefix).arg(program);
        command.args([
            "--headless=new",
            "--remote-debugging-pipe",
            "--no-first-run",
            "--disable-gpu",
        ]);
        // Nothing but the page: no connections of the browser's own.
        command.args([
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ]);
        command.args([
            "--no-default-browser-check",
            "--disable-default-apps",
            "--disable-extensions",
        ]);
        command.args(["--disable-dev-shm-usage", "--ignore-certificate-errors"]);
        // It takes some of the lab's addresses for those of a local network, and would ask before a page loads anything from there.
        command.arg("--disable-features=LocalNetworkAccessChecks");
        if rustix::process::geteuid().is_root() {
            // Its sandbox is for ordinary users.
            command.arg("--no-sandbox");
        }
        command.arg(format!(
            "--user-data-dir={}",
            folder.path().join("profile").display()
        ));
        command.args(arguments).arg("about:blank");
        command
            .env("HOME", folder.path())
            .env("XDG_STATE_HOME", folder.path());
        command.stderr(File::create(folder.path().join("log"))?);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (to, from) = child.stdin.take().zip(child.stdout.take()).context("no pipes")?;
        let (sender, messages) = channel();
        thread::spawn(move || {
            for message in BufReader::new(from).split(0) {
                let Ok(message) = message else { return };
                let Ok(message) = serde_json::from_slice(&message) else {
                    return;
                };
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let mut browser = Self {
            child,
            to,
            from: messages,
            last: 0,
            folder,
        };
        let started = browser.call("Browser.getVersion", json!({}), None);
        started.with_context(|| format!("{}: {}", program.display(), browser.log()))?;
        Ok(browser)
    }

    /// What it printed.
    fn log(&self) -> String {
        std::fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// Loads a page in a context of its own.
    pub(crate) fn load(&mut self, url: &str, protocol: &str, images: usize) -> anyhow::Result<Load> {
        let context = self.call("Target.createBrowserContext", json!({}), None)?;
        let context = &context["browserContextId"];
        let blank = json!({ "url": "about:blank", "browserContextId": context });
        let target = self.call("Target.createTarget", blank, None)?;
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = self.call("Target.attachToTarget", attach, None)?;
        let session = session["sessionId"].as_str().context("no session")?;
        self.call("Page.enable", json!({}), Some(session))?;
        let navigation = self.call("Page.navigate", json!({ "url": url }), Some(session))?;
        ensure!(navigation.get("errorText").is_none(), "{url}: {navigation}");
        self.wait_for("Page.loadEventFired", session)?;
        let load = self.times(session)?;
        ensure!(
            load.protocol == protocol && load.images == images && load.missing == 0,
            "{url}: not what was asked for: {load:?}"
        );
        self.call(
            "Target.disposeBrowserContext",
            json!({ "browserContextId": context }),
            None,
        )?;
        Ok(load)
    }

    fn times(&mut self, session: &str) -> anyhow::Result<Load> {
        loop {
            let expression = json!({ "expression": TIMES, "returnByValue": true });
            let answer = self.call("Runtime.evaluate", expression, Some(session))?;
            let load: Load = serde_json::from_value(answer["result"]["value"].clone())
                .with_context(|| format!("no times: {answer}"))?;
            // The event is told of as it begins.
            if load.load > 0.0 {
                return Ok(load);
            }
        }
    }

    fn call(&mut self, method: &str, params: Value, session: Option<&str>) -> anyhow::Result<Value> {
        self.last += 1;
        let mut message = json!({ "id": self.last, "method": method, "params": params });
        if let Some(session) = session {
            message["sessionId"] = session.into();
        }
        let mut bytes = serde_json::to_vec(&message)?;
        bytes.push(0);
        self.to.write_all(&bytes)?;
        loop {
            let mut message = self.receive().with_context(|| method.to_owned())?;
            if message["id"] == self.last {
                if message.get("error").is_some() {
                    bail!("{method}: {}", message["error"]);
                }
                return Ok(message["result"].take());
            }
        }
    }

    fn wait_for(&mut self, event: &str, session: &str) -> anyhow::Result<()> {
        loop {
            let message = self.receive().with_context(|| event.to_owned())?;
            if message["method"] == event && message["sessionId"] == session {
                return Ok(());
            }
        }
    }

    fn receive(&self) -> anyhow::Result<Value> {
        let message = self.from.recv_timeout(PATIENCE);
        message.with_context(|| format!("the browser says nothing; it printed: {}", self.log()))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It may answer or be gone before that.
        let _ = self.call("Browser.close", json!({}), None);
        let _ = self.child.wait();
    }
}
