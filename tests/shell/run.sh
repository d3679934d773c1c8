# Without ig-agent a command just runs; with it, see tests of the runner.
# shellcheck shell=bash disable=SC1091
. "$SUPPORT"
load
[ "$MODE" = alone ] || exit 0
same 'output' "$(idlergear_run --name x -- printf '%s|' 'a b' --name '' 2>/dev/null)" 'a b|--name||'
same 'options with a value' "$(idlergear_run --type T --name=x -- echo hi 2>/dev/null)" hi
same 'without dashes' "$(idlergear_run echo hi 2>/dev/null)" hi
code=0
idlergear_run -- sh -c 'exit 7' 2>/dev/null || code=$?
same 'exit code' "$code" 7
