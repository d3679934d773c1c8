#!/bin/bash
# Copies folders into a dated archive each, tells every other terminal how far it is, and does what
# it is told: `ig daemon send --to backup skip` leaves out the next folder, `stop` ends it early.
#
#   ./backup.sh DESTINATION FOLDER...
set -euo pipefail

if [ "$#" -lt 2 ]; then
  printf 'usage: %s DESTINATION FOLDER...\n' "$0" >&2
  exit 2
fi

if lib=$(ig lib --path 2>/dev/null) || lib=$(ig-agent lib 2>/dev/null); then
  # shellcheck source=/dev/null
  . "$lib"
else
  # No IdlerGear here: the backup matters more than who watches it.
  idlergear_register() { :; }
  idlergear_log() { printf '%s\n' "$*" >&2; }
  idlergear_status() { :; }
  idlergear_progress() { :; }
  idlergear_send() { :; }
  idlergear_recv() { :; }
fi

# Archives one folder; a half-written archive never keeps the final name.
archive() {
  local folder=$1 file
  file=$destination/$(basename -- "$folder")-$(date +%Y%m%d-%H%M%S).tar.gz
  tar -czf "$file.part" -C "$(dirname -- "$folder")" -- "$(basename -- "$folder")"
  mv -- "$file.part" "$file"
  idlergear_log "wrote $file"
}

idlergear_register backup --type backup
destination=$1
shift
mkdir -p -- "$destination"

total=$#
done=0
for folder in "$@"; do
  order=$(idlergear_recv)
  case $order in
    stop)
      idlergear_log "told to stop after $done of $total"
      break
      ;;
    skip) idlergear_log "told to skip $folder" ;;
    *)
      idlergear_status busy "archiving $folder"
      archive "$folder"
      ;;
  esac
  done=$((done + 1))
  idlergear_progress "$done" "$total" "$folder"
done
idlergear_status idle
idlergear_send "backup: $done of $total folders"
