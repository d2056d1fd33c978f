#!/usr/bin/env bash
# From nothing to pictures: sets up, builds, asks the shipped model for a few scenes, decodes each with the full and the light
# decoders from the same latents, and lays them side by side on one contact sheet.
set -euo pipefail
cd "$(dirname "$0")/.."

tools/setup.sh --targets "lightswitch_cli contact_sheet"
bin=build/release/bin
out=${1:-build/demo}
mkdir -p "$out"

prompts=(
  "two red balloons over a blue house, snowy field, night sky"
  "a large green tree on the left, meadow under a bright day sky"
  "a yellow boat on the sea at dusk"
  "a purple tent in the desert, stormy sky"
)
decoders=(vae vit tae)
cells=()
for i in "${!prompts[@]}"; do
  name=$out/scene-$((i + 1))
  "$bin/lightswitch" image -q -p "${prompts[$i]}" -s $((i + 1)) --decoder vae --save-latents "$name.safetensors" -o "$name-vae.png"
  for decoder in "${decoders[@]:1}"; do
    "$bin/lightswitch" decode -q "$name.safetensors" --decoder "$decoder" -o "$name-$decoder.png"
  done
  for decoder in "${decoders[@]}"; do cells+=("$name-$decoder.png=$decoder: ${prompts[$i]}"); done
  printf '   %s\n' "${prompts[$i]}" >&2
done
"$bin/contact_sheet" -o "$out/contact-sheet.png" --columns ${#decoders[@]} --scale 2 "${cells[@]}"
echo "The pictures are in $out; the contact sheet is $out/contact-sheet.png"
