#!/usr/bin/env bash
# scripts/setup.sh NEED... - installs what a make target needs and this machine lacks, and says what it installs.
# Needs: build, demo, test, test-live, bench, voice-eval, fuzz, lint, fixtures. Meant for Debian 12 with Rust and root; elsewhere it prints what to install
# and stops.
set -euo pipefail

# cargo-deny 0.20 asks for Rust 1.88; its advisories are not used (see deny.toml).
readonly CARGO_DENY_VERSION=0.20.2

main() {
    local packages=() need
    for need in "$@"; do
        case $need in
            # SQLite is compiled into the server, and jemalloc.
            build) packages+=(gcc libc6-dev make) ;;
            # The lines that the agent says by itself, until its synthesizer has said them.
            demo) packages+=(espeak-ng) ;;
            # Real SIP peers, a synthetic voice, a network namespace of the tests' own.
            test) packages+=(sip-tester baresip-core espeak-ng iproute2 util-linux) ;;
            # The caller's voice, which real recognizers are to understand.
            test-live) packages+=(espeak-ng) ;;
            bench) packages+=(sip-tester) ;;
            # The callers' voices.
            voice-eval) packages+=(espeak-ng) ;;
            # dumpcap, editcap and mergecap.
            fixtures) packages+=(tshark sox) ;;
            # libFuzzer is C++.
            fuzz) packages+=(g++) ;;
            lint) ;;
            *) stop "setup: no such need: $need" ;;
        esac
    done
    require_rust
    install_packages "${packages[@]}"
    for need in "$@"; do
        if [ "$need" = lint ]; then install_lint_tools; fi
    done
}

stop() {
    printf '%s\n' "$@" >&2
    exit 1
}

require_rust() {
    command -v cargo >/dev/null || stop "setup: cargo is missing; install Rust 1.94 or newer, see https://rustup.rs"
}

install_packages() {
    local missing=() package
    for package in "$@"; do
        is_installed "$package" || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    if ! command -v apt-get >/dev/null || ! grep -qE '^ID(_LIKE)?=.*debian' /etc/os-release 2>/dev/null; then
        stop "setup: this is neither Debian nor its kin; install what these Debian packages hold, then try again:" "  ${missing[*]}"
    fi
    if [ "$(id -u)" -ne 0 ]; then
        stop "setup: packages are missing; as root:" "  apt-get install --no-install-recommends ${missing[*]}"
    fi
    echo "setup: installing Debian packages: ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -qq --yes --no-install-recommends "${missing[@]}" >/dev/null
}

# Where there is no dpkg, a package counts as missing unless its program is there.
is_installed() {
    if command -v dpkg-query >/dev/null; then
        [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
    else
        command -v "$(program_of "$1")" >/dev/null
    fi
}

program_of() {
    case $1 in
        gcc | libc6-dev) echo cc ;;
        sip-tester) echo sipp ;;
        baresip-core) echo baresip ;;
        iproute2) echo ip ;;
        util-linux) echo unshare ;;
        *) echo "$1" ;;
    esac
}

install_lint_tools() {
    local component
    for component in fmt clippy; do
        if ! cargo "$component" --version >/dev/null 2>&1; then
            command -v rustup >/dev/null || stop "setup: cargo $component is missing; install it beside your Rust"
            echo "setup: adding the Rust component $component"
            rustup --quiet component add "${component/#fmt/rustfmt}"
        fi
    done
    if ! cargo deny --version >/dev/null 2>&1; then
        echo "setup: installing cargo-deny $CARGO_DENY_VERSION with cargo (about a minute)"
        # Unoptimised: it builds in a fifth of the time and runs for a second.
        CARGO_PROFILE_DEV_DEBUG=0 cargo install --quiet --locked --debug "cargo-deny@$CARGO_DENY_VERSION"
    fi
}

main "$@"
