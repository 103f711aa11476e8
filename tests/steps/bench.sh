# The figures of PROMISES.md: a short run with the programs that the demo
# uses, and the real one with the release profile.
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
  figures "$CARGO_TARGET_DIR/demo" "$CACHE/bundle" --joins 10 --evenings 1
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

step_release_marker() {
  release_programs
  no_marker release
}
