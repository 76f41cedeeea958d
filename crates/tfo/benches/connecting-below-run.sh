#!/bin/sh
# How long connect() takes bare, and below tfo run, to a destination that its rules leave out and to one with Fast Open: over loopback, with a
# request and its answer on each connection, and closed without a word.
#
#   crates/tfo/benches/connecting-below-run.sh [RUNS [CONNECTIONS [apart]]]
#
# apart: client and server have a processor each. Medians over the runs, made in turns, of a run's median, lowest and highest tenth. It needs
# python3, two processors with nothing else to do, and a system that lets users make user namespaces, or root.
set -eu

runs=${1:-11}
target=$(cargo metadata --no-deps --format-version 1 | python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')
cargo build --quiet --release -p tfo --bin tfo
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cat > "$dir/connect.py" <<'PYTHON'
import os, signal, socket, sys, time
exchanges, count, apart = sys.argv[1] == "exchange", int(sys.argv[2]), sys.argv[3] == "apart"
listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 1024)
server = os.fork()
if apart: os.sched_setaffinity(0, {0 if server else 1})
while not server:
    connection, _ = listener.accept()
    if exchanges and connection.recv(9): connection.sendall(b"answer")
    connection.close()
def connect():
    connection = socket.socket()
    start = time.perf_counter()
    connection.connect(listener.getsockname())
    took = time.perf_counter() - start
    if exchanges: connection.sendall(b"request"), connection.recv(9)
    connection.close()
    return took * 1e6
for _ in range(3): connect(), time.sleep(0.05)
took = sorted(connect() for _ in range(count))
os.kill(server, signal.SIGKILL)
print(took[count // 2], took[count // 10], took[count * 9 // 10])
PYTHON
cat > "$dir/run" <<'SHELL'
ip link set lo up
echo 3 > /proc/sys/net/ipv4/tcp_fastopen
exec "$@"
SHELL

for _ in $(seq "$runs"); do
    for mode in exchange closed; do
        for way in "bare" "left-out $target/release/tfo run --" "fast $target/release/tfo run --all --"; do
            # shellcheck disable=SC2086 # its words are arguments
            echo "$mode ${way%% *} $(XDG_STATE_HOME=$dir unshare --map-root-user --net sh "$dir/run" ${way#"${way%% *}"} \
                python3 "$dir/connect.py" "$mode" "${2:-3000}" "${3:-together}")"
        done
    done
done | python3 -c '
import collections, statistics, sys
found = collections.defaultdict(list)
for line in sys.stdin:
    mode, way, *times = line.split()
    found[mode, way].append([float(time) for time in times])
print("%-20s %9s %9s %9s" % ("connect(), us", "median", "lowest", "highest"))
for (mode, way), times in found.items():
    print("%-20s %9.1f %9.1f %9.1f" % (mode + " " + way, *map(statistics.median, zip(*times))))
'
