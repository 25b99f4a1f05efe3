# Each target first installs what it needs and this machine lacks, and says what (scripts/setup.sh).
#
#   make run     build and run the server        ARGS="--sip 127.0.0.1:5080 ..." adds flags
#   make demo    conversations with simulated providers, and what they leave
#   make test    every test, then the fuzzers    FUZZ_SECONDS=60 fuzzes longer
#   make test-live  the real vendors, each whose key is in the environment
#   make bench   what a frame and a call cost
#   make bench-agents  the same of calls with an agent that thinks   ARGS="talk 50" picks scenes and numbers of calls
#   make voice-eval  how agents take turns   ARGS="--seed 2 --conditions clean,echo-30" picks
#   make lint    formatting, clippy, documentation, dependencies, layering
#   make fuzz    the fuzzers alone               FUZZ_SECONDS=600 for ten minutes each

CARGO ?= cargo
ARGS ?=
# Per fuzz target: long enough to notice one that no longer builds or falls over at once.
FUZZ_SECONDS ?= 5

.DEFAULT_GOAL := help
.PHONY: help run demo test test-live bench bench-agents voice-eval lint fuzz

help:
	@sed -n 's/^#   //p' Makefile

run:
	@scripts/setup.sh build
	$(CARGO) run --release --locked --bin caly -- serve $(ARGS)

demo:
	@scripts/setup.sh build demo
	CARGO=$(CARGO) scripts/demo.sh

test:
	@scripts/setup.sh build test
	$(CARGO) test --workspace --locked
	@$(MAKE) --no-print-directory fuzz

test-live:
	@scripts/setup.sh build test-live
	CARGO=$(CARGO) scripts/test-live.sh

bench:
	@scripts/setup.sh build bench
	$(CARGO) bench --workspace --locked --bench '*'

bench-agents:
	@scripts/setup.sh build bench
	$(CARGO) bench --locked --bench load -- $(or $(ARGS),hold hold-plain talk)

voice-eval:
	@scripts/setup.sh build voice-eval
	$(CARGO) run --release --locked --bin caly -- voice-eval $(ARGS)

lint:
	@scripts/setup.sh build lint
	$(CARGO) fmt --all --check
	$(CARGO) fmt --check --manifest-path tests/fuzz/Cargo.toml
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked
	$(CARGO) deny --locked check bans licenses sources
	$(CARGO) test --locked --test tidy

fuzz:
	@scripts/setup.sh build fuzz
	tests/fuzz/run $(FUZZ_SECONDS)
