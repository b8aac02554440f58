# `make run` starts a server, `make test` runs every test. Both install what is missing as root
# on Debian, and otherwise say what to install.

.PHONY: run test check fmt setup

# Arguments for the server: make run ARGS="--listen 127.0.0.1:9090"
ARGS ?=

run: setup
	cargo build --release --locked --bin bhn-fhir
	cargo run --release --locked --quiet --bin bhn-fhir -- serve --insecure-no-auth $(ARGS)

test: setup
	cargo test --locked

# What has to pass before a change is taken.
check: setup
	cargo fmt --check
	cargo clippy --all-targets --locked -- -D warnings
	cargo test --locked

fmt:
	cargo fmt

setup:
	@./scripts/setup.sh
