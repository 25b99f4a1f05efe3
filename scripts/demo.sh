#!/usr/bin/env bash
# scripts/demo.sh - whole conversations without any key: simulated vendors on loopback, the real server, real calls, and what they leave.
# DEMO_WAV=FILE.wav keeps both sides of the calls there and in FILE-realtime.wav.
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
for agent in asha meera; do
    case $agent in
        asha) echo "a caller speaks with an agent of three hops (recognizer, model, synthesizer) for about a minute ..." ;;
        meera) echo "the same caller speaks with an agent whose model hears and speaks by itself ..." ;;
    esac
    "$target/caly" call "sip:$agent@$(cat "$folder/sip")" --wav "$folder/caller.wav" --record "$folder/$agent.wav" --duration 90 >"$folder/call.log" 2>&1 ||
        { cat "$folder"/*.log >&2; exit 1; }
done
kill "$server"
wait "$server" || true
server=
# The newest call stands first.
"$target/caly" calls ls --data "$folder/data" --json | grep -o '"id":"[^"]*"' | cut -d'"' -f4 | tac >"$folder/calls"
while read -r id; do
    "$target/caly" calls show "$id" --data "$folder/data" | sed '/^events (/,$d'
    "$target/caly" calls waterfall "$id" --data "$folder/data"
done <"$folder/calls"
if [ -n "$wav" ]; then
    cp "$folder/asha.wav" "$wav"
    cp "$folder/meera.wav" "${wav%.wav}-realtime.wav"
    echo "both sides of the calls: $wav and ${wav%.wav}-realtime.wav"
fi
# The vendors tell what they had to complain of, and fail if there was anything.
exec 3>&-
wait "$vendors" || { cat "$folder/vendors.log" >&2; exit 1; }
