#!/usr/bin/env bash
# The shards of a batch on the cores of one machine, or of several, with GNU parallel. Run it again to go on.
#
#   batch.sh SHARDS JOBS MANIFEST.jsonl DIR [options of lightswitch batch]
#
# LIGHTSWITCH names the program; PARALLEL takes further options of GNU parallel, such as --sshlogin nodes.txt --wd DIR.
set -euo pipefail

shards=${1:?how many shards} jobs=${2:?how many at a time} manifest=${3:?a manifest} out=${4:?a folder}
shift 4

# On SIGTERM parallel passes it on and waits: every program finishes the item in hand. A shard that fails is tried again;
# --resume makes that cheap.
seq 0 $((shards - 1)) | parallel --quote --jobs "$jobs" --retries 3 --termseq TERM,120000,KILL,100 --tag --line-buffer \
  "${LIGHTSWITCH:-lightswitch}" batch "$manifest" --shard "{}/$shards" --resume -o "$out" "$@"
