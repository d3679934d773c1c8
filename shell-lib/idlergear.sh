# shellcheck shell=bash
# idlergear.sh: lets a bash (3.2 or newer) or zsh script say what it is doing, so that whoever looks
# from another terminal, person or AI agent, can see it.
#
#   source "$(ig lib --path)"          # or: source idlergear.sh, once `ig lib --install` was run
#   idlergear_register my-worker
#   idlergear_log "processing batch 5/10"
#
# What this file promises: sourcing it prints nothing, starts nothing and changes nothing, twice too.
# A helper never ends your script, not under `set -euo pipefail` either; those whose result is their
# point (require, wait, run, port) return it. Without a daemon or without `ig-agent` they do less and
# say so once. Only functions named idlergear_* are for you; __idlergear_* may change.

if [ -z "${BASH_VERSION:-}" ] && [ -z "${ZSH_VERSION:-}" ]; then
  echo 'idlergear.sh: needs bash or zsh; go on without it, or start the script with #!/bin/bash' >&2
  return 1
fi

# The version of this interface: grows when something is added. See idlergear_require.
IDLERGEAR_SH_VERSION=1.2

# State counts only in the shell process that made it; a child may inherit it through `set -a`.
if [ "${__idlergear_shell:-}" != "$$" ]; then
  __idlergear_shell=$$
  __idlergear_id=''      # our unit, once registered
  __idlergear_keeper=''  # who writes our unit's end: the `runner` around us, or this `script`
  __idlergear_bound=''   # set once we know where records go
  __idlergear_events=''  # the file that takes our records; empty: nowhere
  __idlergear_broken=''  # that file, while it cannot be written
  __idlergear_inbox=''   # exists while messages wait for us
  __idlergear_handler='' # the function of idlergear_on_message
  __idlergear_busy=''    # set while that function runs
  __idlergear_fast=''    # 1: idlergear_log may take its short way
  __idlergear_head=''    # what follows the time in a record of the short way
  __idlergear_epoch=''   # when SECONDS was 0, in a shell that has no EPOCHREALTIME
  __idlergear_texts=0    # long texts written so far
  __idlergear_patience=0 # no messages are asked for before SECONDS reaches this
  __idlergear_told=''    # what was said once already
  __idlergear_outer=''   # the unit around us, from before we registered
fi

