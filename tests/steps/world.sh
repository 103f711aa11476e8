# Evenings of the real programs outside the demo: in network namespaces with
# limited uplinks, and in front of a real browser.
# shellcheck shell=bash

# The demo builds a development root and a signed release from the programs;
# these evenings need the same two, made by the same tool.
bundle() {
  programs
  rm -rf "$CACHE/bundle"
  cargo run --locked --profile demo -p tests --bin bundle -- \
    --relay "$CARGO_TARGET_DIR/demo/roundcast-relay" --out "$CACHE/bundle"
}

step_netns() {
  need python3 python3
  need ip iproute2
  need tc iproute2
  bundle
  as_root ip netns add roundcast-probe 2>/dev/null ||
    not_run "this machine allows no network namespaces"
  as_root ip netns del roundcast-probe
  as_root env "PATH=$PATH" python3 tests/netns/evening.py \
    --programs "$CARGO_TARGET_DIR/demo" --bundle "$CACHE/bundle" \
    --clip tests/media/clip.mp4 --work "$CACHE/netns"
}

step_browser() {
  need python3 python3
  need chromium chromium
  local core
  core=$(playwright)
  bundle
  python3 tests/browser/evening.py \
    --programs "$CARGO_TARGET_DIR/demo" --bundle "$CACHE/bundle" \
    --clip tests/media/clip.mp4 --work "$CACHE/browser" \
    --chromium "$(command -v chromium)" --playwright "$core"
}
