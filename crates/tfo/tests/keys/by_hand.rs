//! Keys made, set and shown by hand.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::thread;

use crate::support::{Fleet, KEY, OTHER_KEY, SYSCTL, TFO, keys, lab, name, report, said, text};

pub(crate) fn generated_keys_and_secrets_are_taken() {
    let lab = lab();
    let server = lab.server().unwrap();
    let key = text(&keys(server, &["generate"]));
    assert_ne!(key, text(&keys(server, &["generate"])));
    text(&keys(server, &["set", key.trim()]));
    assert_eq!(server.sysctl(SYSCTL).unwrap(), key.trim());

    let fleet = Fleet::new();
    let file = name(&fleet.file("made"));
    let (generated, _) = report(&keys(server, &["generate", "--secret", &file, "--json"]));
    assert_eq!(generated["file"], file);
    let metadata = fs::metadata(&file).unwrap();
    assert_eq!(
        (metadata.len(), metadata.permissions().mode() & 0o777),
        (32, 0o600)
    );
    text(&keys(server, &["derive", "--secret", &file]));
    // A secret is never replaced by accident.
    let before = fs::read(&file).unwrap();
    assert!(said(&keys(server, &["generate", "--secret", &file])).contains("File exists"));
    assert_eq!(fs::read(&file).unwrap(), before);
    // Each hint is about what is wrong.
    for (file, told) in [
        (
            "/nowhere/secret",
            "hint: there is no folder /nowhere: make it first",
        ),
        ("/proc/secret", "hint: "),
        ("-", "hint: name a file: tfo keys generate --secret tfo.secret"),
    ] {
        let output = keys(server, &["generate", "--secret", file]);
        let said = said(&output);
        assert!(
            said.contains(told) && !said.contains("loses every cookie"),
            "{file}: {said}"
        );
        assert!(output.stdout.is_empty(), "{output:?}");
    }
}

pub(crate) fn what_is_set_is_what_the_kernel_has() {
    let lab = lab();
    let server = lab.server().unwrap();
    assert!(text(&keys(server, &["show"])).starts_with("none"));
    let (set, _) = report(&keys(server, &["set", KEY, "1-2-3-4", "--json"]));
    assert_eq!(
        (&set["primary"]["key"], &set["replaced"]),
        (&"a1a1…".into(), &serde_json::Value::Null)
    );
    let before = text(&keys(server, &["fingerprint"]));
    let told = text(&keys(server, &["set", "5-6-7-8"]));
    let expected = format!("in place of those with the fingerprint {before}");
    assert!(told.contains(&expected) && !told.contains(KEY), "{told}");
    text(&keys(server, &["set", KEY, "1-2-3-4"]));
    assert_eq!(server.sysctl(SYSCTL).unwrap(), format!("{KEY},{OTHER_KEY}"));
    let shown = text(&keys(server, &["show"]));
    assert!(shown.contains("a1a1…") && !shown.contains(KEY), "{shown}");
    let (revealed, _) = report(&keys(server, &["show", "--reveal", "--json"]));
    assert_eq!(
        (&revealed["primary"]["key"], &revealed["backup"]["key"]),
        (&KEY.into(), &OTHER_KEY.into())
    );

    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), format!("{OTHER_KEY}\n")).unwrap();
    text(&keys(server, &["set", "--key-file", &name(file.path())]));
    assert_eq!(server.sysctl(SYSCTL).unwrap(), OTHER_KEY);

    // From elsewhere, into the namespace of a process.
    let mut inhabitant = server.command("sleep").unwrap().arg("60").spawn().unwrap();
    let pid = inhabitant.id().to_string();
    text(
        &Command::new(TFO)
            .args(["keys", "set", KEY, "--netns", &pid])
            .output()
            .unwrap(),
    );
    assert_eq!(server.sysctl(SYSCTL).unwrap(), KEY);
    inhabitant.kill().unwrap();
    inhabitant.wait().unwrap();
}

pub(crate) fn what_is_no_key_changes_nothing() {
    let lab = lab();
    let server = lab.server().unwrap();
    server.set_sysctl(SYSCTL, KEY).unwrap();
    for (arguments, told) in [
        (&["set"][..], "there is no key to set"),
        (&["set", ""], "PRIMARY is no key"),
        (&["set", "a1a1a1a1-b2b2"], "PRIMARY is no key"),
        (&["set", OTHER_KEY, "zz"], "BACKUP is no key"),
        (&["set", OTHER_KEY, "1-2-3-4", "5-6-7-8"], "there are 3 keys"),
        (&["set", "1-2-3-4,5-6-7-8,9-9-9-9"], "PRIMARY is no key"),
        (&["set", "1-2-3-4,5-6-7-8", "9-9-9-9"], "there are two keys"),
        (&["set", "0-0-0-0"], "a key of zeros"),
        (&["set", OTHER_KEY, "0-0-0-0"], "a key of zeros"),
    ] {
        let said = said(&keys(server, arguments));
        assert!(
            said.contains(told) && !said.contains("a1a1"),
            "{arguments:?}: {said}"
        );
        assert_eq!(server.sysctl(SYSCTL).unwrap(), KEY, "{arguments:?}");
    }
}

