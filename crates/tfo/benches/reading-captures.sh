#!/bin/sh
# How fast captures are read: tfo trace, tcpdump and tshark over the same file, in one run, and how much memory each takes.
#
#   crates/tfo/benches/reading-captures.sh [PACKETS [SYNS]]
#
# Two captures: one of ordinary connections, and one of SYNs alone, each of another connection.
#
# It needs tcpdump, tshark and python3, and about 700 bytes of disk for each packet, in TMPDIR. The file is read once beforehand, so
# that all find it in memory. Each command runs three times, tshark once; the best time counts.
set -eu

packets=${1:-3000000}
syns=${2:-10000000}
target=$(cargo metadata --no-deps --format-version 1 | python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')
cargo build --quiet --release -p tfo --bin tfo --example generate-capture
tfo=$target/release/tfo
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
"$target/release/examples/generate-capture" "$packets" > "$dir/large.pcap"
"$target/release/examples/generate-capture" $((packets / 10)) > "$dir/small.pcap"
"$target/release/examples/generate-capture" "$syns" syns > "$dir/syns.pcap"
cat "$dir"/*.pcap > /dev/null

measure() {
    times=$1 && shift
    python3 - "$times" "$@" <<'PYTHON'
import os, subprocess, sys, time
times, command = int(sys.argv[1]), sys.argv[2:]
runs = []
for _ in range(times):
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    elapsed = time.monotonic() - start
    assert status == 0, (command, status)
    runs.append((elapsed, usage.ru_utime + usage.ru_stime, usage.ru_maxrss // 1024))
print("%7.2f s  %7.2f s  %5d MiB  %s" % (*min(runs), " ".join(os.path.basename(word) for word in command)))
PYTHON
}

echo "$packets packets, $(wc -c < "$dir/large.pcap") bytes; $(nproc) processors, load $(cut -d' ' -f1 /proc/loadavg)"
echo "  elapsed  processor     memory"
measure 3 "$tfo" trace --read "$dir/large.pcap"
measure 3 "$tfo" trace --read "$dir/large.pcap" --json
measure 3 "$tfo" trace --read "$dir/small.pcap"
measure 3 tcpdump -nr "$dir/large.pcap" 'tcp[tcpflags] & tcp-syn != 0'
measure 3 tcpdump -r "$dir/large.pcap" 'tcp[tcpflags] & tcp-syn != 0'
measure 1 tshark -r "$dir/large.pcap" -Y tcp.options.tfo

echo "$syns distinct SYNs, $(wc -c < "$dir/syns.pcap") bytes"
measure 3 "$tfo" trace --read "$dir/syns.pcap"
measure 3 tcpdump -nr "$dir/syns.pcap"
