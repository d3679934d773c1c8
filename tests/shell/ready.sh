# shellcheck shell=bash disable=SC1091
. "$SUPPORT"
load
idlergear_ready
idlergear_register ready-test 2>/dev/null
idlergear_ready
idlergear_ready http://127.0.0.1:8000/
[ "$MODE" = alone ] || same 'records' "$(events)" \
  "$(printf 'ready\t\nready\thttp://127.0.0.1:8000/')"
