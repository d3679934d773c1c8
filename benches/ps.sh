#!/bin/bash
# What it costs to look at many live units, against `ps`, and to stop them all with one command.
#
# Usage: benches/ps.sh [ROUNDS] [UNITS]...
#
# Needs ig and ig-agent on PATH, and ps. For each number of UNITS (1 50 200) that many run, in a folder
# that is removed; then the same with OTHERS (1000) more processes that are nobody's. What counts is the
# median of the ROUNDS (9), each of which times `ps -eo pid,ppid,pcpu,rss,args` and `ig ps` in turn.
# Last, all are stopped with one command, against how long one takes.
set -euo pipefail

rounds=${1:-9} others=${OTHERS:-1000}
shift $(($# > 0))
[[ $# -gt 0 ]] || set -- 1 50 200
place=$(mktemp -d)
mkdir -m 700 "$place/run" "$place/project" "$place/project/.idlergear"
cd "$place/project"
unset XDG_STATE_HOME XDG_CONFIG_HOME IDLERGEAR_PROJECT IDLERGEAR_RUN_ID IDLERGEAR_SESSION
export HOME=$place XDG_RUNTIME_DIR=$place/run IDLERGEAR_NO_DAEMON=1
crowd=()
clean() {
  ig stop --group bench --force >/dev/null 2>&1 || true
  [[ ${#crowd[@]} -eq 0 ]] || kill "${crowd[@]}" 2>/dev/null || true
  rm -rf "$place"
}
trap clean EXIT

# took COMMAND...: REPLY is its time in microseconds
took() {
  local began=${EPOCHREALTIME/[.,]/}
  "$@" >/dev/null 2>&1
  REPLY=$((${EPOCHREALTIME/[.,]/} - began))
}

median() { printf '%s\n' "$@" | sort -n | sed -n "$((($# + 1) / 2))p"; }

# compare WORDS: medians of ps and ig ps, and of the ratio
compare() {
  local theirs=() ours=() ratios=() round
  for ((round = 0; round < rounds; round++)); do
    took ps -eo pid,ppid,pcpu,rss,args
    theirs+=("$REPLY")
    took ig ps
    ours+=("$REPLY")
    ratios+=($((100 * REPLY / theirs[round])))
  done
  local ratio
  ratio=$(median "${ratios[@]}")
  printf '%-28s ps %6d us   ig ps %6d us   ratio %d.%02d\n' "$1" \
    "$(median "${theirs[@]}")" "$(median "${ours[@]}")" $((ratio / 100)) $((ratio % 100))
}

for units in "$@"; do
  for ((unit = 0; unit < units; unit++)); do
    ig start "u$unit" --group bench -- sleep 3600 >/dev/null 2>&1
  done
  compare "$units units"
  crowd=()
  for ((other = 0; other < others; other++)); do
    sleep 3600 &
    crowd+=($!)
  done
  disown -a
  compare "$units units, $others others"
  kill "${crowd[@]}"
  crowd=()
  ig start one -- sleep 3600 >/dev/null 2>&1
  took ig stop one
  one=$REPLY
  took ig stop --group bench
  printf '%-28s one stopped in %d ms, all in %d ms\n' "$units units" $((one / 1000)) $((REPLY / 1000))
done
