#!/bin/bash
# What reading and keeping a log costs, each as a multiple of the tool that does the least of it.
#
# Usage: benches/logs.sh [ROUNDS] [MEGABYTES]
#
# Needs ig and ig-agent on PATH, and ripgrep (`rg`). Writes a log of MEGABYTES (1000) and one of 10
# into a folder that is removed. Rounds interleave every pair, each ratio is taken inside one round,
# and the median of all rounds is what counts.
set -euo pipefail

rounds=${1:-15} megabytes=${2:-1000}
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
export HOME=$place IDLERGEAR_NO_DAEMON=1 IDLERGEAR_LOGS_MAX_RUN_BYTES=0
unset XDG_STATE_HOME XDG_CONFIG_HOME IDLERGEAR_PROJECT
mkdir "$place/.idlergear" "$place/project" "$place/project/.idlergear"
cd "$place/project"

# lines N: N lines of 86 bytes, each with a number of its own
lines() {
  awk -v n="$1" 'BEGIN { for (i = 1; i <= n; i++)
    printf "2026-11-21T04:30:00.000Z INFO worker: request %9d served in 12 ms, status 200 OK......\n", i }'
}

# keep NAME N: a run of that name with N such lines, and two megabytes of them a moment later
keep() {
  export -f lines
  ig run --quiet --name "$1" -- bash -c "lines $2; sleep 0.3; lines 24000" >/dev/null
}

now() { REPLY=${EPOCHREALTIME/[.,]/}; }

# took COMMAND...: REPLY is the time of REPEAT calls in microseconds
took() {
  local began i
  now
  began=$REPLY
  for ((i = 0; i < repeat; i++)); do "$@" >/dev/null; done
  now
  REPLY=$((REPLY - began))
}

median() { printf '%s\n' "$@" | sort -n | sed -n "$((($# + 1) / 2))p"; }
least() { printf '%s\n' "$@" | sort -n | head -n 1; }

# compare GOAL WHAT OURS THEIRS: functions or commands of one word, run in turns
compare() {
  local round floor ratios=() ours=() theirs=() ratio
  for ((round = 0; round < rounds; round++)); do
    took "$4"
    floor=$REPLY
    took "$3"
    ours+=("$REPLY") theirs+=("$floor") ratios+=("$((REPLY * 100 / floor))")
  done
  ratio=$(median "${ratios[@]}")
  printf '%-34s %3d.%02d  (goal: at most %s)   best %8d us, floor %8d us\n' "$2" \
    $((ratio / 100)) $((ratio % 100)) "$1" \
    "$(($(least "${ours[@]}") / repeat))" "$(($(least "${theirs[@]}") / repeat))"
}

path() { ig run status "$1" --json | sed -n 's/.*"stdout": "\(.*\)".*/\1/p'; }
# when NAME: the moment of the last lines that were kept
when() { ig logs "$1" --tail 24000 --json | sed -n '1s/.*"at":"\([^"]*\)".*/\1/p'; }

keep big $((megabytes * 1000000 / 86))
keep small $((10 * 1000000 / 86))
big=$(path big) small=$(path small)
[[ $(stat -c %s "$big") -ge $((megabytes * 900000)) ]] || {
  echo "the log was cut: is the disk nearly full?" >&2
  exit 1
}
since=$(when big) since_small=$(when small)
lines 1000000 >"$place/million"
literal=' 7654321 served' regex='[1-9]00000 served'

tail_ours() { ig logs big --tail 50; }
tail_theirs() { tail -n 50 "$big"; }
since_ours() { ig logs big --since "$since"; }
since_small() { ig logs small --since "$since_small"; }
literal_ours() { ig logs big --grep "$literal"; }
literal_theirs() { rg "$literal" "$big"; }
regex_ours() { ig logs big --grep "$regex"; }
regex_theirs() { rg "$regex" "$big"; }
million() { cat "$place/million"; }
stream_ours() { million | ig-agent stream; }
stream_theirs() { million | tee "$place/copy"; }
version() { ig --version; }
true=$(type -P true)
nothing() { "$true"; }

for pair in tail literal regex; do
  cmp <("${pair}_ours") <("${pair}_theirs")
done
cat "$small" >/dev/null

repeat=20
compare 2.0 'logs --tail 50 / tail -n 50' tail_ours tail_theirs
compare 3.0 'logs --since, 2 MB / tail -n 50' since_ours tail_theirs
compare 1.3 'the same / in a log of 10 MB' since_ours since_small
compare - 'ig --version / true' version nothing
repeat=1
compare 1.3 'logs --grep, one hit / rg' literal_ours literal_theirs
compare 1.3 'logs --grep, a regex / rg' regex_ours regex_theirs
compare 1.5 'ig-agent stream / tee' stream_ours stream_theirs

# peak COMMAND...: the most memory it held, KiB
peak() { (ulimit -v 65536 && "$@" >/dev/null) && echo ok || echo 'more than 64 MiB'; }
for options in '' '--grep zzz' '--errors' '--tail 50' '--head 5' '--json --tail 9' '--raw'; do
  # shellcheck disable=SC2086 # words of their own
  printf 'under 64 MiB: ig logs big %-18s %s\n' "$options" "$(peak ig logs big $options)"
done
printf 'load: %s\n' "$(cut -d ' ' -f 1-3 /proc/loadavg)"
