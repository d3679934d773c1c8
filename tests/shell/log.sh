# shellcheck shell=bash disable=SC1091
. "$SUPPORT"
load
same 'shown before registering' "$(idlergear_log 'plain text' 2>&1)" 'plain text'
idlergear_register log-test 2>/dev/null
same 'nothing on stdout' "$(idlergear_log 'x' 2>/dev/null)" ''
newline='
'
for text in 'plain' '' 'a  b' '100% %s %d' '-n' '-' 'back\slash' 'end\' 'two'"$newline"'lines' \
  'né ☃ 𝄞' '* ? [a]' '$HOME `x` $(x)' "it's" '"q"' '!' '~' "tab	tab"; do
  same "shown: $text" "$(idlergear_log "$text" 2>&1)" "$text"
done
same 'option-like text' "$(idlergear_log -- --level 2>&1)" '--level'
same 'unknown option is text' "$(idlergear_log --verbose 2>&1)" '--verbose'
same 'several words' "$(IFS=: && idlergear_log one two 2>&1)" 'one two'
same 'no text' "$(idlergear_log 2>&1)" ''
idlergear_log --level warn 'careful' 2>/dev/null
idlergear_log --level=error 'ouch' 2>/dev/null
idlergear_log --level nonsense 'unknown level' 2>/dev/null
# zsh 5.9 itself stumbles over a closed stderr
if [ -n "${ZSH_VERSION-}" ]; then
  idlergear_log 'closed stderr' 2>/dev/null
else
  idlergear_log 'closed stderr' 2>&-
fi
false || idlergear_log 'after a failure' 2>/dev/null
same 'its own result' "$?" 0
(idlergear_log 'from a subshell' 2>/dev/null)
if [ "$MODE" = agent ]; then
  # what Rust reads back is compared in tests/shell.rs; here the last ones by eye
  same 'the last records' "$(events | tail -n 6)" "$(printf '%s\n' 'warn	careful' 'error	ouch' \
    'info	unknown level' 'info	closed stderr' 'info	after a failure' 'info	from a subshell')"
fi
