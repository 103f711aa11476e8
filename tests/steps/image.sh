# The relay's image: real boots of it under emulation, and two builds of it in
# two places.
# shellcheck shell=bash

# Where images are compiled; one folder for all, since that takes minutes. The
# demo, which knows no other, uses the same.
IMAGE_CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/roundcast/image

# What the guests and the checks of a disk need; the package lists too, since
# the kernel comes from the mirror.
image_tools() {
  need cc build-essential
  need dpkg-deb dpkg
  need mcopy mtools
  need sbverify sbsigntool
  need swtpm swtpm
  need swtpm_setup swtpm-tools
  need qemu-system-x86_64 qemu-system-x86
  need fsck.vfat dosfstools
  [ -e /usr/share/OVMF/OVMF_CODE_4M.fd ] || install ovmf
  as_root apt-get update
}

# What firmware refuses, and registers against predictions. Guests are heavy:
# the tests boot one at once.
step_boots() {
  image_tools
  cargo test --locked --test boots
}

# build_image SOURCE NAME CACHE : the relay's image of a source.
build_image() {
  (cd "$1" && "$CARGO_TARGET_DIR/demo/roundcast-image" build \
    --out "$CACHE/image/$2" --cache "$3")
}

build_images() {
  build_image "$root" one "$IMAGE_CACHE"
  build_image "$CACHE/image/copy" two "$CACHE/image/two-cache"
}

# The second build is of a copy of the source in another place, with another
# target folder: nothing of either may show.
step_image() {
  image_tools
  cargo build --locked --profile demo -p image
  rm -rf "$CACHE/image/copy"
  mkdir -p "$CACHE/image/copy"
  git ls-files -co --exclude-standard -z | tar --null -T - -c | tar -x -C "$CACHE/image/copy"
  build_images
  # Again with all that can be kept from an earlier run: the figure of PROMISES.md.
  local begun=$SECONDS
  build_images
  say "two image builds with warm caches: $((SECONDS - begun)) s"
  local file
  for file in relay.efi disk.img sbom.json source-offer.txt; do
    cmp "$CACHE/image/one/$file" "$CACHE/image/two/$file"
  done
  "$CARGO_TARGET_DIR/demo/roundcast-image" verify "$CACHE/image/one" --against "$CACHE/image/two"
  dd if="$CACHE/image/one/disk.img" of="$CACHE/image/volume" bs=512 skip=2048 status=none
  fsck.vfat -n "$CACHE/image/volume"
  say "relay.efi: $(stat -c %s "$CACHE/image/one/relay.efi") bytes"
}

# release_image IMAGE KEYS SECURITY_VERSION : signs an image, and its release.
release_image() {
  "$CARGO_TARGET_DIR/demo/roundcast-image" sign "$1" --keys "$2" --version "0.0.$3" \
    --security-version "$3" --security-version-min "$3" --commit "$(git rev-parse HEAD)"
}

# test_program NAME : builds a test program and prints where it is.
test_program() {
  cargo test --locked --test "$1" --no-run --message-format json |
    sed -n "s/.*\"name\":\"$1\".*\"executable\":\"\([^\"]*\)\".*/\1/p"
}

# Whole boots by a desk: the relay is verified by who trusts that desk and by
# nobody else, and an altered image is refunded. What boots and should not be
# believed is refused, and believed without the control that refuses it.
step_machines() {
  image_tools
  need swtpm_setup swtpm-tools
  need ip iproute2
  local tool="$CARGO_TARGET_DIR/demo/roundcast-image" image="$CACHE/image/machines"
  cargo build --locked --profile demo -p image
  rm -rf "$image" "$image"-{keys,newer,booted}
  "$tool" build --out "$image" --cache "$IMAGE_CACHE"
  cp -r --sparse=always "$image" "$image-newer"
  "$tool" keys "$image-keys"
  release_image "$image" "$image-keys" 1
  release_image "$image-newer" "$image-keys" 2
  cp "$image-keys"/public/{OVMF_VARS.fd,root.json} "$image"
  cp "$image-newer/release.json" "$image/newer.json"
  # As root: one machine is on a tap. What cargo makes stays its user's.
  local test program
  for test in measured_boot bad_boots; do
    program=$(test_program "$test")
    [ -x "$program" ] || fail "cargo names no test program $test"
    as_root env "PATH=$PATH" "ROUNDCAST_IMAGE=$image" "ROUNDCAST_BOOTED=$image-booted" \
      "$program" --nocapture
  done
  # Judged once more where controls can be taken away.
  CARGO_TARGET_DIR=$THREATS_TARGET_DIR ROUNDCAST_BOOTED="$image-booted" \
    cargo test --locked --profile demo -p threat-model --test boots
}
