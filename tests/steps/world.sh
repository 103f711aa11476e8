# Evenings of the real programs outside the demo: in network namespaces with
# limited uplinks, and in front of a real browser.
# shellcheck shell=bash

# sign RELAY FOLDER : a development root and a release of this relay, made by
# the code that makes the demo's.
sign() {
  rm -rf "$2"
  cargo run --locked --profile demo -p tests --bin bundle -- --relay "$1" --out "$2"
}

bundle() {
  programs
  sign "$CARGO_TARGET_DIR/demo/roundcast-relay" "$CACHE/bundle"
}

step_netns() {
  need python3 python3
  need ip iproute2
  need tc iproute2
  as_root ip netns add roundcast-probe 2>/dev/null ||
    not_run "this machine allows no network namespaces"
  as_root ip netns del roundcast-probe
  bundle
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
