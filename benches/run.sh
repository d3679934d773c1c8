#!/bin/bash
# What a run in a terminal costs, as a multiple of util-linux `script`, which does as much: a terminal
# for the command, and a log of it.
#
# Usage: benches/run.sh [ROUNDS] [MEGABYTES]
#
# Needs ig-agent, script and python3 on PATH. Rounds interleave all, each ratio is taken inside one
# round, and the median of all rounds is what counts (goal: at most 1 each). Runs are kept in a folder
# that is removed.
set -euo pipefail

rounds=${1:-25} megabytes=${2:-50}
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
export HOME=$place IDLERGEAR_NO_DAEMON=1
mkdir -p "$place/project/.idlergear"
cd "$place/project"
yes 'a line of output as programs write them, 64 bytes with its newline' 2>/dev/null |
  head -c "$((megabytes * 1000 * 1000))" >big || true

# A terminal that is read as fast as it can be. Prints the microseconds that a command took in it: by
# the clock, and of the processor.
cat >terminal.py <<'PYTHON'
import os, pty, resource, sys, time

def run(words):
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp(words[0], words)
    try:
        while os.read(terminal, 1 << 20):
            pass
    except OSError:
        pass
    os.waitpid(pid, 0)
    took, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    os.close(terminal)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return took * 1e6, cpu * 1e6

print(*map(round, run(sys.argv[1:])))
PYTHON

# took REPEATS COMMAND
took() { python3 terminal.py bash -c "for ((i = 0; i < $1; i++)); do $2; done"; }

median() { sort -n | sed -n "$((($1 + 1) / 2))p"; }

# compare NAME REPEATS COMMAND: one line each for the clock and the processor
compare() {
  local name=$1 repeats=$2 command=$3 round wall cpu their_wall their_cpu
  : >walls
  : >cpus
  for ((round = 0; round < rounds; round++)); do
    read -r their_wall their_cpu < <(took "$repeats" "script -qfc '$command' typescript")
    read -r wall cpu < <(took "$repeats" "ig-agent run -- $command")
    echo "$((wall * 100 / their_wall)) $wall $their_wall" >>walls
    echo "$((cpu * 100 / their_cpu)) $cpu $their_cpu" >>cpus
    # Space is all that is given back: a file system that has many files removed is slow to make some.
    truncate -s 0 typescript .idlergear/runs/*/output.log
  done
  tell "$name, wall" "$repeats" walls
  tell "$name, cpu" "$repeats" cpus
}

tell() {
  local ratio ours theirs
  ratio=$(cut -d' ' -f1 "$3" | median "$rounds")
  ours=$(cut -d' ' -f2 "$3" | median "$rounds")
  theirs=$(cut -d' ' -f3 "$3" | median "$rounds")
  printf '%-18s ig %8d us   script %8d us   ratio %3d.%02d   (goal: at most 1)\n' \
    "$1" $((ours / $2)) $((theirs / $2)) $((ratio / 100)) $((ratio % 100))
}

compare true 50 true
compare "cat of $megabytes MB" 1 'cat big'
