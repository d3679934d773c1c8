# send, recv and on_message without a daemon: harmless and quiet.
# shellcheck shell=bash disable=SC1091
. "$SUPPORT"
load
idlergear_send 'to nobody' 2>/dev/null
same 'recv before registering' "$(idlergear_recv)" ''
same 'a wrong handler is told' "$(idlergear_on_message nothing 2>&1)" \
  'idlergear: idlergear_on_message wants a function, and `nothing` is none'
handler() { echo "called with $1"; }
idlergear_on_message handler
idlergear_register messages-test 2>/dev/null
same 'send is quiet' "$(idlergear_send --to web 'hello' 2>&1)" ''
same 'recv finds nothing' "$(idlergear_recv 2>&1)" ''
same 'no message, no call' "$(idlergear_log x 2>/dev/null)" ''
idlergear_on_message ''
