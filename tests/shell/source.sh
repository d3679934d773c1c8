# Sourcing says nothing, starts nothing, changes nothing; twice too.
# shellcheck shell=bash disable=SC1091
. "$SUPPORT"
state() {
  set -o
  alias
  trap
  printf '%s\n' "$PATH" "$IFS" "$-"
  if [ -n "${BASH_VERSION-}" ]; then shopt || :; else setopt; fi
}
before=$(state)
said=$(load 2>&1)
same 'what sourcing prints' "$said" ''
load
same 'shell state after sourcing' "$(state)" "$before"
__idlergear_id=kept
load
same 'state after sourcing again' "$__idlergear_id" kept
same 'the jobs it started' "$(jobs)" ''
