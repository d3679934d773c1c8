# A script inside a unit logs there until it registers, and then is a unit with a parent.
# shellcheck shell=bash disable=SC1091
. "$SUPPORT"
load
[ "$MODE" = agent ] || exit 0
idlergear_register outer
outer=$IDLERGEAR_RUN_ID
cat >inner.sh <<'INNER'
. "$SUPPORT"
load
cd /
idlergear_log "from the inner script" 2>/dev/null
cd - >/dev/null
idlergear_register inner
grep -q "\"parent\": \"$1\"" ".idlergear/runs/$IDLERGEAR_RUN_ID/run.json"
idlergear_unregister
same 'the outer unit is back' "$IDLERGEAR_RUN_ID" "$1"
idlergear_log "and again" 2>/dev/null
INNER
$TEST_SHELL inner.sh "$outer"
same 'records of the outer unit' "$(cut -f 4- ".idlergear/runs/$outer/events.log")" \
  "$(printf 'info\tfrom the inner script\ninfo\tand again')"
