# `scripts/novm`, the first of README's two commands: novm of this checkout, where a host can run it.
#: outside
#: timeout 600
expect_output "$(.build/novm/bin/novm --version)" scripts/novm --version
scripts/novm --help | grep 'USAGE: novm' >/dev/null || fail 'no help'
expect_status 3 scripts/novm run -- sh -c 'cat; echo error >&2; exit 3' <<<'input' >"$TEST/output" 2>"$TEST/errors"
expect_output input cat "$TEST/output"
grep -qx error "$TEST/errors" || fail "$(<"$TEST/errors")"

# What is behind the command is the command's, -h too; as the first word it is a question that no machine answers.
scripts/novm run df -h / >"$TEST/output" || fail 'df -h'
grep -q '^root .* /$' "$TEST/output" || fail "$(<"$TEST/output")"
scripts/novm run -h 2>"$TEST/errors" | grep -e --share >/dev/null || fail 'no short help'
expect_output '' cat "$TEST/errors"
scripts/novm kernel import -h | grep -e --deb >/dev/null || fail 'no help of a command in a group'

# What a killed set-up has left, by which no server would ever start, the next one takes away; what is another's stays.
if ((EUID == 0)) && [[ -z $(scripts/setup --missing) ]]; then
  mkdir "$TEST/sbin"
  # shellcheck disable=SC2016 # for the shell in there
  set_up() { unshare --mount --propagation private sh -c 'mount --bind "$1" /usr/sbin && scripts/setup' - "$TEST/sbin"; }
  printf '#!/bin/sh\n# of novm, scripts/setup, process %s\nexit 101\n' "$$" >"$TEST/sbin/policy-rc.d"
  set_up
  [[ -e $TEST/sbin/policy-rc.d ]] || fail 'the file of one that runs is gone'
  printf '#!/bin/sh\n# of novm, scripts/setup, process 4194305\nexit 101\n' >"$TEST/sbin/policy-rc.d"
  set_up
  [[ ! -e $TEST/sbin/policy-rc.d ]] || fail 'what a killed set-up has left is there'
  printf '#!/bin/sh\nexit 101\n' >"$TEST/sbin/policy-rc.d"
  set_up
  [[ -e $TEST/sbin/policy-rc.d ]] || fail "another's file is gone"
fi
