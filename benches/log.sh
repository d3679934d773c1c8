#!/bin/bash
# What one idlergear_log costs, as a multiple of `printf >/dev/null`, measured in one bash.
#
# Usage: benches/log.sh [ROUNDS] [CALLS]
#
# Needs ig-agent on PATH. Rounds interleave both, each ratio is taken inside one round, and the median
# of all rounds is what counts (goal: at most 3). The unit is made in a folder that is removed.
set -euo pipefail

rounds=${1:-25} calls=${2:-1000}
library=$(cd "${BASH_SOURCE[0]%/*}/../shell-lib" && pwd)/idlergear.sh
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
export HOME=$place IDLERGEAR_NO_DAEMON=1
mkdir "$place/.idlergear"
cd "$place"
# shellcheck source=/dev/null
source "$library"
idlergear_register bench
message='processing batch 5 of 10, 41 bytes in all'

# microseconds since 1970
now() { REPLY=${EPOCHREALTIME/[.,]/}; }

nothing() {
  local i
  for ((i = 0; i < calls; i++)); do printf '%s\n' "$message" >/dev/null; done
}

log() {
  local i
  for ((i = 0; i < calls; i++)); do idlergear_log "$message"; done
}

# took FUNCTION: REPLY is its time in nanoseconds a call
took() {
  local began
  now
  began=$REPLY
  "$1" 2>/dev/null
  now
  REPLY=$(((REPLY - began) * 1000 / calls))
}

ratios=() floors=() costs=()
for ((round = 0; round < rounds; round++)); do
  took nothing
  floor=$REPLY
  took log
  floors+=("$floor") costs+=("$REPLY") ratios+=("$((REPLY * 100 / floor))")
done

median() { printf '%s\n' "$@" | sort -n | sed -n "$((($# + 1) / 2))p"; }

printf 'printf >/dev/null  %6d ns\n' "$(median "${floors[@]}")"
printf 'idlergear_log      %6d ns\n' "$(median "${costs[@]}")"
ratio=$(median "${ratios[@]}")
printf 'ratio              %3d.%02d   (goal: at most 3)\n' $((ratio / 100)) $((ratio % 100))
