# A whole audience in virtual time: every scenario, small in the normal tier
# and large in the long one.
# shellcheck shell=bash

sim_program() {
  need cc build-essential
  need python3 python3
  cargo build --locked --profile demo -p tests --bin sim
}

# The newest commit that changed anything but results: what is simulated.
sim_commit() { git log -1 --format=%H -- . ':!tests/results'; }

# sim SCENARIO ARGUMENT... : prints the JSON.
sim() {
  "$CARGO_TARGET_DIR/demo/sim" --json --commit "$(sim_commit)" --scenario "$@"
}

step_sim() {
  local scenario result
  sim_program
  mkdir -p "$CACHE/sim"
  for scenario in tests/scenarios/*.toml; do
    result=$CACHE/sim/$(basename "$scenario" .toml)
    sim "$scenario" --svg "$result.svg" >"$result.json"
    python3 tests/checks/sim.py "$result.json"
  done
  # The single tree, too.
  sim tests/scenarios/churn.toml --stripes 1+0 >"$CACHE/sim/churn-1+0.json"
  python3 tests/checks/sim.py "$CACHE/sim/churn-1+0.json"
}

# Ten thousand viewers for two minutes each. What is there of this commit is
# not run again, so that it can be stopped and goes on.
step_long_sim() {
  local scenario name
  sim_program
  mkdir -p tests/results/sim
  for scenario in tests/scenarios/*.toml; do
    name=tests/results/sim/$(basename "$scenario" .toml)
    if ! python3 tests/checks/sim.py --is-of "$(sim_commit)" "$name.json"; then
      sim "$scenario" --viewers 10000 --seconds 120 --svg "$name.svg" >"$name.new"
      mv "$name.new" "$name.json"
    fi
    python3 tests/checks/sim.py --long "$name.json"
  done
}
