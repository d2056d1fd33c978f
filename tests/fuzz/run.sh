#!/usr/bin/env bash
# Fuzzes every file format under address and undefined-behaviour sanitizers: tests/fuzz/run.sh [COUNT [SEED]]
# Expects the dev preset to be configured (tools/test.sh --dev does that).
set -euo pipefail
cd "$(dirname "$0")/../.."
cmake --build --preset dev --target fuzz_files
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=0
for format in safetensors pth gguf index latents tflite lsc; do
  build/dev/bin/fuzz_files "$format" --count "${1:-100000}" --seed "${2:-1}"
done
