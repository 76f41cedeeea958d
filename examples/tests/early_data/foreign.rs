//! Servers of others that say what came as early data.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;

use fastopen_examples::certificate::Certificate;
use fastopen_examples::lab::Site;
use fastopen_lab::testing::{Running, program, program_path};
use tempfile::TempDir;

/// Writes the certificate and its key as PEM.
fn pem(directory: &TempDir, certificate: &Certificate) -> (PathBuf, PathBuf) {
    let path = |name: &str| directory.path().join(name);
    fs::write(path("certificate.der"), &certificate.certificate).unwrap();
    fs::write(path("key.der"), certificate.key()).unwrap();
    for (command, name) in [("x509", "certificate"), ("pkey", "key")] {
        let mut openssl = Command::new(program_path("openssl"));
        openssl
            .args([command, "-inform", "DER", "-in"])
            .arg(path(&format!("{name}.der")));
        let output = openssl
            .arg("-out")
            .arg(path(&format!("{name}.pem")))
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    (path("certificate.pem"), path("key.pem"))
}

/// nginx with `ssl_early_data on`, without TLS on port 83, and with HTTP/2 on 84.
pub(crate) struct Nginx {
    directory: TempDir,
    seen: Mutex<usize>,
    _running: Running,
}

impl Nginx {
    pub(crate) fn new(site: &Site, certificate: &Certificate) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (pem, key) = pem(&directory, certificate);
        let (pem, key, path) = (pem.display(), key.display(), directory.path().display());
        let config = format!(
            "user root; daemon off; master_process off; pid {path}/pid; error_log {path}/error;
             events {{}}
             http {{
                 log_format early '$request_method $ssl_early_data';
                 access_log {path}/access early;
                 client_body_temp_path {path}; proxy_temp_path {path}; fastcgi_temp_path {path};
                 uwsgi_temp_path {path}; scgi_temp_path {path};
                 ssl_certificate {pem}; ssl_certificate_key {key};
                 ssl_protocols TLSv1.3; ssl_early_data on;
                 server {{
                     listen 83 fastopen=256; listen 84 http2 fastopen=256; listen 443 ssl http2 fastopen=256;
                     location / {{ return 200 hello; }}
                 }}
             }}"
        );
        fs::write(directory.path().join("nginx.conf"), config).unwrap();
        let mut nginx = program(site.lab.server().unwrap(), "nginx");
        nginx
            .arg("-p")
            .arg(directory.path())
            .args(["-c", "nginx.conf", "-e", "error"]);
        let mut running = Running::start(nginx);
        running.await_port(site.lab.server().unwrap(), site.address(443));
        Self {
            directory,
            seen: Mutex::new(0),
            _running: running,
        }
    }

    /// Whether that request came as early data, of those that came since it was last asked.
    pub(crate) fn saw_early(&self, method: &str) -> Option<bool> {
        let log = fs::read_to_string(self.directory.path().join("access")).unwrap();
        let mut seen = self.seen.lock().unwrap();
        let new = &log[std::mem::replace(&mut *seen, log.len())..];
        let mut lines = new.lines().filter(|line| line.split(' ').next() == Some(method));
        lines.next().map(|line| line.ends_with(" 1"))
    }
}

/// `openssl s_server -early_data` on port 444. It answers nothing.
pub(crate) struct Openssl {
    seen: Mutex<usize>,
    running: Running,
    _directory: TempDir,
}

impl Openssl {
    pub(crate) fn new(site: &Site, certificate: &Certificate) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (pem, key) = pem(&directory, certificate);
        let mut openssl = program(site.lab.server().unwrap(), "openssl");
        openssl.args(["s_server", "-accept", "444", "-tls1_3", "-early_data"]);
        openssl.arg("-key").arg(key).arg("-cert").arg(pem);
        let mut running = Running::start(openssl);
        running.wait_for("ACCEPT");
        Self {
            seen: Mutex::new(0),
            running,
            _directory: directory,
        }
    }

    /// As for nginx; what it prints as early data stands between two lines of its own.
    pub(crate) fn saw_early(&self, method: &str) -> Option<bool> {
        let printed = self.running.printed();
        let mut seen = self.seen.lock().unwrap();
        let new = &printed[std::mem::replace(&mut *seen, printed.len())..];
        let at = new.find(&format!("{method} "))?;
        let begin = new[..at].rfind("Early data received:");
        let end = new[..at].rfind("End of early data");
        Some(begin.is_some_and(|begin| end.is_none_or(|end| end < begin)))
    }
}
