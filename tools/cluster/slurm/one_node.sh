#!/usr/bin/env bash
# A Slurm of one node from Debian's packages, in a machine or a bare container without systemd: to try array jobs before a real
# cluster sees them. As root.
#
#   one_node.sh start DIR     installs what is missing, writes DIR/slurm.conf, starts munged, slurmctld and slurmd
#   one_node.sh stop DIR      ends the three
#
# CPUS says how many tasks of one CPU it runs at a time (default: as many as this shell may use).
#
# Then: export SLURM_CONF=DIR/slurm.conf; sinfo
set -euo pipefail

action=${1:?start or stop} dir=$(realpath -m "${2:?a folder for configuration, state and logs}")
daemons=(slurmd slurmctld munged)

stop() {
  for daemon in "${daemons[@]}"; do
    [ -s "$dir/$daemon.pid" ] || continue
    kill "$(cat "$dir/$daemon.pid")" 2>/dev/null || true
    rm -f "$dir/$daemon.pid"
  done
}

install_missing() {
  local missing=()
  command -v slurmctld >/dev/null || missing+=(slurmctld)
  command -v slurmd >/dev/null || missing+=(slurmd)
  command -v sbatch >/dev/null || missing+=(slurm-client)
  command -v munged >/dev/null || missing+=(munge)
  [ ${#missing[@]} = 0 ] && return
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

write_configuration() {
  mkdir -p "$dir/ctld" "$dir/d"
  chmod 711 "$dir"
  [ -s "$dir/munge.key" ] || (umask 077 && head -c 1024 /dev/urandom >"$dir/munge.key")
  local host
  host=$(hostname -s)
  cat >"$dir/slurm.conf" <<CONF
ClusterName=onenode
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$dir/munge.socket
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MpiDefault=none
ReturnToService=2
JobRequeue=1
KillWait=60
StateSaveLocation=$dir/ctld
SlurmdSpoolDir=$dir/d
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.pid
SlurmctldLogFile=$dir/slurmctld.log
SlurmdLogFile=$dir/slurmd.log
NodeName=$host NodeAddr=127.0.0.1 CPUs=${CPUS:-$(nproc)} State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
}

start() {
  install_missing
  write_configuration
  # --force: the folder may lie below one that others can write to.
  munged --force --key-file="$dir/munge.key" --socket="$dir/munge.socket" --pid-file="$dir/munged.pid" \
    --log-file="$dir/munged.log" --seed-file="$dir/munge.seed"
  export SLURM_CONF=$dir/slurm.conf
  slurmctld -f "$SLURM_CONF"
  slurmd -f "$SLURM_CONF"
  for _ in $(seq 60); do
    [ "$(sinfo --noheader --format=%t 2>/dev/null)" = idle ] && break
    sleep 1
  done
  sinfo
  echo "export SLURM_CONF=$SLURM_CONF"
}

case $action in
  start) start ;;
  stop) stop ;;
  *) echo "one_node.sh: start or stop, not $action" >&2; exit 2 ;;
esac
