#!/bin/bash
# What `ig gen` costs, as ratios to `bash -c true` in the same round. The goal: at most 1.5.
#
#   cargo build --release && PATH=target/release:$PATH bash benches/gen.sh [ROUNDS]
#
# Needs bash 5 for its clock. Medians over the rounds; a busy machine shows in the load.
set -euo pipefail

rounds=${1:-15}
command -v ig >/dev/null || { echo 'ig is not on PATH' >&2 && exit 1; }
folder=$(mktemp -d)
trap 'rm -rf -- "$folder"' EXIT
cd -- "$folder"

# Microseconds that 20 runs of a command take.
cost() {
  local from=${EPOCHREALTIME//[.,]/} i
  for ((i = 0; i < 20; i++)); do "$@" >/dev/null 2>&1; done
  took=$((${EPOCHREALTIME//[.,]/} - from))
}

median() {
  sort -n | sed -n "$((rounds / 2 + 1))p"
}

for ((round = 0; round < rounds; round++)); do
  cost bash -c true && floor=$took
  for form in unchanged --stdout --list; do
    case $form in
    unchanged) cost ig gen django-dev ;;
    --stdout) cost ig gen django-dev --stdout ;;
    --list) cost ig gen --list ;;
    esac
    echo "$((took * 100 / floor))" >>"./ratio $form"
  done
done

for form in unchanged --stdout --list; do
  printf 'ig gen, %-10s %s %% of bash -c true\n' "$form" "$(median <"./ratio $form")"
done
printf 'load %s\n' "$(cut -d ' ' -f 1-3 /proc/loadavg 2>/dev/null || echo unknown)"
