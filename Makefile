# `make run` starts a server, `make test` runs every test. Both install what is missing as root
# on Debian, and otherwise say what to install.

.PHONY: run test check conformance faults fmt setup

# Arguments for the server: make run ARGS="--listen 127.0.0.1:9090"
ARGS ?=

run: setup
	cargo build --release --locked --bin bhn-fhir
	cargo run --release --locked --quiet --bin bhn-fhir -- serve --demo $(ARGS)

test: setup
	cargo test --locked

# What has to pass before a change is taken.
check: setup
	cargo fmt --check
	cargo clippy --all-targets --locked -- -D warnings
	cargo test --locked

# Every third-party suite, a score line each. Suites beside the repository are skipped where
# they are not there (../shared, or BHN_SHARED).
conformance: setup
	@conformance/run

# Kills the server and its database under load: make faults ROUNDS=50
ROUNDS ?= 50
faults: setup
	@conformance/faults/run $(ROUNDS)

# Figures as ratios to what PostgreSQL alone costs: bench/README.md.
bench: setup
	cargo build --release --locked --bin bhn-fhir --bin bhn-bench -p bhn-fhir -p bhn-bench
	./target/release/bhn-bench $(ARGS)

fmt:
	cargo fmt

setup:
	@./scripts/setup.sh
