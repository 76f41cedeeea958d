//! What the command does on every system: it needs no lab, and no kernel that tells anything.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::io::Write;
use std::process::{Command, Output, Stdio};

const KEY: &str = "a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4";

fn tfo(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tfo"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // One that needs none may be gone already.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

fn printed(output: &Output, status: i32) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{stderr}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn cookies_are_computed_as_linux_computes_them() {
    let key = KEY.as_bytes();
    for (client, server, cookie) in [
        ("192.0.2.1", "192.168.0.1", "3021b9d889017eeb"),
        ("fd3d:fa7b:d17d::1", "fd3d:a0b:17d6::1", "c1d1e9742a47a9bc"),
    ] {
        let mint = ["cookies", "mint", "--key-file", "-", client, server];
        assert_eq!(printed(&tfo(&mint, key), 0).trim_end(), cookie);
        let check = |cookie| {
            tfo(
                &["cookies", "check", "--key-file", "-", client, server, cookie],
                key,
            )
        };
        printed(&check(cookie), 0);
        printed(&check("0123456789abcdef"), 1);
    }
}

#[test]
fn keys_follow_from_a_secret_and_the_time() {
    let dir = tempfile::tempdir().unwrap();
    let secret = dir.path().join("secret");
    let secret = secret.to_str().unwrap();
    printed(&tfo(&["keys", "generate", "--secret", secret], b""), 0);
    assert_eq!(fs::read(secret).unwrap().len(), 32);
    let refused = tfo(&["keys", "generate", "--secret", secret], b"");
    assert_eq!(refused.status.code(), Some(2), "it would overwrite the secret");
    let derive = |at| printed(&tfo(&["keys", "derive", "--secret", secret, "--at", at], b""), 0);
    let (today, later) = (derive("2026-11-27T12:00:00Z"), derive("2026-11-27T12:00:01Z"));
    assert_eq!(today, later);
    assert_ne!(today, derive("2026-11-29T12:00:00Z"));
    assert_ne!(
        printed(&tfo(&["keys", "generate"], b""), 0),
        printed(&tfo(&["keys", "generate"], b""), 0)
    );
}

#[test]
fn a_capture_is_judged() {
    let dir = tempfile::tempdir().unwrap();
    let [capture, kept] = ["capture.pcap", "kept.pcapng"].map(|name| dir.path().join(name));
    let cookie = [&[34, 10][..], b"COOKIE!!", &[1, 1]].concat();
    let packets = [
        segment(false, 1000, 0, 0x02, &[34, 2, 1, 1], b""),
        segment(true, 5000, 1001, 0x12, &cookie, b""),
        segment(false, 1001, 5001, 0x10, &[], b""),
    ];
    let capture_bytes = pcap(&packets);
    fs::write(&capture, &capture_bytes).unwrap();
    let [capture, kept] = [&capture, &kept].map(|path| path.to_str().unwrap());

    let text = printed(&tfo(&["trace", "--read", capture, "--write", kept], b""), 0);
    assert!(text.contains("cookie-granted"), "{text}");
    // From a pipe, and from the file with its comments.
    let json = printed(&tfo(&["trace", "--read", "-", "--json"], &capture_bytes), 0);
    assert!(json.contains("\"verdict\":\"cookie-granted\""), "{json}");
    let json = printed(&tfo(&["trace", "--read", kept, "--json"], b""), 0);
    assert!(json.contains("\"verdict\":\"cookie-granted\""), "{json}");

    let same = tfo(&["trace", "--read", capture, "--write", capture], b"");
    assert_eq!(same.status.code(), Some(2), "it would overwrite what it reads");
    assert_eq!(fs::read(capture).unwrap(), capture_bytes);
}

#[test]
fn what_needs_linux_says_so() {
    if cfg!(target_os = "linux") {
        return;
    }
    for arguments in [
        &["demo"][..],
        &["doctor", "--json"],
        &["probe", "https://example.com/"],
        &["run", "--", "curl", "http://example.com/"],
        &["enable", ":80"],
        &["keys", "show"],
        &["keys", "verify", "192.0.2.1:443"],
        &["trace", "--port", "443"],
        &["cookies"],
    ] {
        let output = tfo(arguments, b"");
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {told}");
        assert!(told.contains("Linux"), "{arguments:?}: {told}");
    }
    let unknown = tfo(&["frobnicate"], b"");
    let told = String::from_utf8_lossy(&unknown.stderr);
    assert!(told.contains("no command tfo frobnicate"), "{told}");
}

/// An IPv4 packet between 192.0.2.1:40000 and 192.0.2.2:443.
fn segment(from_server: bool, seq: u32, ack: u32, flags: u8, options: &[u8], data: &[u8]) -> Vec<u8> {
    let (client, server) = (([192, 0, 2, 1], 40_000_u16), ([192, 0, 2, 2], 443));
    let (from, to) = if from_server {
        (server, client)
    } else {
        (client, server)
    };
    let header_len = u8::try_from(20 + options.len()).unwrap();
    let len = u16::from(header_len) + 20 + u16::try_from(data.len()).unwrap();
    let mut packet = vec![0x45, 0];
    packet.extend(len.to_be_bytes());
    packet.extend([0, 0, 0x40, 0, 64, 6, 0, 0]);
    packet.extend(from.0);
    packet.extend(to.0);
    packet.extend(from.1.to_be_bytes());
    packet.extend(to.1.to_be_bytes());
    packet.extend(seq.to_be_bytes());
    packet.extend(ack.to_be_bytes());
    packet.extend([(header_len / 4) << 4, flags, 0xff, 0xff, 0, 0, 0, 0]);
    packet.extend(options);
    packet.extend(data);
    packet
}

/// A capture of raw IP packets, 10 ms apart.
fn pcap(packets: &[Vec<u8>]) -> Vec<u8> {
    const RAW: u32 = 101;
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4, 0x0004_0002, 0, 0, 65_535, RAW] {
        file.extend(u32::to_le_bytes(word));
    }
    for (number, packet) in (0..).zip(packets) {
        let len = u32::try_from(packet.len()).unwrap();
        for word in [1_700_000_000, number * 10_000, len, len] {
            file.extend(u32::to_le_bytes(word));
        }
        file.extend(packet);
    }
    file
}
