//! Containers that come and go on a node whose keys follow the schedule.

use crate::support::{Fleet, TFO, lab, name};

/// On a node with a process namespace of its own, so that the service sees no other network namespaces than those of this test. A pod is a
/// network namespace with a server in it.
const SCRIPT: &str = r#"
mount -t tmpfs none /run
ip link set lo up
[ "$ROTATE" = no ] || { "$TFO" keys rotate --watch --all-namespaces --secret "$SECRET" --interval 7d & }

# A pod with that number: its addresses are 10.9.N.2 and fd09:N::2.
pod() {
    unshare --net sleep 300 &
    pod=$!
    until [ "$(readlink /proc/$pod/ns/net)" != "$(readlink /proc/$$/ns/net)" ]; do sleep 0.05; done
    ip link add pod$1 type veth peer name eth0 netns $pod
    ip addr add 10.9.$1.1/24 dev pod$1
    ip addr add fd09:$1::1/64 dev pod$1 nodad
    ip link set pod$1 up
    inside="nsenter --net=/proc/$pod/ns/net"
    $inside sh -c "ip link set lo up; ip addr add 10.9.$1.2/24 dev eth0; ip addr add fd09:$1::2/64 dev eth0 nodad; ip link set eth0 up
        echo 3 > /proc/sys/net/ipv4/tcp_fastopen"
    began=$(date +%s)
    $inside "$TFO" serve :80 > "$FOLDER/serve-$1" &
    server=$!
    [ "$ROTATE" = no ] || until [ "$($inside "$TFO" keys fingerprint)" = "$EXPECTED" ]; do sleep 0.2; done
    echo "pod $1 has the keys after $(($(date +%s) - began)) s"
    until $inside "$TFO" keys show :80 > "$FOLDER/ready" 2>&1; do sleep 0.1; done
}

# What became of a request from the node, whatever the load of the machine. A plain one before it: a neighbour that is not known yet would
# cost the first SYN.
ask() {
    "$TFO" send "$2" hello --policy off > "$FOLDER/plain" 2>&1
    echo "$1 $("$TFO" send "$2" hello --delay 20s --json 2>&1 | grep -o '"outcome":"[a-z-]*"' | head -n 1)"
}

EXPECTED=$("$TFO" keys derive --secret "$SECRET" --interval 7d --json | grep -o '"fingerprints":.*' | grep -o '[0-9a-f]\{16\}' | paste -sd,)
pod 2
pod 1
for address in 10.9.1.2:80 [fd09:1::2]:80; do ask first $address; ask second $address; done
"$TFO" keys verify --secret "$SECRET" --interval 7d 10.9.1.2:80 10.9.2.2:80 [fd09:1::2]:80 [fd09:2::2]:80 | grep -v '^  '

# The redeploy: the namespace is gone with all that is in it, and another one comes with the same addresses.
kill $server $pod
wait $server $pod || :
while ip link show pod1 > "$FOLDER/link" 2>&1; do sleep 0.05; done
pod 1
for address in 10.9.1.2:80 [fd09:1::2]:80; do ask redeployed $address; done
"#;

fn run(rotate: &str) -> String {
    let lab = lab();
    let fleet = Fleet::new();
    let mut command = lab.client().unwrap().command("unshare").unwrap();
    command
        .args([
            "--pid",
            "--fork",
            "--mount-proc",
            "--kill-child",
            "--mount",
            "sh",
            "-euc",
            SCRIPT,
        ])
        .env("TFO", TFO)
        .env("ROTATE", rotate)
        .env("SECRET", name(&fleet.secret()))
        .env("FOLDER", name(fleet.folder()));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) fn a_cookie_outlives_the_container() {
    let told = run("yes");
    assert_eq!(
        told.matches("first \"outcome\":\"no-cookie\"").count(),
        2,
        "{told}"
    );
    assert_eq!(
        told.matches("second \"outcome\":\"accepted\"").count(),
        2,
        "{told}"
    );
    assert_eq!(told.matches("  agrees\n").count(), 4, "{told}");
    assert_eq!(
        told.matches("redeployed \"outcome\":\"accepted\"").count(),
        2,
        "{told}"
    );

    // Without the rotation the new container refuses the cookie.
    let told = run("no");
    assert_eq!(told.matches("  its own key\n").count(), 4, "{told}");
    assert_eq!(
        told.matches("redeployed \"outcome\":\"ignored\"").count(),
        2,
        "{told}"
    );
}