# Usage: idlergear_require VERSION
#
# Fails, and says how to get a newer one, when this library is older than VERSION. What then happens
# is the script's affair: with `set -e`, or `|| exit`, it ends.
#
#   idlergear_require 1.2 || exit
idlergear_require() {
  local __idlergear_wanted="${1-}"
  local __idlergear_major="${__idlergear_wanted%%.*}" __idlergear_minor="${__idlergear_wanted#*.}"
  [[ $__idlergear_minor != "$__idlergear_wanted" ]] || __idlergear_minor=0
  __idlergear_minor=${__idlergear_minor%%.*}
  case "$__idlergear_major/$__idlergear_minor" in
  /* | */ | *[!0-9/]*)
    __idlergear_say "idlergear_require wants a version such as $IDLERGEAR_SH_VERSION, not \`${1-}\`"
    return 2
    ;;
  esac
  # 10#: a leading zero does not make a number octal.
  if ((10#$__idlergear_major < ${IDLERGEAR_SH_VERSION%%.*} || (\
    10#$__idlergear_major == ${IDLERGEAR_SH_VERSION%%.*} && \
    10#$__idlergear_minor <= ${IDLERGEAR_SH_VERSION#*.}))); then
    return 0
  fi
  __idlergear_say "this script needs idlergear.sh $1, and this is $IDLERGEAR_SH_VERSION" \
    '  try: cargo install idlergear && ig lib --install'
  return 1
}

# Usage: idlergear_register [NAME] [--type T] [--meta K=V]...
#
# Makes this script an agent: listed while it lives, ended with its exit code, killed when it was.
# NAME is the script's own name if you give none. Set your own EXIT trap before; it is kept.
#
#   idlergear_register importer --type worker --meta batch=7
idlergear_register() {
  __idlergear_has_agent || return 0
  local __idlergear_name="${ZSH_ARGZERO:-$0}" __idlergear_lines='' __idlergear_offer=--offer
  __idlergear_name=${__idlergear_name##*/}
  # `ig stop` may end this script, but never an interactive shell.
  case $- in *i*) __idlergear_offer=--shell ;; esac
  __idlergear_lines=$(\ig-agent register "$@" --shell "$__idlergear_offer" --pid "$$" \
    --fallback "${__idlergear_name%.sh}") || __idlergear_lines=''
  [[ -n $__idlergear_lines ]] || return 0
  __idlergear_adopt "$__idlergear_lines"
  [[ $__idlergear_keeper == runner ]] || __idlergear_watch_exit
}

# Usage: idlergear_unregister
#
# Ends what idlergear_register began, before the script itself ends.
idlergear_unregister() {
  [[ -n $__idlergear_id ]] || return 0
  if [[ $__idlergear_keeper != runner ]]; then
    \ig-agent unregister "$__idlergear_id" || :
    \builtin export IDLERGEAR_RUN_ID="$__idlergear_outer"
    \builtin export IDLERGEAR_AGENT_ID="$__idlergear_outer"
    [[ -n $__idlergear_outer ]] || \builtin unset IDLERGEAR_RUN_ID IDLERGEAR_AGENT_ID
  fi
  __idlergear_id='' __idlergear_keeper='' __idlergear_bound=''
  __idlergear_events='' __idlergear_broken='' __idlergear_inbox=''
  __idlergear_refresh
}

# Usage: idlergear_log [--level debug|info|warn|error] TEXT
#
# Shows TEXT on stderr and, in a registered script, keeps it for `ig logs` and everybody who follows.
# Starts no process: one write to a file. That is why its first lines look the way they do.
#
#   idlergear_log "processing batch 5/10"
idlergear_log() {
  # The short way: registered, one plain text. 999 characters are at most 3996 bytes. What starts
  # with a dash or holds a backslash is not for echo; printf would cost more.
  case ${1-} in
  '' | -* | *\\* | *$'\n'*) __idlergear_log "$@" ;;
  *)
    case ${__idlergear_fast-}$#/${#1} in
    11/? | 11/?? | 11/???)
      {
        \echo "$1" >&2
        \echo "$EPOCHREALTIME$__idlergear_head$1" >>"$__idlergear_events"
      } || __idlergear_lost
      ;;
    *) __idlergear_log "$@" ;;
    esac
    ;;
  esac
}

# Usage: idlergear_status active|idle|busy [DETAIL]
#
# What listings say about this script. No process.
#
#   idlergear_status busy "migrating the database"
idlergear_status() {
  __idlergear_deliver
  case ${1-} in
  active | idle | busy) __idlergear_record status "$1${2:+ $2}" ;;
  *) __idlergear_say "idlergear_status knows active, idle and busy, not \`${1-}\`" ;;
  esac
}

# Usage: idlergear_progress DONE TOTAL [TEXT]
#
# How far this script is. No process.
#
#   idlergear_progress 5 10 "resizing images"
idlergear_progress() {
  __idlergear_deliver
  case "${1-}/${2-}" in
  /* | */ | *[!0-9./]*) __idlergear_say 'idlergear_progress wants two numbers: DONE TOTAL [TEXT]' ;;
  *) __idlergear_record progress "$1/$2${3:+ $3}" ;;
  esac
}

# Usage: idlergear_ready [URL]
#
# Says that this script is up and can be used: what `ig wait` and idlergear_wait wait for. No process.
#
#   idlergear_ready "http://127.0.0.1:$port"
idlergear_ready() {
  __idlergear_deliver
  __idlergear_record ready "${1-}"
}

# Usage: idlergear_send [--to WHO] TEXT
#
# Sends TEXT to one agent, or to all of this project.
#
#   idlergear_send --to web "the schema has changed"
idlergear_send() {
  __idlergear_deliver
  __idlergear_has_agent || return 0
  \ig-agent send "$@" || :
}

