# The figures of PROMISES.md: a short run with the programs that the demo
# uses, and the real one with the release profile; so for the relay's bench.
# shellcheck shell=bash

# figures PROGRAMS BUNDLE ARGUMENT... : prints the JSON.
figures() {
  local folder=$1 signed=$2
  shift 2
  python3 tests/bench/figures.py --programs "$folder" --bundle "$signed" \
    --clip tests/media/clip.mp4 --work "$CACHE/figures" "$@"
}

step_figures() {
  need python3 python3
  bundle
  figures "$CARGO_TARGET_DIR/demo" "$CACHE/bundle" --joins 30 --evenings 2
}

release_programs() {
  need cc build-essential
  cargo build --locked --release -p peer -p relay-vm -p desk --bins
}

step_release_figures() {
  need python3 python3
  release_programs
  sign "$CARGO_TARGET_DIR/release/roundcast-relay" "$CACHE/bundle-release"
  mkdir -p tests/results
  figures "$CARGO_TARGET_DIR/release" "$CACHE/bundle-release" --joins 30 --evenings 5 \
    >tests/results/figures.json
}

# relay_bench PROFILE ARGUMENT... : prints the JSON of the relay beside a bare
# fan-out, for the programs of a profile.
relay_bench() {
  local folder=$CARGO_TARGET_DIR/$1 log=$CACHE/relay-bench.log code=0
  shift
  [ "$(nproc)" -ge 2 ] || not_run "the relay needs a core for itself"
  "$folder/relay-bench" --commit "$(git rev-parse HEAD)" "$@" 2>"$log" || code=$?
  sed 's/^/seen: /' "$log" >&2
  return "$code"
}

# What children of each standing get of a full uplink, in push and in repair.
step_priority_bench() {
  need cc build-essential
  cargo build --locked --profile demo -p tests --bin priority-bench
  "$CARGO_TARGET_DIR/demo/priority-bench" --commit "$(git rev-parse HEAD)" --smoke
}

# In two invocations: the relay is built as it is for people.
step_relay_bench() {
  need cc build-essential
  cargo build --locked --profile demo -p relay-vm --bins
  cargo build --locked --profile demo -p tests --bin relay-bench
  relay_bench demo --smoke
}

step_release_relay_bench() {
  need cc build-essential
  cargo build --locked --release -p relay-vm --bins
  cargo build --locked --release -p tests --bin relay-bench
  relay_bench release >"$CACHE/relay-bench.json"
  mkdir -p tests/results
  cp "$CACHE/relay-bench.json" tests/results/relay-bench.json
}

# moq-relay as people install it, and what loads it.
moq_programs() {
  need cc build-essential
  # By its own lock file, unless the registry withholds a version of it.
  tool moq-relay "$MOQ_RELAY_VERSION" || {
    say "moq-relay's lock file cannot be kept: built with what its manifest allows"
    env -u CARGO_TARGET_DIR cargo install --root "$TOOLS" "moq-relay@$MOQ_RELAY_VERSION"
  }
  local load=(--locked --release --manifest-path tests/moq/Cargo.toml)
  CARGO_TARGET_DIR=$MOQ_TARGET_DIR cargo test "${load[@]}"
  CARGO_TARGET_DIR=$MOQ_TARGET_DIR cargo build "${load[@]}"
}

# moq_bench PROFILE ARGUMENT... : prints the JSON of the relay beside moq-relay.
moq_bench() {
  local profile=$1
  shift
  relay_bench "$profile" --moq-relay "$TOOLS/bin/moq-relay" \
    --moq-load "$MOQ_TARGET_DIR/release/moq-load" "$@"
}

# Installing moq-relay takes too long for the normal tier.
step_moq_bench() {
  moq_programs
  cargo build --locked --profile demo -p relay-vm --bins
  cargo build --locked --profile demo -p tests --bin relay-bench
  moq_bench demo --smoke
}

step_release_moq_bench() {
  moq_programs
  cargo build --locked --release -p relay-vm --bins
  cargo build --locked --release -p tests --bin relay-bench
  moq_bench release >"$CACHE/moq-bench.json"
  mkdir -p tests/results
  cp "$CACHE/moq-bench.json" tests/results/moq-bench.json
}

# What verifying a relay costs a viewer: profile, processes. This bench and the
# next are examples of the relay's package.
verify_bench() {
  cargo build --locked --profile "$1" -p relay-vm --example verify_bench
  "$CARGO_TARGET_DIR/$1/examples/verify_bench" --commit "$(git rev-parse HEAD)" --processes "$2"
}

step_verify_bench() {
  need cc build-essential
  verify_bench demo 5
}

step_release_verify_bench() {
  need cc build-essential
  mkdir -p tests/results
  verify_bench release 200 >"$CACHE/verify-bench.json"
  cp "$CACHE/verify-bench.json" tests/results/verify-bench.json
}

# How long viewers that join at once wait for a slow TPM: profile, viewers. It
# is made of the scene of the relay's tests.
join_bench() {
  cargo build --locked --profile "$1" -p relay-vm --example join_bench
  "$CARGO_TARGET_DIR/$1/examples/join_bench" --commit "$(git rev-parse HEAD)" --joins "$2"
}

step_join_bench() {
  need cc build-essential
  join_bench demo 60
}

step_release_join_bench() {
  need cc build-essential
  mkdir -p tests/results
  join_bench release 500 >"$CACHE/join-bench.json"
  cp "$CACHE/join-bench.json" tests/results/join-bench.json
}

# What the coordinator's planner costs alone: profile, further arguments.
planner_bench() {
  local profile=$1
  shift
  cargo build --locked --profile "$profile" -p tests --bin planner-bench
  "$CARGO_TARGET_DIR/$profile/planner-bench" --commit "$(git rev-parse HEAD)" "$@"
}

step_planner_bench() {
  need cc build-essential
  planner_bench demo --viewers 1000,10000
}

step_release_planner_bench() {
  need cc build-essential
  mkdir -p tests/results
  planner_bench release >"$CACHE/planner-bench.json"
  cp "$CACHE/planner-bench.json" tests/results/planner-bench.json
}

step_release_marker() {
  release_programs
  no_marker release
}
