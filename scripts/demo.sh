#!/usr/bin/env bash
# scripts/demo.sh - a whole conversation without any key: simulated vendors on loopback, the real server, a real call, and what it leaves.
# DEMO_WAV=FILE keeps both sides of the call there.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo=${CARGO:-cargo}
"$cargo" build --quiet --locked --bin caly
"$cargo" build --quiet --locked -p caly-vendors --example vendors
target=${CARGO_TARGET_DIR:-target}/debug
folder=$(mktemp -d)
wav=${DEMO_WAV:-}
server=

finish() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    exec 3>&- || true
    wait 2>/dev/null || true
    rm -rf "$folder"
}
trap finish EXIT

# Waits until a file says something, as long as the process that is to write it lives.
await() {
    until grep -q "$3" "$2" 2>/dev/null; do
        kill -0 "$1" 2>/dev/null || { cat "$folder"/*.log >&2; exit 1; }
        sleep 0.1
    done
}

mkfifo "$folder/end"
"$target/examples/vendors" "$folder" <"$folder/end" >"$folder/sip" 2>"$folder/vendors.log" &
vendors=$!
exec 3>"$folder/end"
await "$vendors" "$folder/sip" .
"$target/caly" serve --config "$folder/caly.toml" --data "$folder/data" >"$folder/ready" 2>"$folder/server.log" &
server=$!
await "$server" "$folder/ready" ready
echo "a caller speaks with the agent of config $folder/caly.toml for about a minute ..."
"$target/caly" call "sip:demo@$(cat "$folder/sip")" --wav "$folder/caller.wav" --record "$folder/heard.wav" --duration 90 >"$folder/call.log" 2>&1 ||
    { cat "$folder"/*.log >&2; exit 1; }
kill "$server"
wait "$server" || true
server=
id=$("$target/caly" calls ls --data "$folder/data" --json | grep -o '"id":"[^"]*"' | head -1 | cut -d'"' -f4)
"$target/caly" calls show "$id" --data "$folder/data" | sed '/^events (/,$d'
"$target/caly" calls waterfall "$id" --data "$folder/data"
if [ -n "$wav" ]; then
    cp "$folder/heard.wav" "$wav"
    echo "both sides of the call: $wav"
fi
# The vendors tell what they had to complain of, and fail if there was anything.
exec 3>&-
wait "$vendors" || { cat "$folder/vendors.log" >&2; exit 1; }
