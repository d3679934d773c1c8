# What scripts do to a shell that a library must not mind.
# shellcheck shell=bash disable=SC1091,SC2032,SC2033,SC2317,SC2034,SC2120
. "$SUPPORT"
text=mine name=mine level=mine path_before=$PATH
readonly text name level
[ -n "${ZSH_VERSION-}" ] || shopt -s expand_aliases
for word in printf trap eval command cat typeset export unset; do
  alias "$word=echo ALIAS"
done
load
\unalias printf trap eval command cat typeset export unset
printf() { echo FUNCTION; }
trap() { echo FUNCTION; }
eval() { echo FUNCTION; }
typeset() { echo FUNCTION; }
IFS=0123456789abc
set -f
set -C
[ -z "${ZSH_VERSION-}" ] || setopt ksh_arrays sh_word_split no_append_create warn_create_global
idlergear_register hostile 2>/dev/null
idlergear_log 'one * two' 2>/dev/null
idlergear_log 'with
newline and \ backslash' 2>/dev/null
idlergear_status busy 'a b c'
idlergear_on_message printf
idlergear_log 'with a handler' 2>/dev/null
idlergear_on_message ''
IFS=' '
set +f
same 'PATH' "$PATH" "$path_before"
[ "$MODE" = alone ] || same 'records' "$(events)" "$(command printf '%s\n' 'info	one * two' \
  'info	with\nnewline and \\ backslash' 'status	busy a b c' 'info	with a handler')"
unset -f trap eval printf typeset
