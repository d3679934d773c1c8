# shellcheck shell=bash disable=SC1091
. "$SUPPORT"
load
said=$(idlergear_register web --type worker --meta a=b 2>&1 && idlergear_unregister)
if [ "$MODE" = alone ]; then
  same 'what is said without ig-agent' "$said" \
    'idlergear: ig-agent is not on PATH; this script goes on without it'
  idlergear_register 2>/dev/null
  same 'said once' "$(idlergear_register 2>&1)" ''
  same 'no id' "${IDLERGEAR_AGENT_ID-none}" none
  exit 0
fi
same 'what is said' "$said" ''
rm -rf .idlergear/runs
idlergear_register
same 'one unit' "$(cat .idlergear/runs/*/run.json | grep -c '"name": "register"')" 1
same 'its id' "$(ls .idlergear/runs)" "$IDLERGEAR_AGENT_ID"
same 'both variables' "$IDLERGEAR_RUN_ID" "$IDLERGEAR_AGENT_ID"
same 'the project' "$IDLERGEAR_PROJECT" "$PWD"
idlergear_register other --type worker
same 'again renames' "$(ls .idlergear/runs)" "$IDLERGEAR_AGENT_ID"
same 'the new name' "$(events)" "$(printf 'register\t{"metadata":{},"name":"other","type":"worker"}')"
idlergear_unregister
same 'the variables are gone' "${IDLERGEAR_RUN_ID-none}${IDLERGEAR_AGENT_ID-none}" nonenone
same 'ended' "$(cat .idlergear/runs/*/run.json | grep -c '"status": "completed"')" 1
idlergear_unregister
