#!/bin/bash
# The main job from start to end, on a copy of the Django example in a temporary folder: generate a
# script, run it, see it from another terminal, read its log, stop it. Leaves nothing behind.
#
# Needs ig on PATH, python3, and the internet once, for Django.
set -euo pipefail

if ! command -v ig >/dev/null || ! command -v ig-agent >/dev/null; then
  printf 'tour: ig is not on PATH; cargo put it into %s\n' "${CARGO_HOME:-~/.cargo}/bin" >&2
  exit 1
fi

example=$(cd -- "$(dirname -- "$0")/django" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/idlergear-tour.XXXXXX")
had_daemon=yes
ig daemon status >/dev/null 2>&1 || had_daemon=no
server=''

cleanup() {
  local code=$?
  trap - EXIT INT TERM
  if [ -n "$server" ]; then
    ig stop django-dev >/dev/null 2>&1 || kill "$server" 2>/dev/null || :
    wait "$server" 2>/dev/null || :
  fi
  if [ "$had_daemon" = no ]; then
    ig daemon stop >/dev/null 2>&1 || :
  fi
  cd / && rm -rf -- "$work"
  exit "$code"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

say() {
  printf '\n# %s\n' "$*"
}

# Shows a command, then what it says.
try() {
  printf '$ %s\n' "$*"
  "$@"
}

cp -R "$example" "$work/shop"
cd "$work/shop"

say 'A Django project. What ig makes of it:'
try ig init --yes

say 'A script for its development server, running in "another terminal":'
printf '$ ig gen django-dev --run &\n'
ig gen django-dev --run >"$work/said" 2>&1 </dev/null &
server=$!

say 'It makes a Python environment and installs Django; we wait until it is ready:'
if ! try ig-agent wait django-dev ready 600; then
  cat "$work/said" >&2
  exit 1
fi

say 'From here we see it run:'
try ig daemon agents

say 'And read what it says over there:'
try ig logs django-dev --tail 5

port=$(ig logs django-dev | sed -n 's|.*http://127\.0\.0\.1:\([0-9]*\)/.*|\1|p' | tail -n 1)
say "It answers on port $port:"
printf '$ curl http://127.0.0.1:%s/departures.json\n' "$port"
python3 - "http://127.0.0.1:$port/departures.json" <<'PYTHON'
import sys, urllib.request
direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
print(direct.open(sys.argv[1], timeout=30).read().decode())
PYTHON

say 'Stopped, with everything it started:'
try ig stop django-dev
wait "$server" || :
server=''
try ig daemon agents
if python3 -c "import socket; socket.create_connection(('127.0.0.1', $port), 5)" 2>/dev/null; then
  say "Something still listens on port $port: that is a fault of ours."
  exit 1
fi

say 'That was it. To read the script: ig gen django-dev --stdout'
say "In a project of yours: ig init"
