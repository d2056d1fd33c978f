#!/usr/bin/env bash
# Runs a batch as an array job on the Slurm that SLURM_CONF names, disturbs it on the way, and verifies the result:
# task 0 is requeued (SIGTERM), the program of task 1 is killed with -9.
#
#   rehearse.sh SHARDS MANIFEST.jsonl DIR [options of lightswitch batch]
set -euo pipefail

shards=${1:?how many shards, 2 or more} manifest=$(realpath "${2:?a manifest}") out=$(realpath -m "${3:?a folder}")
shift 3
here=$(cd "$(dirname "$0")" && pwd)
export LIGHTSWITCH=${LIGHTSWITCH:-lightswitch} SHARDS=$shards
mkdir -p "$out.logs"

pictures() { cat "$out"/results-*.jsonl 2>/dev/null | grep -c '"state":"done"' || true; }
# The program of a shard, not the script that waits for it.
program() { pgrep -f -- "^$LIGHTSWITCH batch $manifest --shard $1/$shards " || true; }
submit() { sbatch --parsable --array="$1" --export=ALL --output="$out.logs/%a.log" "$here/batch.sbatch" "$manifest" "$out" "${@:2}"; }
wait_for() { while [ -n "$(squeue --noheader --jobs "$1" 2>/dev/null)" ]; do sleep 1; done; }

begin=$(date +%s)
job=$(submit "0-$((shards - 1))" "$@")
echo "array job $job, $shards shards"
for shard in 0 1; do
  until [ -s "$out/results-$shard-of-$shards.jsonl" ]; do
    [ -n "$(squeue --noheader --jobs "$job")" ] || { echo "the job ended before it could be disturbed" >&2; exit 1; }
    sleep 0.2
  done
  if [ $shard = 0 ]; then
    echo "requeue task 0 after $(pictures) pictures"
    scontrol requeue "${job}_0"
  else
    target=$(program 1)
    echo "kill -9 the program of task 1 (process $target) after $(pictures) pictures"
    kill -9 "$target"
  fi
done
wait_for "$job"
echo "the array ended with $(pictures) pictures after $(($(date +%s) - begin)) s"
"$LIGHTSWITCH" verify "$out" --manifest "$manifest"
