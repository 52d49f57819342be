# Words and small tools for Testbed/host. Sourced.

cache=${NOVM_TESTBED_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/novm/testbed}

say() { printf 'testbed: %s\n' "$*" >&2; }

# 125 is Docker's status for a failure of the tool itself, not of the command that it runs.
die() {
  say "$*"
  exit 125
}

argument() { (($# > 1)) && printf %s "$2" || die "$1 needs a value"; }

number() {
  [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || die "$1 needs a positive number, not '${2:-}'"
  printf %s "$2"
}

# Quotes the arguments for a POSIX shell, whatever bytes they hold.
quote() {
  local word quoted=''
  for word; do
    quoted+=" '${word//\'/\'\\\'\'}'"
  done
  printf %s "${quoted# }"
}
