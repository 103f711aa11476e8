# What the steps share: folders, pinned versions, and the installing of what
# is missing. Sourced by tests/run; nothing runs at source time but settings.
# shellcheck shell=bash

CACHE=${ROUNDCAST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/roundcast}
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$CACHE/target}
# Features unify within one target build: what has `ablation` on is built
# where no shipped program is.
# The demo builds the attackers in the same place.
THREATS_TARGET_DIR=$CARGO_TARGET_DIR/threat-model
FUZZ_TARGET_DIR=$CACHE/target-fuzz
MOQ_TARGET_DIR=$CACHE/target-moq
TOOLS=$CACHE/tools
# Exit code of a step that cannot run here.
NOT_RUN=77

CARGO_DENY_VERSION=0.20.2
CARGO_FUZZ_VERSION=0.13.2
# What people would take instead of the relay; tests/moq has its client crates.
MOQ_RELAY_VERSION=0.17.10
JSONSCHEMA_VERSION=4.26.0
PLAYWRIGHT_VERSION=1.65.1

export CARGO_TERM_COLOR=never NO_COLOR=1 PYTHONDONTWRITEBYTECODE=1
# Every build here is from scratch or whole: incremental state only costs disk.
export CARGO_INCREMENTAL=0
export PATH=$TOOLS/bin:$PATH:/usr/sbin:/sbin
mkdir -p "$CACHE" "$TOOLS"

say() { echo "seen: $*"; }
not_run() { echo "not run: $*"; exit "$NOT_RUN"; }
fail() { echo "$*" >&2; exit 1; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then sudo -n "$@"
  else not_run "this needs root or sudo without a password: $*"; fi
}

# install PACKAGE... : Debian packages, with one refresh of the lists if the
# first try fails.
install() {
  local get=(env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends)
  as_root "${get[@]}" "$@" && return
  as_root apt-get update
  as_root "${get[@]}" "$@"
}

# need COMMAND PACKAGE : the command, from a Debian package if it is missing.
need() { command -v "$1" >/dev/null || install "$2"; }

# component COMMAND NAME : a part of the Rust toolchain, e.g. `clippy clippy`.
component() {
  cargo "$1" --version >/dev/null 2>&1 || rustup component add "$2"
}

# tool NAME VERSION : a cargo tool in the cache, built once.
tool() {
  local have
  have=$("$TOOLS/bin/$1" --version 2>/dev/null || "$TOOLS/bin/$1" "${1#cargo-}" --version 2>/dev/null || true)
  [[ $have == *" $2"* ]] && return
  need cc build-essential
  env -u CARGO_TARGET_DIR cargo install --locked --root "$TOOLS" "$1@$2"
}

# Prints the Python that has jsonschema.
python() {
  local folder=$CACHE/venv-jsonschema-$JSONSCHEMA_VERSION
  if ! "$folder/bin/python" -c 'import jsonschema' 2>/dev/null; then
    {
      need python3 python3
      rm -rf "$folder"
      python3 -m venv "$folder" || { install python3-venv && python3 -m venv "$folder"; }
      "$folder/bin/pip" install --quiet "jsonschema==$JSONSCHEMA_VERSION"
    } >&2
  fi
  echo "$folder/bin/python"
}

# Prints the folder of playwright-core.
playwright() {
  local folder=$CACHE/npm-playwright-core-$PLAYWRIGHT_VERSION
  if [ ! -f "$folder/node_modules/playwright-core/package.json" ]; then
    {
      need node nodejs
      need npm npm
      mkdir -p "$folder"
      npm install --prefix "$folder" --no-save --no-audit --no-fund --ignore-scripts \
        "playwright-core@$PLAYWRIGHT_VERSION"
    } >&2
  fi
  echo "$folder/node_modules/playwright-core"
}
