#!/usr/bin/env bash
# rotating-namespaces.sh [N…]: what `tfo keys rotate --watch --all-namespaces` costs with so many network namespaces, by default 10, 100,
# 1,000 and 10,000. Root; 10,000 take some 3 GB. TFO=target/release/tfo. In namespaces of its own: it sees, and changes, no others.
set -euo pipefail
cd "$(dirname "$0")/../../.."

if [ "${1:-}" != inside ]; then
    export TFO=${TFO:-$PWD/target/release/tfo}
    exec unshare --net --mount --pid --fork --mount-proc --kill-child "$0" inside "$@"
fi
shift
[ $# -gt 0 ] || set -- 10 100 1000 10000

folder=$(mktemp --directory)
trap 'rm -r "$folder"' EXIT
mount -t tmpfs none /run
mkdir /run/netns
"$TFO" keys generate --secret "$folder/secret" > /dev/null

# Processor time of a process in milliseconds.
cpu() { awk -v ticks="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); print int(($12 + $13) * 1000 / ticks) }' "/proc/$1/stat"; }
changes() { grep -c 'keys set' "$folder/log" || :; }
change_after() { until [ "$(changes)" -gt "$1" ]; do sleep 0.05; done; }

printf '%10s %18s %18s %22s %10s\n' namespaces 'first keys, CPU' 'a change, CPU' 'idle, CPU an hour' memory
made=0
for count in "$@"; do
    seq "$made" $((count - 1)) | sed 's/^/netns add n/' | ip -batch -
    made=$count
    "$TFO" keys rotate --watch --all-namespaces --interval 7d --secret "$folder/secret" > "$folder/log" &
    service=$!
    change_after 0
    first=$(cpu $service)
    # The secret's file is looked at again before the first idle minute.
    sleep 4
    before=$(cpu $service)
    kill -HUP $service
    change_after 1
    change=$(($(cpu $service) - before))
    sleep 4
    before=$(cpu $service)
    sleep "${SECONDS_IDLE:-60}"
    idle=$(($(cpu $service) - before))
    memory=$(awk '/VmHWM/ { print $2 }' "/proc/$service/status")
    printf '%10d %15d ms %15d ms %19.1f s %6.1f MiB\n' "$((count + 1))" "$first" "$change" \
        "$(awk "BEGIN { print $idle * 3.6 / ${SECONDS_IDLE:-60} }")" "$(awk "BEGIN { print $memory / 1024 }")"
    kill $service
    wait $service || :
done
