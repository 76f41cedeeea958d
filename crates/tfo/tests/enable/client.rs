//! Units whose programs are run by `tfo run`. systemd itself says whether what is written is sound.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use fastopen_lab::testing::{LabTest, program_path, test};
use serde_json::Value;
use tempfile::TempDir;

use super::support::TFO;

pub(crate) fn tests() -> Vec<LabTest> {
    vec![
        test("drop_ins_are_sound_for_systemd", drop_ins_are_sound_for_systemd),
        test(
            "a_drop_in_is_shown_renewed_and_removed",
            a_drop_in_is_shown_renewed_and_removed,
        ),
        test("an_instance_of_a_template", an_instance_of_a_template),
        test(
            "what_was_not_written_is_not_said_to_be",
            what_was_not_written_is_not_said_to_be,
        ),
        test(
            "units_that_cannot_be_are_refused",
            units_that_cannot_be_are_refused,
        ),
        test(
            "units_in_contrib_are_sound_for_systemd",
            units_in_contrib_are_sound_for_systemd,
        ),
    ]
}

/// A system in a folder, with programs that are not run.
struct System(TempDir);

impl System {
    fn new() -> Self {
        let system = Self(tempfile::tempdir().unwrap());
        for program in ["usr/bin/tfo", "usr/sbin/nginx", "bin/a b", "bin/echo", "bin/kill"] {
            system.put(program, "#!/bin/sh\n");
            fs::set_permissions(system.path(program), PermissionsExt::from_mode(0o755)).unwrap();
        }
        // What units depend on without a word.
        for unit in [
            "sysinit.target",
            "basic.target",
            "shutdown.target",
            "multi-user.target",
            "time-sync.target",
        ] {
            system.put(
                &format!("usr/lib/systemd/system/{unit}"),
                "[Unit]\nDescription=It\n",
            );
        }
        system
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn put(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn tfo(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(TFO);
        command
            .args(arguments)
            .arg("--client")
            .arg("--root")
            .arg(self.0.path());
        command.output().unwrap()
    }

    fn report(&self, arguments: &[&str]) -> Value {
        let output = self.tfo(&[arguments, &["--json"]].concat());
        let report = serde_json::from_slice(&output.stdout).unwrap();
        let schema = serde_json::from_str(include_str!("../../schemas/enable-client.json")).unwrap();
        jsonschema::validate(&schema, &report).unwrap_or_else(|error| panic!("{error}: {report:#}"));
        report
    }

    fn drop_in(&self, unit: &str) -> Option<String> {
        fs::read_to_string(self.path(&format!("etc/systemd/system/{unit}.d/zz-tfo-run.conf"))).ok()
    }

    /// What `systemd-analyze verify` has against the unit and its drop-ins.
    fn verify(&self, unit: &str) -> String {
        let mut verify = Command::new(program_path("systemd-analyze"));
        verify
            .args(["verify", "--man=no", "--root"])
            .arg(self.0.path())
            .arg(unit);
        let output = verify.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        // Without a word against it, it can still be unhappy.
        assert_eq!(output.status.success(), said.is_empty(), "{unit}: {output:?}");
        said
    }
}

fn settings(drop_in: &str) -> Vec<&str> {
    drop_in.lines().filter(|line| !line.starts_with('#')).collect()
}

fn drop_ins_are_sound_for_systemd() {
    let system = System::new();
    for (unit, text, expected) in [
        (
            "nginx.service",
            "Type=forking\nPIDFile=/run/nginx.pid\nExecStartPre=/usr/sbin/nginx -t\nExecStart=/usr/sbin/nginx -g 'daemon on;'\n",
            &["ExecStart=/usr/bin/tfo run -- /usr/sbin/nginx -g 'daemon on;'"][..],
        ),
        (
            "several.service",
            "Type=oneshot\nExecStart=/bin/echo one \\\n  # which goes on\n  two ; -/bin/echo \"three\"\nExecStart=-/bin/echo 4\n",
            &[
                "ExecStart=/usr/bin/tfo run -- /bin/echo one    two ; -/usr/bin/tfo run -- /bin/echo \"three\"",
                "ExecStart=-/usr/bin/tfo run -- /bin/echo 4",
            ],
        ),
        (
            "template@.service",
            "ExecStart=!!/bin/echo %i ${HOME} $WORDS\nSystemCallFilter=@system-service\nSystemCallFilter=~@privileged\n",
            &[
                "ExecStart=!!/usr/bin/tfo run -- /bin/echo %i ${HOME} $WORDS",
                "SystemCallFilter=seccomp pidfd_open pidfd_getfd process_vm_readv process_vm_writev",
            ],
        ),
        (
            "space.service",
            "ExecStart=\"/bin/a b\" c\n",
            &["ExecStart=/usr/bin/tfo run -- \"/bin/a b\" c"],
        ),
    ] {
        system.put(
            &format!("usr/lib/systemd/system/{unit}"),
            &format!("[Service]\n{text}"),
        );
        let instance = unit.replace("@.", "@x.");
        assert_eq!(system.verify(&instance), "", "before");
        system.report(&["enable", "--unit", unit]);
        let drop_in = system.drop_in(unit).unwrap();
        assert_eq!(settings(&drop_in)[2..], *expected, "{drop_in}");
        assert_eq!(system.verify(&instance), "", "{drop_in}");
    }
    // The check can fail, and looks at the drop-in.
    fs::remove_file(system.path("usr/bin/tfo")).unwrap();
    assert!(
        system
            .verify("nginx.service")
            .contains("/usr/bin/tfo is not executable")
    );
}

fn a_drop_in_is_shown_renewed_and_removed() {
    let system = System::new();
    let unit = |command: &str| {
        system.put(
            "usr/lib/systemd/system/nginx.service",
            &format!("[Service]\nExecStart={command}\n"),
        );
    };
    unit("/usr/sbin/nginx");
    let shown = system.tfo(&["enable", "--unit", "nginx", "--dry-run"]);
    let text = String::from_utf8(shown.stdout).unwrap();
    assert!(
        text.contains("+ ExecStart=/usr/bin/tfo run -- /usr/sbin/nginx\n"),
        "{text}"
    );
    assert_eq!(system.drop_in("nginx.service"), None, "nothing was changed");

    // Another's drop-in decides, and a copy of the same name in /usr/lib does not.
    system.put(
        "etc/systemd/system/nginx.service.d/50-mine.conf",
        "[Service]\nExecStart=\nExecStart=/bin/echo mine\n",
    );
    system.put(
        "usr/lib/systemd/system/nginx.service.d/50-mine.conf",
        "[Service]\nExecStart=\nExecStart=/bin/echo theirs\n",
    );
    system.report(&["enable", "--unit", "nginx"]);
    let written = system.drop_in("nginx.service").unwrap();
    assert_eq!(
        settings(&written)[2..],
        ["ExecStart=/usr/bin/tfo run -- /bin/echo mine"]
    );

    // Again: from the unit's own commands, not from those that it wrote.
    let again = system.report(&["enable", "--unit", "nginx"]);
    assert_eq!(again["units"][0]["before"], again["units"][0]["now"]);
    fs::remove_dir_all(system.path("usr/lib/systemd/system/nginx.service.d")).unwrap();
    fs::write(system.path("etc/systemd/system/nginx.service.d/50-mine.conf"), "").unwrap();
    unit("/usr/sbin/nginx -g 'daemon off;'");
    let renewed = system.tfo(&["enable", "--unit", "nginx"]);
    let text = String::from_utf8(renewed.stdout).unwrap();
    for line in [
        "- ExecStart=/usr/bin/tfo run -- /bin/echo mine\n",
        "+ ExecStart=/usr/bin/tfo run -- /usr/sbin/nginx -g 'daemon off;'\n",
    ] {
        assert!(text.contains(line), "{text}");
    }

    let removed = system.report(&["disable", "--unit", "nginx"]);
    assert_eq!(
        (system.drop_in("nginx.service"), &removed["units"][0]["now"]),
        (None, &Value::Null)
    );
    assert!(
        system
            .path("etc/systemd/system/nginx.service.d/50-mine.conf")
            .exists()
    );
    let again = system.report(&["disable", "--unit", "nginx"]);
    assert_eq!(again["units"][0]["before"], Value::Null);
}

/// The drop-in of its template is for it too; one of its own comes in the place of that. systemd-analyze reads both.
fn an_instance_of_a_template() {
    let system = System::new();
    system.put(
        "usr/lib/systemd/system/t@.service",
        "[Service]\nExecStart=/bin/echo %i\n",
    );
    system.report(&["enable", "--unit", "t@"]);
    let of_template = system.drop_in("t@.service").unwrap();
    let covered = system.report(&["enable", "--unit", "t@1"]);
    assert_eq!(covered["units"][0]["before"], covered["units"][0]["now"]);
    assert_eq!(covered["next"], serde_json::json!([]));
    assert!(
        covered["units"][0]["notes"][0]
            .as_str()
            .unwrap()
            .contains("t@.service, whose drop-in is for it too"),
        "{covered:#}"
    );
    assert_eq!(system.drop_in("t@1.service"), None);
    let removed = system.report(&["disable", "--unit", "t@1"]);
    assert!(
        removed["units"][0]["notes"][0]
            .as_str()
            .unwrap()
            .contains("tfo disable --client --unit t@.service"),
        "{removed:#}"
    );
    assert_eq!(system.drop_in("t@.service").as_deref(), Some(&*of_template));

    // An instance with a command of its own, which the template's drop-in would take away from it.
    system.put(
        "etc/systemd/system/t@2.service.d/10-mine.conf",
        "[Service]\nExecStart=\nExecStart=/bin/echo mine\n",
    );
    system.report(&["enable", "--unit", "t@2"]);
    let of_instance = system.drop_in("t@2.service").unwrap();
    assert_eq!(
        settings(&of_instance)[2..],
        ["ExecStart=/usr/bin/tfo run -- /bin/echo mine"]
    );
    let again = system.report(&["enable", "--unit", "t@2"]);
    assert_eq!(again["units"][0]["before"], again["units"][0]["now"]);
    // systemd reads the instance's in place of the template's: what is wrong there is not its business.
    system.put(
        "etc/systemd/system/t@.service.d/zz-tfo-run.conf",
        "[Service]\nExecStart=\nExecStart=/nowhere\n",
    );
    assert_eq!(system.verify("t@2.service"), "");
    assert!(system.verify("t@1.service").contains("/nowhere"));
}

fn what_was_not_written_is_not_said_to_be() {
    let system = System::new();
    for unit in ["a", "b"] {
        system.put(
            &format!("usr/lib/systemd/system/{unit}.service"),
            "[Service]\nExecStart=/bin/echo\n",
        );
    }
    // A file where the folder should be: root is refused, too.
    system.put("etc/systemd/system/b.service.d", "");
    let output = system.tfo(&["enable", "--unit", "b"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        (output.status.code(), output.stdout.len()),
        (Some(2), 0),
        "{output:?}"
    );
    assert!(said.contains("can't") && !said.contains("writing"), "{said}");
    let output = system.tfo(&["enable", "--unit", "a", "--unit", "b", "--dry-run"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert_eq!(system.drop_in("a.service"), None);
    // One of two, and then no room for the other.
    fs::remove_file(system.path("etc/systemd/system/b.service.d")).unwrap();
    system.put("etc/systemd/system/b.service.d/zz-tfo-run.conf.new/file", "");
    let output = system.tfo(&["enable", "--unit", "a", "--unit", "b"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("only ") && said.contains("/a.service.d/zz-tfo-run.conf was changed"),
        "{said}"
    );
    assert!(system.drop_in("a.service").is_some() && output.stdout.is_empty());
    let written = system.tfo(&["enable", "--unit", "b"]);
    assert!(written.stdout.is_empty(), "{written:?}");
    fs::remove_dir_all(system.path("etc/systemd/system/b.service.d")).unwrap();
    let written = String::from_utf8(system.tfo(&["enable", "--unit", "b"]).stdout).unwrap();
    assert!(written.contains("zz-tfo-run.conf: written\n"), "{written}");
}

fn units_that_cannot_be_are_refused() {
    let system = System::new();
    let put = |unit: &str, text: &str| {
        system.put(
            &format!("usr/lib/systemd/system/{unit}"),
            &format!("[Service]\n{text}"),
        );
    };
    put("named.service", "ExecStart=@/bin/echo other\n");
    put("own.service", "ExecStart=/usr/bin/tfo run -- /bin/echo\n");
    put("late.service", "ExecStart=/bin/echo\n");
    system.put(
        "etc/systemd/system/late.service.d/zzz.conf",
        "[Service]\nExecStart=\nExecStart=/bin/echo late\n",
    );
    put("nothing.service", "Type=oneshot\n");
    symlink(
        "late.service",
        system.path("usr/lib/systemd/system/alias.service"),
    )
    .unwrap();
    for (unit, told) in [
        ("named", "another name"),
        ("own", "runs tfo already"),
        ("late", "zzz.conf is read after"),
        ("nothing", "starts no program"),
        ("alias", "name that one: --unit late.service"),
        ("none", "there is no unit none.service"),
        ("../named", "is no unit's name"),
        ("a.socket", "is no service"),
    ] {
        let output = system.tfo(&["enable", "--unit", unit]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{unit}: {said}");
        assert!(said.contains(told), "{unit}: {said}");
    }
    assert_eq!(system.report(&["enable", "--unit", "none"])["report"], "failed");
    assert!(!system.path("etc/systemd/system/named.service.d").exists());
    for arguments in [
        &["enable", "80"][..],
        &["enable", "--unit", "a", "--queue", "5"],
        &["enable", "--watch"],
    ] {
        assert_eq!(system.tfo(arguments).status.code(), Some(2), "{arguments:?}");
    }
}

fn units_in_contrib_are_sound_for_systemd() {
    let contrib = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contrib/systemd");
    let system = System::new();
    let copy = |name: &str, to: &str| system.put(to, &fs::read_to_string(contrib.join(name)).unwrap());
    let mut checked = 0;
    for entry in fs::read_dir(&contrib).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap();
        if !name.ends_with(".service") {
            continue;
        }
        let unit = format!("etc/systemd/system/{name}");
        copy(&name, &unit);
        assert_eq!(system.verify(&name), "", "{name}");
        for drop_in in fs::read_dir(contrib.join(format!("{name}.d")))
            .into_iter()
            .flatten()
            .flatten()
        {
            let file = drop_in.file_name().into_string().unwrap();
            copy(&format!("{name}.d/{file}"), &format!("{unit}.d/{file}"));
            assert_eq!(system.verify(&name), "", "{name} with {file}");
            checked += 1;
        }
    }
    assert!(checked >= 2);
}
