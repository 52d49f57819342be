# Each line of docs/tour.md, in its order: a theme begins in an empty directory, with what its comments give it.
#: timeout 1800
#: long
#: needs debian-tree
DEBIAN_TREE=$PWD/.build/guest-tests/debian.tar
[[ -s $DEBIAN_TREE ]] || skip 'there is no Debian tree; see: scripts/debian-tree'
export DEBIAN_TREE

# The lines of the page, with those of its comments, as `THEME<tab>KIND<tab>LINE`.
lines() {
  awk -v OFS='\t' '
    /^## / { theme = substr($0, 4); next }
    /^<!-- (given|then)$/ { kind = "hidden"; next }
    /^-->$/ { kind = ""; next }
    /^<!-- types / { print theme, "types", $3; next }
    kind != "" { print theme, kind, $0; next }
    theme != "" && /^    / { print theme, "shown", substr($0, 5) }' docs/tour.md
}

export PATH=${NOVM%/*}:$PATH

# One theme as a program: what is shown is echoed; what a person types goes to the next line's terminal.
program() {
  local theme kind line typed=''
  echo 'set -euo pipefail'
  while IFS=$'\t' read -r theme kind line; do
    [[ $theme == "$1" ]] || continue
    case $kind in
      hidden) printf '%s\n' "$line" ;;
      types) typed=$line ;;
      shown)
        line=${line%%  *# *}
        printf 'echo %q\n' "+ $line"
        if [[ -n $typed ]]; then
          # Again and again, since a machine that boots takes what comes before it asks.
          printf '(set +o pipefail; while sleep 2; do echo %q; done 2>/dev/null | script -qec %q /dev/null)\n' \
            "$typed" "$line"
        else
          printf '%s\n' "$line"
        fi
        typed=''
        ;;
    esac
  done < <(lines)
}

failed=''
while read -r theme; do
  mkdir "$TEST/$theme"
  program "$theme" >"$TEST/program"
  # A store for each, with the same kernels.
  export NOVM_ROOT=$TEST/store
  mkdir -p "$NOVM_ROOT/kernels"
  ln -s "$NOVM_KERNELS"/* "$NOVM_ROOT/kernels"
  (cd "$TEST/$theme" && NOVM_KERNELS=$NOVM_ROOT/kernels bash "$TEST/program" </dev/null) || failed+=" $theme;"
  rm -rf "${TEST:?}/$theme" "$NOVM_ROOT"
done < <(lines | cut -f 1 | uniq)
[[ -z $failed ]] || fail "$failed"
