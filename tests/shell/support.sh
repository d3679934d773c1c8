# shellcheck shell=bash
# What the scripts beside this one share. Each is run by tests/shell.rs in a project of its own, under
# every shell found, with ig-agent on PATH ($MODE is `agent`) and without (`alone`).

set -euo pipefail

# same WHAT ACTUAL WANTED
same() {
  [ "$2" = "$3" ] && return 0
  printf 'FAILED: %s\n   is: %s\n wants: %s\n' "$1" "$2" "$3" >&2
  exit 99
}

# events: level and text of every record of the one unit here, as written
events() {
  cat .idlergear/runs/*/events.log | cut -f 4-
}

# load: sources the library
load() {
  # shellcheck source=shell-lib/idlergear.sh
  . "$IDLERGEAR_LIB"
}
