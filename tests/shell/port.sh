# shellcheck shell=bash disable=SC1091
. "$SUPPORT"
load
if [ "$MODE" = alone ]; then
  same 'BASE' "$(idlergear_port 8123 2>/dev/null)" 8123
  same 'PORT' "$(PORT=99 && idlergear_port 8123 2>/dev/null)" 99
  same 'default' "$(idlergear_port 2>/dev/null)" 8000
  exit 0
fi
first=$(idlergear_port "$BASE")
second=$(idlergear_port "$BASE" 2>said)
[ "$first" != "$second" ]
same 'who has it' "$(grep -c "pid $$); using $second" said)" 1
code=0
said=$(PORT=$first && TEST_SHELL_PID=$$ && $TEST_SHELL -c '. "$IDLERGEAR_LIB"; PORT=$1 idlergear_port' x "$first" 2>&1) || code=$?
same 'a taken PORT is refused' "$code" 1
same 'and its owner named' "${said%%
*}" "ig: port $first is taken by a script (pid $$)"
