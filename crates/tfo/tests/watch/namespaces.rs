//! Looking into another network namespace.

use std::process::Command;

use crate::support::{TFO, Watch, lab, listen};

pub(crate) fn another_namespace_can_be_looked_into() {
    let lab = lab();
    let server = lab.server().unwrap();
    let listener = listen(server, server.ipv4().into());
    let mut inhabitant = server.command("sleep").unwrap().arg("60").spawn().unwrap();
    let pid = inhabitant.id();
    for namespace in [pid.to_string(), format!("/proc/{pid}/ns/net")] {
        let mut watch = Watch::run(Command::new(TFO).args(["watch", "--json", "--netns", &namespace]));
        let report = watch.reports().next().unwrap();
        assert_eq!(
            report["listeners"][0]["address"],
            listener.local_addr().unwrap().to_string(),
            "{namespace}"
        );
    }
    inhabitant.kill().unwrap();
    inhabitant.wait().unwrap();
}

pub(crate) fn without_privilege_it_says_what_to_do() {
    for (namespace, hint) in [
        ("1", "hint: it takes CAP_SYS_PTRACE to look at that process"),
        (
            "/nowhere",
            "hint: give its name (ip netns lists them), the number",
        ),
    ] {
        let mut command = Command::new("unshare");
        let output = command
            .args(["-Ur", TFO, "watch", "--netns", namespace])
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(
            said.starts_with("error: can't look into the network namespace"),
            "{said}"
        );
        assert!(said.contains(hint), "{said}");
    }
}
