# shellcheck shell=bash disable=SC1091
. "$SUPPORT"
load
for version in 1 1.0 1.2 1.2.9 0.99 1.02 01.1; do idlergear_require "$version"; done
for version in 1.3 2 2.0 10.1 1.08 09; do
  said=$(idlergear_require "$version" 2>&1) && exit 98
  same "words for $version" "${said%%,*}" "idlergear: this script needs idlergear.sh $version"
done
for version in '' x 1.x -1; do
  code=0
  idlergear_require "$version" 2>/dev/null || code=$?
  same "nonsense $version" "$code" 2
done
code=0
said=$(idlergear_require 2>&1) || code=$?
same 'nothing' "$code $said" \
  "2 idlergear: idlergear_require wants a version such as $IDLERGEAR_SH_VERSION, not \`\`"
# It fails, and what then happens is the script's affair.
(
  set +e
  idlergear_require 99 2>/dev/null
  echo 'went on'
) | grep -q 'went on'
