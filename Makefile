# Sipwright. `make help` lists the targets; none of them needs root.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)

DEPENDENCIES := $(VENV)/.dependencies
ENGINE := $(VENV)/.engine
LOAD_CLIENT := $(TARGET_DIR)/bench/udp_closed_loop
CALLS_CLIENT := $(TARGET_DIR)/bench/open_calls
STORM_CLIENT := $(TARGET_DIR)/quick/examples/tls_storm
FUZZERS := $(TARGET_DIR)/.fuzzers
JSSIP := $(TARGET_DIR)/browser/jssip.js
# What LLVM's fuzzer needs to see of a program; none of it wants a nightly toolchain.
SANCOV := -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
	-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
	-Cllvm-args=-sanitizer-coverage-trace-compares
RUST_SOURCES := Cargo.toml Cargo.lock $(shell find crates -name '*.rs' -o -name Cargo.toml 2>/dev/null)

# The interpreter that PyO3 builds for, in every cargo command, so that nothing is built twice.
export PYO3_PYTHON := $(CURDIR)/$(BIN)/python
# Compiled modules lie beside the interpreter, not in the source tree: a server that compiles its own anew at each start
# takes twice as long.
export PYTHONPYCACHEPREFIX := $(CURDIR)/$(VENV)/pycache
unexport PYTHONDONTWRITEBYTECODE

# Arguments for the commands below: make run ARGS="--set tls.threads_mode=1", make test PYTEST="-k tls".
SCRIPT ?=
ARGS ?=
PYTEST ?=
SOAK_SECONDS ?= 1800
SOAK_STARTS ?= 200
ENDURANCE_SECONDS ?= 3600
CHAOS_SECONDS ?= 60
# For each target of make fuzz; together about an hour. FUZZ names some of them. In make test all together have this long:
FUZZ_SECONDS ?= 180
FUZZ ?=
export FUZZ_SHORT_SECONDS ?= 60

.DEFAULT_GOAL := help
.PHONY: help build run demo test test-fast test-rust lint format interop bench soak endurance interference fuzz fuzzers docs lock clean \
	check-cargo check-python

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' Makefile | while IFS='|' read -r name text; do \
		printf '  make %-10s %s\n' "$$name" "$$text"; done

build: $(ENGINE) ## Make .venv with a release build in it (.venv/bin/sipwright)

run: $(ENGINE) ## Run the server: the default script, or SCRIPT=my.py ARGS="--listen udp:0.0.0.0:5060"
	$(BIN)/sipwright run $(SCRIPT) $(ARGS)

demo: $(ENGINE) ## Show a call over TLS between two phones as a ladder diagram
	@$(BIN)/sipwright demo $(ARGS)

test: $(ENGINE) $(FUZZERS) $(JSSIP) test-rust ## Run every test (PYTEST="-k name" narrows the Python ones)
	$(BIN)/python -m pytest $(PYTEST)

test-fast: $(ENGINE) test-rust ## Run the tests that take no more than a few seconds each
	$(BIN)/python -m pytest -m "not slow" $(PYTEST)

# The extension itself needs an interpreter to load it: the Python tests cover it.
test-rust: check-cargo $(DEPENDENCIES)
	cargo test --locked --workspace --exclude sipwright-py

