#!/bin/bash
# What is left of a unit when its daemon is killed, and of its tree when it is stopped: the same work
# under ig, pueue and pitchfork, as a table of what was seen just now.
#
# Usage: benches/peers.sh
#
# Needs ig and ig-agent on PATH. Of the peers it takes those on PATH:
#   cargo install --locked pueue pitchfork-cli
# Every tool gets a HOME of its own, in a folder that is removed.
set -euo pipefail

tools=(ig pueue pitchfork)
place=$(mktemp -d)
unset XDG_CONFIG_HOME XDG_STATE_HOME XDG_DATA_HOME XDG_CACHE_HOME
unset IDLERGEAR_SOCKET IDLERGEAR_PROJECT IDLERGEAR_RUN_ID IDLERGEAR_NO_DAEMON IDLERGEAR_NO_AUTOSTART
daemon='' count=150

# alive PID: it runs, and is no zombie
alive() { [[ -n $1 ]] && grep -q '^State:[[:space:]]*[^ZX]' "/proc/$1/status" 2>/dev/null; }

# end FILE...: the processes whose pids are in these files, and nobody else
end() {
  local file pid
  for file in "$@"; do
    [[ -s $file ]] || continue
    pid=$(<"$file")
    # Ours is recognised by its folder: the number may be somebody else's by now.
    if [[ $(readlink "/proc/$pid/cwd" 2>/dev/null) == "$place"/* ]]; then
      kill -KILL "$pid" 2>/dev/null || true
    fi
  done
}

kill_daemon() {
  [[ -n $daemon ]] || return 0
  kill -KILL "$daemon" 2>/dev/null || true
  wait "$daemon" 2>/dev/null || true
  daemon=''
}

finish() {
  kill_daemon
  end "$place"/*/project/*.pid
  rm -rf "$place"
}
trap finish EXIT

# within SECONDS COMMAND...: whether it comes true in that time
within() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < deadline)) || return 1
    sleep 0.05
  done
}

# The daemon of each tool is our own child, by `exec`, so that we know whom to kill.
ig_serve() { exec ig daemon serve; }
ig_answers() { ig daemon status; }
ig_version() { ig --version | grep -o '[0-9][0-9.]*'; }
ig_start() { ig start "$1" -- "bash $1.sh" >"$1.id"; }
ig_terminal() { ig start "$1" --pty -- "bash $1.sh" >"$1.id"; }
ig_log() { ig logs "$(<"$1.id")"; }
ig_code() { ig run status "$(<"$1.id")" --json | sed -n 's/^ *"exit_code": \([0-9]*\),*$/\1/p'; }
ig_stop() { ig stop "$1" --grace 2s; }

pueue_serve() { exec pueued; }
pueue_answers() { pueue status; }
pueue_version() { pueue --version | grep -o '[0-9][0-9.]*'; }
pueue_start() { pueue add --immediate --print-task-id -- "bash $1.sh" >"$1.id"; }
pueue_log() { pueue log --full "$(<"$1.id")"; }
pueue_code() { pueue log "$(<"$1.id")" 2>&1 | sed -n 's/.*with exit code \([0-9]*\).*/\1/p'; }
pueue_stop() { pueue kill "$(<"$1.id")"; }

pitchfork_serve() { exec pitchfork supervisor run; }
pitchfork_answers() { pitchfork supervisor status; }
pitchfork_version() { pitchfork --version | grep -o '[0-9][0-9.]*' | head -n 1; }
pitchfork_start() { pitchfork run "$1" --delay 0 -- bash "$1.sh"; }
pitchfork_terminal() {
  printf '[daemons.%s]\nrun = "bash %s.sh"\npty = true\nready_delay = 0\n' "$1" "$1" >>pitchfork.toml
  pitchfork start "$1"
}
pitchfork_log() { pitchfork logs --raw --no-pager "$1"; }
pitchfork_code() {
  local code=0
  pitchfork wait "$1" >/dev/null 2>&1 || code=$?
  echo "$code"
}
pitchfork_stop() { pitchfork stop "$1"; }

serve() {
  "${tool}_serve" >>"$HOME/daemon.log" 2>&1 </dev/null &
  daemon=$!
  within 20 "${tool}_answers"
}

# Numbered lines. Their writer tells its pid and how far it is beside the tool.
# shellcheck disable=SC2016 # for another shell
lines='echo $$ >NAME.pid
for i in {1..COUNT}; do
  echo "line $i"
  echo "$i" >NAME.progress
  sleep 0.05
done'
numbered="$lines
exit 7"

# The same for one that has a terminal, and needs it to the end.
terminal="test -t 0 && test -t 1 || exit 9
$lines
test -t 1 && echo end >/dev/tty && exit 7"

# Somebody with a session of his own.
# shellcheck disable=SC2016 # for another shell
nested='echo $$ >NAME.pid
setsid bash -c "echo \$\$ >NAME-grandchild.pid; exec sleep 600" &
exec sleep 600'

# write NAME TEXT
write() {
  local text=${2//NAME/$1}
  printf '%s\n' "${text//COUNT/$count}" >"$1.sh"
}

has_come_to() { [[ -s $1.progress && $(<"$1.progress") -ge $2 ]]; }
is_over() { has_come_to "$1" "$count" && ! alive "$(<"$1.pid")"; }
lines_of() { "${tool}_log" "$1" 2>/dev/null | tr -d '\r' | grep -o 'line [0-9]*$'; }
has_all_lines() { cmp -s <(lines_of "$1") <(seq -f 'line %.0f' "$count"); }
has_code() { [[ $("${tool}_code" "$1") == 7 ]]; }
is_gone() { ! alive "$(<"$1")"; }

yes_or_no() { if "$@"; then echo yes; else echo no; fi; }

# survives NAME: its daemon is killed while NAME writes, and comes back while it still does
survives() {
  local so_far
  within 20 has_come_to "$1" 20 || return 1
  kill_daemon
  if "${tool}_answers" >/dev/null 2>&1; then
    echo "the daemon of $tool has not been killed" >&2
    exit 1
  fi
  so_far=$(<"$1.progress")
  within 10 has_come_to "$1" $((so_far + 20)) || return 1
  serve
  within 30 is_over "$1"
}

# undisturbed NAME HOW TEXT: nobody is killed. What cannot be read now proves nothing later.
undisturbed() {
  local count=40
  write "$1" "$3"
  "${tool}_$2" "$1" >>"$HOME/start.log" 2>&1
  if ! { within 30 is_over "$1" && within 5 has_all_lines "$1" && within 5 has_code "$1"; }; then
    echo "the log or the exit code of $tool cannot be read" >&2
    exit 1
  fi
}

# killed: child, log, exit code
killed() {
  undisturbed quiet start "$numbered"
  write numbered "$numbered"
  "${tool}_start" numbered >>"$HOME/start.log" 2>&1
  answer child yes_or_no survives numbered
  [[ -n $daemon ]] || serve
  answer log yes_or_no within 3 has_all_lines numbered
  answer code yes_or_no within 3 has_code numbered
  end numbered.pid
}

in_terminal() {
  if ! declare -F "${tool}_terminal" >/dev/null; then
    answer pty echo 'no terminals'
    return
  fi
  undisturbed quiet-terminal terminal "$terminal"
  write terminal "$terminal"
  "${tool}_terminal" terminal >>"$HOME/start.log" 2>&1
  answer pty yes_or_no survives_in_terminal
  [[ -n $daemon ]] || serve
  end terminal.pid
}

survives_in_terminal() {
  survives terminal && within 3 has_all_lines terminal && has_code terminal
}

stopped() {
  write nested "$nested"
  "${tool}_start" nested >>"$HOME/start.log" 2>&1 &
  within 20 test -s nested-grandchild.pid
  wait $! || true
  "${tool}_stop" nested >>"$HOME/start.log" 2>&1 || true
  if ! within 10 is_gone nested.pid; then
    echo "$tool has not stopped what it was told to stop" >&2
    exit 1
  fi
  answer stop yes_or_no within 5 is_gone nested-grandchild.pid
  end nested.pid nested-grandchild.pid
}

declare -A answers

# answer QUESTION COMMAND...: what it prints is the tool's answer
answer() {
  local question=$1
  shift
  # In this shell: the command may start and kill daemons.
  "$@" >"$HOME/answer"
  answers[$tool, $question]=$(<"$HOME/answer")
}

measure() {
  export HOME=$place/$tool XDG_RUNTIME_DIR=$place/$tool/run
  mkdir -p "$HOME/project/.idlergear" "$XDG_RUNTIME_DIR"
  chmod 700 "$XDG_RUNTIME_DIR"
  cd "$HOME/project"
  answers[$tool, version]=" $("${tool}_version")"
  serve
  killed
  in_terminal
  stopped
  kill_daemon
}

for tool in "${tools[@]}"; do
  if ! command -v "$tool" >/dev/null; then
    for question in child log code pty stop; do answers[$tool, $question]='not installed'; done
    continue
  fi
  printf 'measuring %s ...\n' "$tool" >&2
  measure
done

# row WORDS QUESTION
row() {
  printf '| %-54s |' "$1"
  for tool in "${tools[@]}"; do printf ' %-16s |' "${answers[$tool, $2]}"; done
  printf '\n'
}

printf '| %-54s |' ''
for tool in "${tools[@]}"; do printf ' %-16s |' "$tool${answers[$tool, version]-}"; done
printf '\n|%s|%s|%s|%s|\n' "$(printf -- '-%.0s' {1..56})" ------------------{,,}
row 'its child lives through SIGKILL of the daemon' child
row 'the log has every line, written meanwhile or after' log
row 'the exit code is known afterwards' code
row 'a program in a terminal lives through it, log and code' pty
row 'a grandchild with its own session is gone after a stop' stop
printf '\n%s, %s\n' "$(uname -sr)" "$(date -u +%Y-%m-%d)"