# Usage: idlergear_recv [--wait SECONDS]
#
# Prints the messages nobody has read yet, one after the other; nothing when there are none. With
# --wait it waits for the first. Without, and with no message, it starts no process.
#
#   while text=$(idlergear_recv --wait 60) && [[ -n $text ]]; do handle "$text"; done
idlergear_recv() {
  [[ -n $__idlergear_bound ]] || __idlergear_bind
  [[ -n $__idlergear_inbox ]] || return 0
  [[ $# -gt 0 || -e $__idlergear_inbox ]] || return 0
  __idlergear_has_agent || return 0
  \ig-agent recv --id "${__idlergear_inbox##*/}" "$@" || :
}

# Usage: idlergear_on_message FUNCTION
#
# Calls FUNCTION TEXT FROM for each message, but only inside other helpers (log, status, progress,
# ready, send, wait, run): your script is never interrupted. An empty FUNCTION ends that.
#
#   on_message() { idlergear_log "$2 says: $1"; }
#   idlergear_on_message on_message
idlergear_on_message() {
  if [[ -n ${1-} ]] && ! \builtin typeset -f "$1" >/dev/null; then
    __idlergear_say "idlergear_on_message wants a function, and \`$1\` is none"
    return 0
  fi
  __idlergear_handler=${1-}
  [[ -n $__idlergear_bound ]] || __idlergear_bind
  __idlergear_refresh
}

# Usage: idlergear_wait WHO [ready|exit] [SECONDS]
#
# Waits until WHO is ready (the default) or has ended. Returns 0 when ready, the other's own code when
# it ended, 1 when it died before it was ready, 124 when the time (60 seconds) is up.
#
#   idlergear_wait database ready 30 || exit
idlergear_wait() {
  local __idlergear_code=0
  __idlergear_deliver
  __idlergear_has_agent || return 1
  \ig-agent wait "$@" || __idlergear_code=$?
  __idlergear_deliver
  return "$__idlergear_code"
}

# Usage: idlergear_run [--name N] -- CMD...
#
# Runs CMD as a unit of its own inside this one: recorded, with its output kept. Returns CMD's code.
# Without ig-agent it just runs CMD.
#
#   idlergear_run --name migrate -- python manage.py migrate
idlergear_run() {
  local __idlergear_code=0
  __idlergear_deliver
  if __idlergear_has_agent; then
    \ig-agent run "$@" || __idlergear_code=$?
  else
    while [[ ${1-} == --* ]]; do
      case $1 in
      --)
        shift
        break
        ;;
      --name | --type | --script | --kind | --terms | --limits) shift $(($# < 2 ? $# : 2)) ;;
      *) shift ;;
      esac
    done
    "$@" || __idlergear_code=$?
  fi
  __idlergear_deliver
  return "$__idlergear_code"
}

# Usage: idlergear_port [BASE]
#
# Prints a TCP port that is free and claimed for this script: the one it had before, else BASE (8000)
# or one after it. When PORT is set it is that one or, if taken, a failure that names the owner.
#
#   port=$(idlergear_port 8000)
idlergear_port() {
  if ! __idlergear_has_agent; then
    \builtin printf '%s\n' "${PORT:-${1:-8000}}"
  elif [[ -n ${PORT-} ]]; then
    \ig-agent port "$PORT" --fixed --pid "$$"
  else
    \ig-agent port "${1:-8000}" --pid "$$"
  fi
}

# Below: private.

__idlergear_say() {
  \builtin printf 'idlergear: %s\n' "$1" >&2 || :
  [[ -z ${2-} ]] || \builtin printf '%s\n' "$2" >&2 || :
}

# Whether ig-agent is there; its absence is told once.
__idlergear_has_agent() {
  \builtin command -v ig-agent >/dev/null 2>&1 && return 0
  if [[ $__idlergear_told != *agent* ]]; then
    __idlergear_told+=' agent'
    __idlergear_say 'ig-agent is not on PATH; this script goes on without it'
  fi
  return 1
}

# Takes over what `ig-agent register --shell` printed: id, path of events.log, path of the inbox, and
# who writes the unit's end: `runner` or `script`.
__idlergear_adopt() {
  local __idlergear_new="${1%%$'\n'*}" __idlergear_rest="${1#*$'\n'}"
  __idlergear_events=${__idlergear_rest%%$'\n'*}
  __idlergear_rest=${__idlergear_rest#*$'\n'}
  __idlergear_inbox=${__idlergear_rest%%$'\n'*}
  __idlergear_keeper=${__idlergear_rest#*$'\n'}
  [[ ${IDLERGEAR_RUN_ID-} == "$__idlergear_new" ]] || __idlergear_outer=${IDLERGEAR_RUN_ID-}
  __idlergear_id=$__idlergear_new __idlergear_broken='' __idlergear_bound=1
  \builtin export IDLERGEAR_RUN_ID="$__idlergear_id"
  # shellcheck disable=SC2034 # exported: children use it
  \builtin export IDLERGEAR_AGENT_ID="$__idlergear_id"
  case $__idlergear_events in
  */.idlergear/runs/*) \builtin export IDLERGEAR_PROJECT="${__idlergear_events%/.idlergear/runs/*}" ;;
  esac
  __idlergear_refresh
}

# In a script that did not register but runs inside a unit, records go to that unit.
__idlergear_bind() {
  local __idlergear_folder __idlergear_state="${XDG_STATE_HOME:-${HOME-}/.local/state}/idlergear"
  __idlergear_bound=1
  case ${IDLERGEAR_RUN_ID-} in
  '' | */* | .*) return 0 ;;
  esac
  __idlergear_inbox=$__idlergear_state/inbox/$IDLERGEAR_RUN_ID
  for __idlergear_folder in "${IDLERGEAR_PROJECT-}/.idlergear/runs" \
    "$__idlergear_state/runs" "$__idlergear_state/live"; do
    [[ -d $__idlergear_folder/$IDLERGEAR_RUN_ID ]] || continue
    __idlergear_events=$__idlergear_folder/$IDLERGEAR_RUN_ID/events.log
    break
  done
  __idlergear_refresh
}

# Looks for a clock and for all that keeps idlergear_log from its short way.
__idlergear_refresh() {
  if [[ -n ${ZSH_VERSION-} ]]; then
    \builtin zmodload -sF zsh/datetime p:EPOCHREALTIME || :
    \builtin zmodload -sF zsh/system p:sysparams || :
  elif [[ -z ${EPOCHREALTIME-} && -z $__idlergear_epoch && -n $__idlergear_id ]]; then
    __idlergear_epoch=$(\date +%s) || __idlergear_epoch=''
    [[ -z $__idlergear_epoch ]] || __idlergear_epoch=$((__idlergear_epoch - ${SECONDS:-0}))
  fi
  __idlergear_head=$'\t'$$$'\t.\tinfo\t'
  __idlergear_fast=''
  if [[ -n $__idlergear_events && -z $__idlergear_handler && -n ${EPOCHREALTIME-} ]]; then
    # The short way calls echo without `builtin`, a tenth of its time: not over a script's own one.
    \builtin typeset -f echo >/dev/null || __idlergear_fast=1
  fi
}

# idlergear_log, the long way: options, any text, any shell.
__idlergear_log() {
  __idlergear_deliver
  local __idlergear_level=info IFS=' '
  case ${1-} in
  --level)
    __idlergear_level=${2-}
    shift $(($# < 2 ? $# : 2))
    ;;
  --level=*)
    __idlergear_level=${1#*=}
    shift
    ;;
  esac
  [[ ${1-} != -- ]] || shift
  case $__idlergear_level in
  debug | info | warn | error) ;;
  warning) __idlergear_level=warn ;;
  *) __idlergear_level=info ;;
  esac
  \builtin printf '%s\n' "$*" >&2 || :
  __idlergear_record "$__idlergear_level" "$*"
}

