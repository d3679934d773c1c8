# send, recv and on_message without a daemon: harmless and quiet.
# shellcheck shell=bash disable=SC1091
. "$SUPPORT"
load
same 'recv before registering' "$(idlergear_recv)" ''
same 'a wrong handler is told' "$(idlergear_on_message nothing 2>&1)" \
  'idlergear: idlergear_on_message wants a function, and `nothing` is none'
handler() { echo "called with $1"; }
idlergear_on_message handler
idlergear_register messages-test 2>/dev/null
if [ "$MODE" = agent ]; then
  said=$(idlergear_send --to web 'hello' 2>&1)
  same 'send says that nobody takes it' "${said%%$'\n'*}" \
    "ig-agent: the message is queued: the daemon is not running"
fi
same 'send says so once' "$(idlergear_send --to web 'hello' 2>&1)" ''
same 'recv finds nothing' "$(idlergear_recv 2>&1)" ''
same 'no message, no call' "$(idlergear_log x 2>/dev/null)" ''
idlergear_on_message ''
