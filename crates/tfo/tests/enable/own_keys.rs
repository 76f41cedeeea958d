//! Keys of listeners' own.

use fastopen::{Key, Outcome};
use fastopen_lab::testing::{LabTest, test};

use super::choosing::{accept_all, listen};
use super::support::{lab, report, second_outcome, tfo};

pub(crate) fn tests() -> Vec<LabTest> {
    vec![
        test("a_key_of_its_own", a_key_of_its_own),
        test("a_key_that_is_replaced_is_told", a_key_that_is_replaced_is_told),
    ]
}

fn a_key_of_its_own() {
    const KEY: &str = "a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4";
    let lab = lab("3");
    let (client, server) = (lab.client().unwrap(), lab.server().unwrap());
    accept_all(server, listen(server, 7));
    assert_eq!(report(server, &["enable", ":7", "--key", KEY]).1, 0);
    for address in server.addresses() {
        assert_eq!(second_outcome(&lab, address, 7, b"hello"), Outcome::Accepted);
        let cached = client
            .run(|| fastopen_host::cookies::get(address))
            .unwrap()
            .unwrap();
        let expected = KEY
            .parse::<Key>()
            .unwrap()
            .cookie(client.address_like(address), address)
            .unwrap();
        assert_eq!(format!("{:x}", cached.cookie.unwrap()), format!("{expected:x}"));
    }
}

/// By fingerprint, never whole; and what undoing can't bring back.
fn a_key_that_is_replaced_is_told() {
    const KEYS: [&str; 2] = [
        "a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4",
        "11111111-22222222-33333333-44444444,55555555-66666666-77777777-88888888",
    ];
    let lab = lab("3");
    let server = lab.server().unwrap();
    let _listener = listen(server, 7);
    let text = |arguments: &[&str]| {
        let text = String::from_utf8(tfo(server, arguments).stdout).unwrap();
        for secret in ["a1a1a1a1", "11111111", "d4d4d4d4", "88888888"] {
            assert!(!text.contains(secret), "{text}");
        }
        text
    };
    let fingerprints = || {
        let output = tfo(server, &["keys", "fingerprint", ":7"]);
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let told = text(&["enable", ":7", "--key", KEYS[0]]);
    let first = fingerprints();
    assert!(
        told.contains(&format!("keys: set, fingerprint {first} (it used those of")),
        "{told}"
    );
    assert!(
        told.contains("not undone: the keys of '[::]:7' stay until its server closes the socket"),
        "{told}"
    );
    // The same again is no change.
    assert!(
        !text(&["enable", ":7", "--key", KEYS[0]]).contains("keys"),
        "{told}"
    );

    let told = text(&["enable", ":7", "--key", KEYS[1]]);
    let second = fingerprints();
    assert!(
        told.contains(&format!(
            "keys: replaced its own, fingerprint {first}, by fingerprint {second}"
        )),
        "{told}"
    );
    assert!(
        told.contains(&format!(
            "not undone: the keys of '[::]:7' from before (fingerprint {first})"
        )) && told.contains("tfo keys set '[::]:7' --key-file FILE"),
        "{told}"
    );
    let (switched, _) = report(server, &["enable", ":7", "--key", KEYS[0]]);
    let listener = &switched["listeners"][0];
    let second: Vec<_> = second.split(',').collect();
    assert_eq!(listener["keys_before"], serde_json::json!(second));
    assert_eq!(listener["keys_now"], serde_json::json!([first]));

    let told = text(&["disable", ":7"]);
    assert!(
        told.contains(&format!(
            "keys: it keeps its own, fingerprint {first}, until its server closes"
        )),
        "{told}"
    );
    let (switched, _) = report(server, &["disable", ":7"]);
    assert_eq!(switched["listeners"][0]["keys_now"], serde_json::json!([first]));
}
