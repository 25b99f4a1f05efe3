#!/usr/bin/env bash
# scripts/test-live.sh - asks the real vendors: each whose key is in the environment is asked as `caly check --live` asks, and then listens, thinks or
# speaks in a call in which simulated ones do the rest, or does all three. It costs a few cents. The keys' names are those of tests/real_vendors.rs.
set -euo pipefail
cd "$(dirname "$0")/.."
readonly KEYS=(DEEPGRAM_API_KEY OPENAI_API_KEY ELEVENLABS_API_KEY SARVAM_API_KEY ASSEMBLYAI_API_KEY ANTHROPIC_API_KEY CARTESIA_API_KEY GEMINI_API_KEY)
found=
for key in "${KEYS[@]}"; do
    [ -z "${!key:-}" ] || found=yes
done
if [ -z "$found" ]; then
    echo "test-live: no vendor's key is in the environment, so nobody can be asked." >&2
    echo "Set one or more of these and try again, e.g. DEEPGRAM_API_KEY=... make test-live:" >&2
    printf '  %s\n' "${KEYS[@]}" >&2
    exit 2
fi
exec "${CARGO:-cargo}" test --quiet --locked --test real_vendors real_vendors_are_well -- --ignored --nocapture
