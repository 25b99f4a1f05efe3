#!/usr/bin/env bash
# pcap-fixtures/play.sh CAPTURE [SERVER[:PORT] [NUMBER]] - plays the caller's RTP of a capture into a running server by sipp:
# one call to NUMBER (demo) at SERVER (127.0.0.1:5060), which lasts as long as the RTP does. Needs the Debian packages
# sip-tester and tshark. Works for the captures here whose .toml has [play], and for any other capture with one caller's
# RTP over UDP and SIP that names the server.
set -euo pipefail

[ $# -ge 1 ] && [ -r "$1" ] || { sed -n '2,5s/^# //p' "$0" >&2; exit 2; }
project=$(cd "$(dirname "$0")/.." && pwd)
capture=$(realpath "$1")
server=${2:-127.0.0.1:5060}
number=${3:-demo}
case $server in *:*) ;; *) server=$server:5060 ;; esac

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
# What went where the server's answer said.
port=$(tshark -r "$capture" -Y 'sip.Status-Code == 200 && sdp' -T fields -e sdp.media.port 2>/dev/null | head -1)
[ -n "$port" ] || { echo "play.sh: no answer with SDP in $capture; it does not tell which RTP is the caller's" >&2; exit 1; }
tshark -r "$capture" -F pcap -w caller.pcap -Y "udp.dstport == $port" 2>/dev/null
field() { tshark -r caller.pcap -d "udp.port==$port,rtp" -Y "$1" -T fields -e "$2" 2>/dev/null; }
codec=$(field 'rtp.p_type == 0 || rtp.p_type == 8' rtp.p_type | head -1)
dtmf=$(field 'rtp.p_type >= 96' rtp.p_type | head -1)
length_ms=$(field rtp frame.time_relative | tail -1 | awk '{ print int($1 * 1000) }')
case ${codec:-0} in 8) name=PCMA ;; *) name=PCMU ;; esac
local=127.0.0.1
case $server in 127.*) ;; *) local=$(ip -o route get "${server%:*}" | sed 's/.* src \([^ ]*\).*/\1/') ;; esac
echo "a caller with $name for $length_ms ms to $number at $server"
sipp "$server" -sf "$project/tests/sipp/play_fixture.xml" -s "$number" -i "$local" -mi "$local" -m 1 -nostdin \
    -key codec "${codec:-0}" -key name "$name" -key dtmf "${dtmf:-101}" -d "$length_ms" \
    -timeout 10m -trace_err -error_file sipp.log >sipp.out 2>&1 || { tail -20 sipp.out sipp.log >&2; exit 1; }
echo "done; see caly calls ls"