/// The first key as in fastopen's own test, computed with Python's hashlib.
pub(crate) fn keys_are_derived_as_tofurkey_does() {
    let lab = lab();
    let server = lab.server().unwrap();
    let fleet = Fleet::new();
    let secret = name(&fleet.secret());
    let derived = |at: &str| text(&keys(server, &["derive", "--secret", &secret, "--at", at]));
    let in_first_half = derived("86400");
    assert_eq!(
        in_first_half,
        "49ee1013-34a8704d-bd3a8326-89ebe6ef,0ca9a0bc-cb2ecea8-e86f170f-efe88d88\n"
    );
    assert!(derived("1970-01-01T18:00:00Z").starts_with("0ca9a0bc-cb2ecea8-e86f170f-efe88d88,49ee1013"));
    let (derived, _) = report(&keys(
        server,
        &["derive", "--secret", &secret, "--at", "86400", "--json"],
    ));
    assert_eq!(
        (&derived["period"], &derived["next_change"]),
        (&1.into(), &"1970-01-02T12:00:02Z".into())
    );

    let command = format!("cat {secret}; echo");
    let by_command = text(&keys(
        server,
        &["derive", "--secret-command", &command, "--at", "86400"],
    ));
    assert_eq!(by_command, in_first_half);

    for (arguments, told) in [
        (
            &["derive", "--secret", "/nowhere"][..],
            "can't read the secret from /nowhere",
        ),
        (&["derive", "--secret-command", "exit 7"], "exit status: 7"),
        (
            &["derive", "--secret", &secret, "--interval", "11s"],
            "an even number of seconds",
        ),
        (
            &["derive", "--secret", &secret, "--at", "tomorrow"],
            "2026-11-27T12:00:00Z",
        ),
        (&["derive"], "--secret"),
    ] {
        let said = said(&keys(server, arguments));
        assert!(said.contains(told), "{arguments:?}: {said}");
    }
    fleet.put(&[9; 32], 0o644);
    assert!(
        said(&keys(server, &["derive", "--secret", &secret])).contains("others may read it or change it")
    );
}

pub(crate) fn fingerprints_tell_keys_apart() {
    let lab = lab();
    let (client, server) = (lab.client().unwrap(), lab.server().unwrap());
    let of = |host, primary: &str, backup: &str| {
        text(&keys(host, &["set", primary, backup]));
        text(&keys(host, &["fingerprint"]))
    };
    assert_eq!(text(&keys(server, &["fingerprint"])), "none\n");
    let one = of(server, KEY, OTHER_KEY);
    assert_eq!(one, of(client, KEY, OTHER_KEY));
    let turned = of(client, OTHER_KEY, KEY);
    let (primary, backup) = one.trim().split_once(',').unwrap();
    assert_eq!(turned.trim(), format!("{backup},{primary}"));
    assert!(!one.contains("a1a1a1a1"));
}

pub(crate) fn without_privilege_it_says_what_it_takes() {
    let uid_map = fs::read_to_string("/proc/self/uid_map").unwrap();
    if !uid_map.trim().ends_with("4294967295") {
        println!("skipped: only root can become another user");
        return;
    }
    for arguments in [&["show"][..], &["fingerprint"], &["set", KEY]] {
        // Nobody, without capabilities: the file is root's alone.
        let mut command = Command::new("setpriv");
        command.args([
            "--reuid=65534",
            "--clear-groups",
            "--inh-caps=-all",
            "--bounding-set=-all",
            TFO,
            "keys",
        ]);
        command.args(arguments);
        let said = said(&command.output().unwrap());
        assert!(said.contains("CAP_NET_ADMIN") && !said.contains("a1a1"), "{said}");
    }
}

/// What is read once is not waited for without end.
pub(crate) fn a_pipe_is_read_if_it_has_a_writer() {
    let fleet = Fleet::new();
    let pipe = name(&fleet.file("pipe"));
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let lab = lab();
    let server = lab.server().unwrap();
    let script = format!("sleep 1; cat {}", name(&fleet.secret()));
    let substituted = format!("{TFO} keys derive --secret <({script})");
    text(
        &server
            .command("bash")
            .unwrap()
            .args(["-c", &substituted])
            .output()
            .unwrap(),
    );
    thread::scope(|scope| {
        for arguments in [["derive", "--secret", &pipe], ["set", "--key-file", &pipe]] {
            scope.spawn(move || {
                let error = said(&keys(server, &arguments));
                assert!(error.contains("it does not answer within 20s"), "{error}");
            });
        }
    });
}
