#!/usr/bin/env bash
# pcap-fixtures/make.sh [NAME...] - makes the captures of this folder again (all, or those named) with real tools: a running
# `caly serve`, the callers sipp, baresip and `caly call`, and dumpcap on the loopback device. Needs root (a network
# namespace of its own, so that ports and addresses are always the same) and the Debian packages that
# `scripts/setup.sh build test fixtures` installs. Two minutes for all.
#
# What is kept of the RTP is what the server received: a replay needs no more, and the files stay small.
# The expectations beside the captures (NAME.toml) are what the test printed and a reader found right; a capture made again
# needs that reading again. tests/pcap_fixtures.rs holds both together.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
readonly here project=${here%/*} server=127.0.0.1:5060
readonly rtp_filter='udp dst portrange 20000-20099'

main() {
    if [ "${1:-}" != --inside ]; then
        "$project/scripts/setup.sh" build test fixtures
        cargo build --quiet --locked --manifest-path "$project/Cargo.toml" --bin caly
        target=$(cargo metadata --format-version 1 --no-deps --manifest-path "$project/Cargo.toml" |
            sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
        PATH="$target/debug:$PATH" exec unshare --net "$0" --inside "$@"
    fi
    shift
    work=$(mktemp -d)
    trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$work"' EXIT
    cd "$work"
    make_network
    make_sounds
    start_server
    local all=(pcmu_speech pcma_speech dtmf_101 dtmf_96 twilio exotel late_offer hold barge_in_speech barge_in_key
        impaired early_bye cancel ipv6 unknown_order agent_hangs_up)
    local name
    for name in "${@:-${all[@]}}"; do
        echo "== $name"
        "make_$name"
    done
    ls -l "$here"/*.pcap*
}

# Loopback, and an address that is none: baresip takes no other.
make_network() {
    ip link set lo up
    ip link add caly0 type veth peer name caly1
    ip address add 192.0.2.10/24 dev caly0
    ip link set caly0 up
    ip link set caly1 up
}

# A synthetic caller at 8 kHz: said at once, after a second, and after six.
make_sounds() {
    espeak-ng -v en-in -s 160 -w spoken.wav "Where is my order, please? It should have been here on Monday."
    sox spoken.wav -r 8000 -c 1 -b 16 speech.wav norm -6
    sox speech.wav after_1_s.wav pad 1 4
    sox speech.wav after_6_s.wav pad 6 4
}

start_server() {
    caly serve --sip '[::]:5060' --http 127.0.0.1:5050 --rtp-ports 20000-20099 --data data >server.out 2>server.log &
    wait_for "the server" grep -q "caly ready" server.out
}

wait_for() {
    local what=$1 tries=100
    shift
    until "$@"; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || { echo "make.sh: $what did not come" >&2; exit 1; }
        sleep 0.1
    done
}

# record FILE COMMAND...: what the server sent and received of SIP, and received of RTP, while the command runs.
record() {
    local file=$1 options=(-P)
    shift
    case $file in *.pcapng) options=() ;; esac
    : >dumpcap.log
    dumpcap -q -i lo "${options[@]}" -f "port 5060 or $rtp_filter" -w "$file" 2>dumpcap.log &
    local dumpcap=$!
    wait_for dumpcap grep -q "^File:" dumpcap.log
    "$@"
    # What was sent last is on its way through the kernel.
    sleep 1
    kill -INT $dumpcap
    wait $dumpcap || true
}

keep() {
    local name=$1
    shift
    record "$name" "$@"
    install -m 644 "$name" "$here/$name"
}

# play SCENARIO NUMBER MILLISECONDS [OPTION...]: sipp's side of one call.
play() {
    local scenario=$1 number=$2 pause=$3
    shift 3
    sipp $server -sf "$project/tests/sipp/$scenario.xml" -s "$number" -i 127.0.0.1 -mi 127.0.0.1 -p 5080 -mp 30000 \
        -m 1 -d "$pause" -nostdin -timeout 60s -timeout_error -trace_err -error_file sipp.log "$@" >sipp.out ||
        { tail -30 sipp.out sipp.log >&2; exit 1; }
}

# caller_rtp FILE: the RTP of a capture as sipp plays it.
caller_rtp() {
    tshark -r "$1" -Y 'udp && !sip && !rtcp' -w caller.pcap -F pcap 2>/dev/null
}

# A caller with PCMU who speaks after one second, as RTP alone.
pcmu_caller() {
    record source.pcap caly call sip:demo@$server --wav after_1_s.wav --duration 9
    caller_rtp source.pcap
}

dial_by_baresip() {
    mkdir -p phone
    cp "$1" phone/microphone.wav
    echo "<sip:caller@192.0.2.10>;regint=0;audio_codecs=$2/8000/1;ptime=20" >phone/accounts
    cat >phone/config <<CONFIG
module_path /usr/lib/baresip/modules
module g711.so
module aufile.so
module account.so
module menu.so
audio_source aufile,phone/microphone.wav
audio_player aufile,phone/heard.wav
audio_alert aufile,phone/microphone.wav
CONFIG
    # At the end of its sound baresip hangs up.
    baresip -4 -t 14 -f phone -e "/dial sip:demo@192.0.2.10:5060" >baresip.log 2>&1 || true
}

make_pcmu_speech() {
    keep pcmu_speech.pcap caly call sip:demo@$server --dtmf 1 --wav after_6_s.wav --duration 14
}

make_pcma_speech() {
    keep pcma_speech.pcap dial_by_baresip after_1_s.wav PCMA
}

make_dtmf_101() {
    keep dtmf_101.pcap caly call sip:demo@$server --dtmf '1222123#' --duration 16
}

make_dtmf_96() {
    keep dtmf_96.pcap play fixture_keys demo 0
}

make_twilio() {
    pcmu_caller
    keep twilio.pcap play fixture_twilio demo 9500
}

make_exotel() {
    record source.pcap dial_by_baresip after_1_s.wav PCMA
    caller_rtp source.pcap
    keep exotel.pcap play fixture_exotel demo 7000 -t t1
}

make_late_offer() {
    record source.pcap dial_by_baresip after_1_s.wav PCMA
    caller_rtp source.pcap
    keep late_offer.pcap play fixture_late_offer demo 9000
}

make_hold() {
    record source.pcap caly call sip:demo@$server --dtmf 1 --duration 11
    caller_rtp source.pcap
    keep hold.pcap play fixture_hold demo 7000
}

make_barge_in_speech() {
    keep barge_in_speech.pcap caly call sip:demo@$server --wav after_1_s.wav --duration 9
}

make_barge_in_key() {
    keep barge_in_key.pcap caly call sip:demo@$server --dtmf 8 --duration 9
}

# A bad network, made from a good stream: of every 20 packets one is lost, one comes twice, one 50 ms late.
make_impaired() {
    record source.pcap caly call sip:demo@$server --dtmf '1222123#' --duration 12
    caller_rtp source.pcap
    local count lost=() twice=() late=() n
    count=$(tshark -r caller.pcap 2>/dev/null | wc -l)
    for ((n = 100; n < count; n += 20)); do
        lost+=("$n") twice+=("$((n + 7))") late+=("$((n + 13))")
    done
    editcap -F pcap caller.pcap rest.pcap "${lost[@]}" "${late[@]}"
    editcap -F pcap -r caller.pcap twice.pcap "${twice[@]}"
    editcap -F pcap -r -t 0.05 caller.pcap late.pcap "${late[@]}"
    mergecap -F pcap -w caller.pcap rest.pcap twice.pcap late.pcap
    keep impaired.pcap play play_fixture demo 12500 -key codec 0 -key name PCMU -key dtmf 101
}

make_early_bye() {
    keep early_bye.pcap play early_bye ring 0
}

make_cancel() {
    keep cancel.pcap play cancel ring 0
}

make_ipv6() {
    keep ipv6.pcap caly call 'sip:demo@[::1]:5060' --dtmf 1 --duration 8
}

make_unknown_order() {
    keep unknown_order.pcapng caly call sip:demo@$server --dtmf '1999#' --duration 12
}

make_agent_hangs_up() {
    keep agent_hangs_up.pcap caly call sip:demo@$server --dtmf 0 --wav after_6_s.wav --duration 24
}

main "$@"