lint: $(ENGINE) ## Check format, types, stubs and lints of Python and Rust
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	cd python && ../$(BIN)/python -m mypy.stubtest --mypy-config-file ../pyproject.toml \
		--allowlist ../tests/stubtest.txt sipwright._engine
	cargo fmt --all --check
	rustfmt --edition 2024 --check bench/load/*.rs
	cargo clippy --locked --workspace --all-targets -- -D warnings

format: $(DEPENDENCIES) check-cargo ## Format Python and Rust
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .
	cargo fmt --all
	rustfmt --edition 2024 bench/load/*.rs

interop: $(ENGINE) $(JSSIP) ## Calls and handshakes with foreign clients and judges: sipp, pjsua2, baresip, openssl, testssl
	$(BIN)/python -m pytest tests/interop $(PYTEST)

bench: $(ENGINE) $(LOAD_CLIENT) $(CALLS_CLIENT) $(STORM_CLIENT) ## Measure against Debian's Kamailio (QUICK=1: a short form); writes bench/results/
	PYTHONPATH=bench:tests $(BIN)/python -m load --client $(LOAD_CLIENT) --calls $(CALLS_CLIENT) --storm $(STORM_CLIENT) \
		$(if $(QUICK),--quick) $(ARGS)

soak: $(ENGINE) ## Load, faults, stop and start for SOAK_SECONDS (1800: ten minutes in each TLS mode) and SOAK_STARTS (200)
	SOAK_SECONDS=$(SOAK_SECONDS) SOAK_STARTS=$(SOAK_STARTS) CHAOS_SECONDS=$(CHAOS_SECONDS) \
		$(BIN)/python -m pytest tests/soak tests/shutdown tests/chaos $(PYTEST)

endurance: $(ENGINE) ## An hour (ENDURANCE_SECONDS) of calls, registrations, TLS churn and reloads: does anything grow?
	PYTHONPATH=bench:tests $(BIN)/python -m load.endurance --seconds $(ENDURANCE_SECONDS) $(ARGS)

interference: $(ENGINE) ## Measure what a script that blocks does to TLS and other calls, and the other way round
	PYTHONPATH=bench:tests $(BIN)/python -m load.interference $(ARGS)

fuzz: $(ENGINE) $(FUZZERS) ## Fuzz every target for FUZZ_SECONDS (180); FUZZ="sdp stream" narrows; inputs are kept in target/fuzz
	PYTHONPATH=tests $(BIN)/python -m fuzz --seconds $(FUZZ_SECONDS) --work $(TARGET_DIR)/fuzz $(FUZZ)

fuzzers: $(FUZZERS)

docs: check-cargo $(DEPENDENCIES) ## Build the crates' API pages and check the guides in docs/
	cargo doc --locked --workspace --no-deps
	$(BIN)/python -m pytest tests/docs

lock: $(DEPENDENCIES) ## Renew requirements.lock from pyproject.toml, and Cargo.lock
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--custom-compile-command "make lock" pyproject.toml --extra dev --upgrade --output-file requirements.lock
	cargo update

clean: ## Remove what was built
	rm -rf $(VENV) $(TARGET_DIR) .mypy_cache .ruff_cache .pytest_cache dist
	find python -name '*.so' -delete
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Every step below runs only when what it is made from is newer.

$(ENGINE): $(DEPENDENCIES) $(RUST_SOURCES) | check-cargo
	VIRTUAL_ENV=$(CURDIR)/$(VENV) PATH=$(CURDIR)/$(BIN):$$PATH $(BIN)/maturin develop --release --locked
	@touch $@

$(DEPENDENCIES): requirements.lock pyproject.toml | check-python
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	@touch $@

$(TARGET_DIR)/bench/%: bench/load/%.rs | check-cargo
	@mkdir -p $(@D)
	rustc --edition 2024 -O $< -o $@

$(STORM_CLIENT): crates/engine/examples/tls_storm.rs | check-cargo $(DEPENDENCIES)
	cargo build --locked --profile quick --package sipwright-engine --example tls_storm

$(FUZZERS): $(RUST_SOURCES) $(shell find fuzz -name '*.rs' -o -name Cargo.toml 2>/dev/null) | check-cargo $(DEPENDENCIES)
	RUSTFLAGS="$(SANCOV)" cargo build --locked --profile fuzz --package sipwright-fuzz --features libfuzzer \
		--target $$(rustc --print host-tuple)
	@touch $@

# JsSIP in one file, for tests in a browser. Without it only they fail, and say so.
$(JSSIP): tests/browser/package-lock.json tests/browser/package.json
	@mkdir -p $(@D)
	-cd tests/browser && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error && \
		npm run --silent bundle -- --outfile=$(abspath $@)

check-cargo:
	@command -v cargo >/dev/null || { \
		echo 'make: cargo (Rust 1.88 or newer) is missing. Get it from https://rustup.rs, or from your' >&2; \
		echo '      distribution: apt install rustup && rustup default stable' >&2; exit 1; }

check-python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo 'make: Python 3.11 or newer is missing; name another one with PYTHON=/path/to/python3' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo 'make: the venv module of $(PYTHON) is missing: apt install python3-venv' >&2; exit 1; }
