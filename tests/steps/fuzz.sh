# Fuzzing of every decoder for a bounded time. The corpus grows in the cache;
# what it starts from is written by tests/fuzz/seeds.py.
# shellcheck shell=bash

FUZZ_SECONDS=${FUZZ_SECONDS:-45}
FUZZ_LONG_SECONDS=${FUZZ_LONG_SECONDS:-3600}
FUZZ_TARGETS=(wire certs attest platforms tpm media)

# fuzz TARGET SECONDS
fuzz() {
  need c++ build-essential
  tool cargo-fuzz "$CARGO_FUZZ_VERSION"
  need python3 python3
  local corpus=$CACHE/corpus/$1 seeds=$CACHE/seeds/$1 crashes=$CACHE/crashes/$1/
  mkdir -p "$corpus" "$crashes"
  python3 tests/fuzz/seeds.py "$1" "$seeds"
  # No sanitizer: those of the compiler need a nightly one, and safe Rust with
  # debug assertions and overflow checks panics where it matters.
  CARGO_TARGET_DIR=$FUZZ_TARGET_DIR cargo fuzz run --fuzz-dir tests/fuzz -s none --debug-assertions \
    "$1" "$corpus" "$seeds" -- \
    -max_total_time="$2" -timeout=10 -rss_limit_mb=2048 -max_len=120000 \
    -artifact_prefix="$crashes" -print_final_stats=1
}

step_fuzz_wire() { fuzz wire "$FUZZ_SECONDS"; }
step_fuzz_certs() { fuzz certs "$FUZZ_SECONDS"; }
step_fuzz_attest() { fuzz attest "$FUZZ_SECONDS"; }
step_fuzz_platforms() { fuzz platforms "$FUZZ_SECONDS"; }
step_fuzz_tpm() { fuzz tpm "$FUZZ_SECONDS"; }
step_fuzz_media() { fuzz media "$FUZZ_SECONDS"; }
step_long_fuzz_wire() { fuzz wire "$FUZZ_LONG_SECONDS"; }
step_long_fuzz_certs() { fuzz certs "$FUZZ_LONG_SECONDS"; }
step_long_fuzz_attest() { fuzz attest "$FUZZ_LONG_SECONDS"; }
step_long_fuzz_platforms() { fuzz platforms "$FUZZ_LONG_SECONDS"; }
step_long_fuzz_tpm() { fuzz tpm "$FUZZ_LONG_SECONDS"; }
step_long_fuzz_media() { fuzz media "$FUZZ_LONG_SECONDS"; }
