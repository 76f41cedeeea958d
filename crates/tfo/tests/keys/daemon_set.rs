//! `contrib/kubernetes/daemonset.yaml`: its command with its capabilities, where a container runtime has made /proc/sys read-only.

use std::time::SystemTime;

use crate::support::{Fleet, SYSCTL, TFO, eventually, lab, name};

/// Read when the test runs: a package of this crate is built without it.
fn manifest() -> String {
    std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../contrib/kubernetes/daemonset.yaml"
    ))
    .unwrap()
}

/// Mounts as the runtime does (runc's read-only paths), the Secret, and what is made of the command.
const POD: &str = r#"
mount -t tmpfs none /run
mkdir /run/tfo /run/metrics
cp "$SECRET" /run/tfo/secret
chmod 400 /run/tfo/secret
mount --bind /proc/sys /proc/sys
mount -o remount,bind,ro /proc/sys
unshare --net sleep 60 &
inhabitant=$!
setpriv --no-new-privs --inh-caps=-all --bounding-set="$CAPABILITIES" "$@" &
service=$!
for i in $(seq 200); do
    key=$(nsenter --net=/proc/$inhabitant/ns/net cat /proc/sys/net/ipv4/tcp_fastopen_key)
    [ "$key" = "$EXPECTED" ] && break
    sleep 0.1
done
echo "$key"
kill $service $inhabitant
"#;

/// A list that stands on one line of the manifest, or below its name.
fn list(name: &str) -> Vec<String> {
    let manifest = manifest();
    let (_, rest) = manifest.split_once(&format!("{name}: [")).unwrap();
    let (list, _) = rest.split_once("]\n").unwrap();
    list.split(", ")
        .map(|word| word.trim_matches('"').to_owned())
        .collect()
}

pub(crate) fn a_pod_s_capabilities_are_enough() {
    assert!(!manifest().contains("privileged: true"));
    let lab = lab();
    let node = lab.server().unwrap();
    let fleet = Fleet::new();
    let expected = fleet.rotation(86_400).keys(SystemTime::now()).to_string();
    let capabilities: String = list("add")
        .iter()
        .map(|capability| format!(",+{}", capability.to_lowercase()))
        .collect();
    let run = |capabilities: &str| {
        let path = std::env::var("PATH").unwrap();
        let folder = std::path::Path::new(TFO).parent().unwrap();
        let mut command = node.command("unshare").unwrap();
        command
            .args([
                "--pid",
                "--fork",
                "--mount-proc",
                "--kill-child",
                "--mount",
                "sh",
                "-c",
                POD,
                "pod",
            ])
            .args(list("command"))
            .env("PATH", format!("{}:{path}", folder.display()))
            .env("SECRET", name(&fleet.secret()))
            .env("CAPABILITIES", format!("-all{capabilities}"))
            .env("EXPECTED", &expected);
        command.output().unwrap()
    };
    let output = run(&capabilities);
    assert_eq!(
        String::from_utf8_lossy(&output.stdout).trim().lines().last(),
        Some(expected.as_str()),
        "{output:?}"
    );
    eventually("the node's own", || node.sysctl(SYSCTL).unwrap() == expected);
}
