# shellcheck shell=bash disable=SC1091
. "$SUPPORT"
load
idlergear_status busy
idlergear_register status-test 2>/dev/null
idlergear_status active
idlergear_status idle 'nothing to do'
same 'a wrong word is told' "$(idlergear_status sleepy 2>&1)" \
  'idlergear: idlergear_status knows active, idle and busy, not `sleepy`'
idlergear_status 2>/dev/null
same 'quiet' "$(idlergear_status busy 'at work' 2>&1)" ''
[ "$MODE" = alone ] || same 'records' "$(events)" \
  "$(printf 'status\tactive\nstatus\tidle nothing to do\nstatus\tbusy at work')"
