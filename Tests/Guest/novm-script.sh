# `scripts/novm`, the first of README's two commands: novm of this checkout, where a host can run it.
#: outside
#: timeout 600
expect_output "$(.build/novm/bin/novm --version)" scripts/novm --version
scripts/novm --help | grep -q 'USAGE: novm' || fail 'no help'
expect_status 3 scripts/novm run -- sh -c 'cat; echo error >&2; exit 3' <<<'input' >"$TEST/output" 2>"$TEST/errors"
expect_output input cat "$TEST/output"
grep -qx error "$TEST/errors" || fail "$(<"$TEST/errors")"
