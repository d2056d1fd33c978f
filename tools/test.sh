#!/usr/bin/env bash
# Sets up, builds, and runs every test. In CI (CI=true), or with --with-reference, the parity tests run against diffusers and
# transformers; without them those tests say that they are skipped. --dev runs the fast tests under
# the address and undefined-behaviour sanitizers instead, --tsan those that use threads under the thread sanitizer.
set -euo pipefail
cd "$(dirname "$0")/.."

preset=release reference=()
[ "${CI:-}" != true ] || reference=(--with-reference)
for option in "$@"; do
  case $option in
    --with-reference) reference=(--with-reference) ;;
    --dev | --tsan) preset=${option#--} ;;
    *) echo "test.sh: unknown option $option (known: --with-reference, --dev, --tsan)" >&2; exit 2 ;;
  esac
done

tools/setup.sh --preset $preset ${reference[@]+"${reference[@]}"}
. build/setup.env
ctest --preset $preset --parallel "$(nproc)"
