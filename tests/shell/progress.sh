# shellcheck shell=bash disable=SC1091
. "$SUPPORT"
load
idlergear_progress 1 2
idlergear_register progress-test 2>/dev/null
idlergear_progress 5 10 'resizing images'
idlergear_progress 6 10
same 'nonsense is told' "$(idlergear_progress many 2>&1)" \
  'idlergear: idlergear_progress wants two numbers: DONE TOTAL [TEXT]'
[ "$MODE" = alone ] || same 'records' "$(events)" \
  "$(printf 'progress\t5/10 resizing images\nprogress\t6/10')"
