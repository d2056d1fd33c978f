#!/usr/bin/env bash
# Runs a batch as an array job on the Slurm that SLURM_CONF names, disturbs every task once on the way, and verifies the result:
# tasks of even numbers are requeued (SIGTERM), the programs of the others are killed with -9, the first tasks early, the last late.
#
#   rehearse.sh SHARDS MANIFEST.jsonl DIR [options of lightswitch batch]
set -euo pipefail

shards=${1:?how many shards, 2 or more} manifest=$(realpath "${2:?a manifest}") out=$(realpath -m "${3:?a folder}")
shift 3
here=$(cd "$(dirname "$0")" && pwd)
export LIGHTSWITCH=${LIGHTSWITCH:-lightswitch} SHARDS=$shards
mkdir -p "$out.logs"

# Pictures that a shard has recorded, or all shards.
pictures() { cat "$out"/results-${1:-*}-of-*.jsonl 2>/dev/null | grep -c '"state":"done"' || true; }
# The program of a shard, not the script that waits for it.
program() { pgrep -f -- "^$LIGHTSWITCH batch $manifest --shard $1/$shards " || true; }
submit() { sbatch --parsable --array="$1" --export=ALL --output="$out.logs/%a.log" "$here/batch.sbatch" "$manifest" "$out" "${@:2}"; }
is_queued() { [ -n "$(squeue --noheader --jobs "$1" 2>/dev/null)" ]; }

per_shard=$(($(wc -l <"$manifest") / shards))
begin=$(date +%s)
job=$(submit "0-$((shards - 1))" "$@")
echo "array job $job, $shards shards"
requeued=0 killed=0
for shard in $(seq 0 $((shards - 1))); do
  until [ "$(pictures "$shard")" -gt $((per_shard * (shard + 1) / (shards + 1))) ]; do
    is_queued "$job" || { echo "the job ended before task $shard could be disturbed" >&2; exit 1; }
    sleep 0.2
  done
  target=$(program "$shard")
  if [ -z "$target" ]; then
    echo "task $shard was done before it could be disturbed"
  elif [ $((shard % 2)) = 0 ]; then
    echo "requeue task $shard after $(pictures "$shard") of its pictures"
    scontrol requeue "${job}_$shard"
    requeued=$((requeued + 1))
  else
    echo "kill -9 the program of task $shard (process $target) after $(pictures "$shard") of its pictures"
    kill -9 "$target"
    killed=$((killed + 1))
  fi
done
while is_queued "$job"; do sleep 1; done
seconds=$(($(date +%s) - begin))
echo "the array ended with $(pictures) pictures after $seconds s; $requeued tasks were requeued, $killed killed"
[ $requeued -gt 0 ] && [ $killed -gt 0 ] || { echo "too few pictures to disturb both ways" >&2; exit 1; }
"$LIGHTSWITCH" verify "$out" --manifest "$manifest" --json "$out.logs/verify.json"
