# The demo: one evening, the evening without a cloud, and each attack.
# shellcheck shell=bash

EVENING_SECONDS=60
# The evenings beside the main one are as short as their story allows.
SHORT_SECONDS=30

# evening NAME SECONDS ARGUMENT... : runs the demo, keeps its media, and checks its
# JSON from outside.
evening() {
  local name=$1 seconds=$2 keep=$CACHE/evening/$1
  shift 2
  rm -rf "$keep"
  mkdir -p "$keep"
  local checker code=0
  checker=$(python)
  cargo demo --locked -- --seconds "$seconds" --json --keep "$keep/media" "$@" \
    >"$keep/evening.json" 2>"$keep/story.txt" || code=$?
  tail -n 40 "$keep/story.txt"
  "$checker" tests/checks/evening.py tests/demo.schema.json "$keep/evening.json" \
    --media "$keep/media" --exit-code "$code" "${EXPECT[@]}"
}

step_demo() { EXPECT=(--expect relay); evening demo "$EVENING_SECONDS"; }
step_demo_stripes() { EXPECT=(--expect relay); evening demo-stripes "$SHORT_SECONDS" --stripes 4+1; }
step_demo_no_cloud() { EXPECT=(--expect no-cloud); evening no-cloud "$SHORT_SECONDS" --no-cloud; }

# Relays as virtual machines, booted measured from an image that the demo builds.
step_demo_qemu() {
  image_tools
  EXPECT=(--expect machine)
  evening qemu "$EVENING_SECONDS" --provider qemu --trust-operator demo-desk
}
step_demo_qemu_disbelieved() {
  image_tools
  EXPECT=(--expect disbelieved)
  evening qemu-disbelieved "$SHORT_SECONDS" --provider qemu
}
step_demo_qemu_doubted() {
  image_tools
  EXPECT=(--expect doubted)
  evening qemu-doubted "$SHORT_SECONDS" --provider qemu --trust-operator demo-desk --believers sponsor
}

# verify_offline EVENING KIND TRUST... : what a viewer of an evening saved.
verify_offline() {
  local evidence=$CACHE/evening/$1/media/evidence
  [ -e "$evidence/root.json" ] || not_run "the evening $1 has left no evidence; let it run first"
  python3 tests/checks/offline.py "$CARGO_TARGET_DIR/demo/roundcast" "$evidence" "${@:2}"
}

step_verify_offline() {
  need unshare util-linux
  cargo build --locked --profile demo -p peer --bins
  verify_offline demo software --trust-development
  verify_offline qemu tpm2 --trust-operator "$(cat "$CACHE/evening/qemu/media/evidence/operator")"
}

attack() { EXPECT=(--attack "$1" --reason "$2"); evening "attack-$1" "$SHORT_SECONDS" --attack "$1"; }

step_attack_fake_relay() { attack fake-relay evidence_missing; }
step_attack_oracle_relay() { attack oracle-relay live_binding_mismatch; }
step_attack_copied_order() { attack copied-order spki_not_admitted; }
step_attack_tampering_relay() { attack tampering-relay block_proof_mismatch; }
step_attack_forging_viewer() { attack forging-viewer header_signature_invalid; }
step_attack_stolen_voucher() { attack stolen-voucher holder_proof_invalid; }
step_attack_double_spend() { attack double-spend spent; }
step_attack_foreign_command() { attack foreign-command not_holder; }
