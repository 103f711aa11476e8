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

# Namespaces, and what limits their lines.
namespaces() {
  need python3 python3
  need ip iproute2
  need tc iproute2
  as_root ip netns add roundcast-probe 2>/dev/null ||
    not_run "this machine allows no network namespaces"
  as_root ip netns del roundcast-probe
}

# in_namespaces SCRIPT WORK ARGUMENT... : plays an evening there.
in_namespaces() {
  local script=$1 work=$2
  shift 2
  namespaces
  bundle
  as_root env "PATH=$PATH" python3 "tests/netns/$script" \
    --programs "$CARGO_TARGET_DIR/demo" --bundle "$CACHE/bundle" \
    --clip tests/media/clip.mp4 --work "$CACHE/$work" "$@"
}

step_netns() { in_namespaces evening.py netns; }

# Lines that delay and lose packets need a TUN device.
crowd() {
  [ -c /dev/net/tun ] || not_run "this machine has no /dev/net/tun"
  in_namespaces crowd.py "crowd-$1" --stripes "$1"
}

step_netns_crowd() { crowd 4+1; }

step_netns_crowd_single() { crowd 1+0; }

step_netns_overhead() { in_namespaces overhead.py overhead; }

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
