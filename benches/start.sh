#!/bin/bash
# How long a daemon takes to answer that comes back to many ends it has not told of yet.
#
# Usage: benches/start.sh [ROUNDS] [RUNS]...
#
# Needs ig and ig-agent on PATH. For each number of RUNS (1 1000 10000) that many commands fail while
# no daemon is there, each with a record and a link for the daemon, in a folder that is removed. What
# counts is the median of the ROUNDS (3); no RUNS at all is what the start alone takes.
set -euo pipefail

rounds=${1:-3}
shift $(($# > 0))
[[ $# -gt 0 ]] || set -- 1 1000 10000
place=$(mktemp -d)
trap 'ig daemon stop >/dev/null 2>&1 || true; rm -rf "$place"' EXIT
mkdir -m 700 "$place/run" "$place/project" "$place/project/.idlergear"
cd "$place/project"
unset XDG_STATE_HOME XDG_CONFIG_HOME IDLERGEAR_PROJECT
export HOME=$place XDG_RUNTIME_DIR=$place/run IDLERGEAR_SESSION=s IDLERGEAR_LOGS_MAX_RUNS=0
state=$place/.local/state/idlergear

# failures N: N commands that failed, and the state before any daemon knew of them
failures() {
  rm -rf "$state" "$place/kept" .idlergear/runs
  seq "$1" | IDLERGEAR_NO_AUTOSTART=1 xargs -P 4 -I{} sh -c "ig-agent run --no-pty -- false || :"
  cp -a "$state" "$place/kept"
}

# took COMMAND...: REPLY is its time in milliseconds
took() {
  local began=${EPOCHREALTIME/[.,]/}
  "$@" >/dev/null 2>&1
  REPLY=$(((${EPOCHREALTIME/[.,]/} - began) / 1000))
}

# Every end is noted once nothing is left under live/.
until_noted() { while [[ -n $(find "$state/live" -type l -print -quit) ]]; do sleep 0.02; done; }

median() { printf '%s\n' "$@" | sort -n | sed -n "$((($# + 1) / 2))p"; }

for runs in "$@"; do
  failures "$runs"
  starts=() listings=() rests=()
  for ((round = 0; round < rounds; round++)); do
    rm -rf "$state"
    cp -a "$place/kept" "$state"
    took ig daemon start
    starts+=("$REPLY")
    took ig daemon agents
    listings+=("$REPLY")
    took until_noted
    rests+=("$REPLY")
    ig daemon stop >/dev/null 2>&1
  done
  printf '%6d ends: it answers after %4d ms, lists who is there in %4d ms, notes the rest in %5d ms\n' \
    "$runs" "$(median "${starts[@]}")" "$(median "${listings[@]}")" "$(median "${rests[@]}")"
done
