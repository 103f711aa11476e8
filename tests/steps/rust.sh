# Steps that compile: lints, tests, the threat tests, and the proof that no
# shipped program can do without a control.
# shellcheck shell=bash

PROGRAMS=(roundcast roundcast-relay roundcast-desk)
MARKER=ROUNDCAST-ABLATION-MARKER

step_clippy() {
  component clippy clippy
  need cc build-essential
  cargo clippy --locked --all-targets -- -D warnings
  # Tests that run by their name alone are no target of the others.
  cargo clippy --locked --test boots --test measured_boot --test bad_boots -- -D warnings
}

step_clippy_threats() {
  component clippy clippy
  need cc build-essential
  # Lints link no program: nothing ablated can leak from the common folder.
  cargo clippy --locked -p threat-model --all-targets -- -D warnings
  cargo clippy --locked -p threat-model --test boots -- -D warnings
}

# The three programs, as the demo and the other evenings run them.
programs() {
  need cc build-essential
  cargo build --locked --profile demo -p peer -p relay-vm -p desk --bins
}

step_programs() {
  programs
  local program
  for program in "${PROGRAMS[@]}"; do
    "$CARGO_TARGET_DIR/demo/$program" --version
  done
}

# All of it, whatever fails: one run tells everything. Tests over real sockets
# and processes may lose a race on a busy machine: those that fail are named and
# run once more, alone; what fails twice fails.
step_test() {
  need swtpm swtpm
  need swtpm_setup swtpm-tools
  need tpm2_nvwrite tpm2-tools
  need faketime faketime
  local log=$CACHE/test.log tests
  if cargo test --locked --no-fail-fast 2>&1 | tee "$log"; then return; fi
  mapfile -t tests < <(sed -n 's/^test \(.*\) \.\.\. FAILED$/\1/p' "$log" | sort -u)
  [ ${#tests[@]} -gt 0 ] || fail "the tests could not be built, or one ended its program"
  say "unsteady, run once more: ${tests[*]}"
  cargo test --locked --no-fail-fast -- --exact "${tests[@]}"
}

# Every other value of every byte of the real documents, where they are at hand.
step_every_change() {
  need cc build-essential
  ROUNDCAST_EVERY_VALUE=1 cargo test --locked --profile demo -p attest --test genuine -- \
    --nocapture every_single no_change_of
}

# In the demo's profile, as the evenings' attackers: built once for all.
threat_model() { cargo run --locked --profile demo -p threat-model -- "$@"; }

step_threats() {
  need python3 python3
  export CARGO_TARGET_DIR=$THREATS_TARGET_DIR
  cargo test --locked --profile demo -p threat-model
  threat_model report --html "$CACHE/threats.html" --json >"$CACHE/threats.json"
  threat_model explain D2
  threat_model run D2
  threat_model run D2 --ablate
  python3 tests/checks/threats.py "$CACHE/threats.json"
}

# no_marker PROFILE : the programs of a profile do not hold the marker. The
# search must find it where it is, or finding none means nothing.
no_marker() {
  CARGO_TARGET_DIR=$THREATS_TARGET_DIR cargo build --locked --profile demo -p threat-model --bins
  grep -q -a "$MARKER" "$THREATS_TARGET_DIR/demo/threat-model" ||
    fail "the marker is not found in an ablated build: the search proves nothing"
  local program file
  for program in "${PROGRAMS[@]}"; do
    file=$CARGO_TARGET_DIR/$1/$program
    [ -s "$file" ] || fail "$file was not built"
    if grep -q -a "$MARKER" "$file"; then fail "$file holds the ablation marker"; fi
  done
  say "marker found in the ablated build, absent from ${PROGRAMS[*]} ($1)"
}

step_marker() {
  programs
  no_marker demo
}
