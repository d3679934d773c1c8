# shellcheck shell=bash disable=SC1091
. "$SUPPORT"
load
if [ "$MODE" = alone ]; then
  idlergear_wait web 2>/dev/null && exit 98
  exit 0
fi
code=0
said=$(idlergear_wait nobody ready 0 2>&1) || code=$?
same 'time-out' "$code" 124
same 'words' "${said%%
*}" 'ig: nothing called `nobody` appeared in 0s'
idlergear_register waiter
idlergear_ready
idlergear_wait waiter
idlergear_wait "$IDLERGEAR_AGENT_ID" ready 5
id=$IDLERGEAR_AGENT_ID
ig-agent unregister "$id" --exit-code 7
code=0
idlergear_wait "$id" exit 5 || code=$?
same 'its exit code' "$code" 7
code=0
said=$(idlergear_wait "$id" ready 5 2>&1) || code=$?
same 'died first' "$code" 1
same 'words' "${said%%
*}" "ig: \`waiter\` ($id) ended before it was ready: exit code 7"
