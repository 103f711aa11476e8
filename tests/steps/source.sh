# Steps that read the source only.
# shellcheck shell=bash

step_fmt() {
  component fmt rustfmt
  cargo fmt --all -- --check
  cargo fmt --manifest-path tests/fuzz/Cargo.toml -- --check
  cargo fmt --manifest-path tests/moq/Cargo.toml -- --check
}

step_structure() {
  need python3 python3
  python3 tests/checks/structure.py
}

step_documents() {
  need python3 python3
  python3 tests/checks/documents.py
}

step_deny() {
  tool cargo-deny "$CARGO_DENY_VERSION"
  cargo deny -L error --all-features check bans licenses sources
  cargo deny -L error --manifest-path tests/fuzz/Cargo.toml --config deny.toml check bans sources
  cargo deny -L error --manifest-path tests/moq/Cargo.toml --config tests/moq/deny.toml \
    check licenses sources
  if cargo deny fetch db; then
    cargo deny -L error --all-features check advisories
  else
    say "advisories not run: the advisory database is out of reach from here"
  fi
}