# Appends LEVEL TEXT to events.log: records of at most 4096 bytes, which is what one write keeps whole.
__idlergear_record() {
  [[ -n $__idlergear_bound ]] || __idlergear_bind
  [[ -n $__idlergear_events || -n $__idlergear_broken ]] || return 0
  local __idlergear_text="$2" __idlergear_writer="$$"
  if [[ ${#2} -gt 1000 ]]; then
    # Nobody else writes under this name, so nothing gets between the pieces of a long text.
    __idlergear_texts=$((__idlergear_texts + 1))
    __idlergear_writer=${BASHPID:-$$.$RANDOM$RANDOM}
    [[ -z ${ZSH_VERSION-} ]] || __idlergear_writer=${sysparams[pid]:-$$}
    __idlergear_writer+=.$__idlergear_texts
    # What is left is copied for each piece: little of it, or a long text takes its length squared.
    local __idlergear_later="${__idlergear_text:50000}"
    __idlergear_text=${__idlergear_text:0:50000}
    while [[ ${#__idlergear_text} -gt 1000 || -n $__idlergear_later ]]; do
      __idlergear_append "$__idlergear_writer" + "$1" "${__idlergear_text:0:1000}"
      __idlergear_text=${__idlergear_text:1000}
      if [[ -z $__idlergear_text ]]; then
        __idlergear_text=${__idlergear_later:0:50000}
        __idlergear_later=${__idlergear_later:50000}
      fi
    done
  fi
  __idlergear_append "$__idlergear_writer" . "$1" "$__idlergear_text"
}

# Writes one record: WRITER FLAG LEVEL PIECE.
__idlergear_append() {
  local __idlergear_piece="$4" __idlergear_at="${EPOCHREALTIME:-}"
  # shellcheck disable=SC1003 # they are backslashes, not attempts to escape the quote
  local __idlergear_one='\' __idlergear_two='\\' __idlergear_newline='\n'
  if [[ -z $__idlergear_at ]]; then
    __idlergear_at=${__idlergear_epoch:+$((__idlergear_epoch + ${SECONDS:-0}))}
  fi
  __idlergear_piece=${__idlergear_piece//"$__idlergear_one"/"$__idlergear_two"}
  __idlergear_piece=${__idlergear_piece//$'\n'/"$__idlergear_newline"}
  __idlergear_piece="${__idlergear_at:--}"$'\t'"$1"$'\t'"$2"$'\t'"$3"$'\t'"$__idlergear_piece"
  if [[ -n $__idlergear_events ]]; then
    \builtin printf '%s\n' "$__idlergear_piece" >>"$__idlergear_events" || __idlergear_lost
  elif { \builtin printf '\n%s\n' "$__idlergear_piece" >>"$__idlergear_broken"; } 2>/dev/null; then
    # Writable again. The empty line closes what a full disk may have cut.
    __idlergear_events=$__idlergear_broken __idlergear_broken=''
    __idlergear_refresh
  fi
}

# A record could not be written: says so once, and tries again quietly from now on.
__idlergear_lost() {
  __idlergear_broken=$__idlergear_events __idlergear_events='' __idlergear_fast=''
  [[ $__idlergear_told != *log* ]] || return 0
  __idlergear_told+=' log'
  __idlergear_say "cannot write to $__idlergear_broken; this script goes on, its log is not kept"
}

# Calls the handler of idlergear_on_message for what has come in: a test of a file when nothing has.
__idlergear_deliver() {
  [[ -n ${__idlergear_handler-} && -z $__idlergear_busy && -e $__idlergear_inbox ]] || return 0
  ((${SECONDS:-0} >= __idlergear_patience)) || return 0
  # A handler may call helpers; it is not called again before it is done.
  local __idlergear_call="$__idlergear_handler" __idlergear_lines='' __idlergear_text __idlergear_from
  local __idlergear_ifs="${IFS-unset}" __idlergear_glob=''
  __idlergear_busy=1
  __idlergear_lines=$(\ig-agent recv --strict --shell --id "${__idlergear_inbox##*/}" 2>/dev/null) ||
    __idlergear_patience=$((${SECONDS:-0} + 5))
  # Into words at one go: to cut off one line after the other takes the length of all, squared.
  if [[ -n ${ZSH_VERSION-} ]]; then
    # shellcheck disable=SC2296 # zsh's own word for that
    \builtin eval '\builtin set -- "${(@f)__idlergear_lines}"'
  else
    case $- in
    *f*) ;;
    *) __idlergear_glob=1 ;;
    esac
    \builtin set -f
    IFS=$'\n'
    # shellcheck disable=SC2086 # into words, on purpose
    \builtin set -- $__idlergear_lines
    IFS=$__idlergear_ifs
    [[ $__idlergear_ifs != unset ]] || \builtin unset IFS
    [[ -z $__idlergear_glob ]] || \builtin set +f
  fi
  for __idlergear_text in "$@"; do
    [[ -n $__idlergear_text ]] || continue
    __idlergear_from=${__idlergear_text%%$'\t'*}
    \builtin printf -v __idlergear_text %b "${__idlergear_text#*$'\t'}"
    "$__idlergear_call" "$__idlergear_text" "$__idlergear_from" || :
  done
  __idlergear_busy=''
}

# Runs `ig-agent unregister` when the script ends, beside whatever the script itself does then.
__idlergear_watch_exit() {
  [[ $__idlergear_told != *exit* ]] || return 0
  __idlergear_told+=' exit'
  if [[ -n ${ZSH_VERSION-} ]]; then
    zshexit_functions+=(__idlergear_zshexit)
    return 0
  fi
  local __idlergear_trap
  __idlergear_trap=$(\builtin trap -p EXIT)
  \builtin eval "__idlergear_wrap_exit ${__idlergear_trap:-trap -- : EXIT}"
}

# Takes the words of `trap -- CODE EXIT`.
__idlergear_wrap_exit() {
  # The script's own trap finds the `$?` it would have found, and errexit does not come between.
  # shellcheck disable=SC2064 # composed now, on purpose
  \builtin trap -- "__idlergear_at_exit \"\$?\" && :
${3:-:}" EXIT
}

__idlergear_zshexit() {
  __idlergear_at_exit "$?" || :
}

# Whether a signal ends bash right now. It runs the EXIT trap then too, with the `$?` of the command
# before: but what it was waiting for still runs, a job without `&`. A shell that ends by itself has
# only jobs with one. What it reads, or counts, or puts into a variable then, is no job: that is not
# noticed here. Where the kernel keeps exit statuses, a daemon corrects either.
__idlergear_is_cut_short() {
  [[ -n ${BASH_VERSION-} ]] || return 1
  local __idlergear_jobs='' __idlergear_text __idlergear_before=' &'
  # In words that are not translated.
  # shellcheck disable=SC2030 # here only, on purpose
  __idlergear_jobs=$(LC_ALL=C && \builtin jobs -r 2>/dev/null) || return 1
  [[ -n $__idlergear_jobs ]] || return 1
  [[ $BASH_COMMAND != 'wait' ]] || return 0
  __idlergear_jobs+=$'\n[end]'
  # One job may be many lines.
  while [[ -n $__idlergear_jobs ]]; do
    __idlergear_text=${__idlergear_jobs%%$'\n'*}
    __idlergear_jobs=${__idlergear_jobs:${#__idlergear_text}+1}
    case $__idlergear_text in
    '['*)
      case $__idlergear_before in
      *' &' | *' &  (wd: '*')') ;;
      *) return 0 ;;
      esac
      ;;
    esac
    __idlergear_before=$__idlergear_text
  done
  return 1
}

# Returns CODE. A death by signal needs no word: whoever looks sees that the process is gone.
__idlergear_at_exit() {
  case $1 in
  129 | 130 | 131 | 143) return "$1" ;;
  0) ! __idlergear_is_cut_short || return 0 ;;
  esac
  if [[ -n $__idlergear_id && $__idlergear_keeper != runner ]]; then
    \ig-agent unregister "$__idlergear_id" --exit-code "$1" || :
  fi
  return "$1"
}
