# What `novm run` exits with: the command's own status, or Docker's for what kept it from running.
#: as root tester/pci
#: timeout 400
run() { "$NOVM" run --kernel "$KERNEL" --transport "$TRANSPORT" "$@"; }

# shellcheck disable=SC2016 # for the shell in there
expect_status 42 run --ulimit nofile=77:99 --user nobody -- sh -c 'test "$(ulimit -n) $(ulimit -Hn)" = "77 99" && exit 42'
expect_status 125 run --ulimit nofile=9999999999 -- true 2>"$TEST/errors"
grep -q 'limit nofile: ' "$TEST/errors" || fail "$(<"$TEST/errors")"
# shellcheck disable=SC2016 # for the shell in there
expect_status 137 run -- sh -c 'kill -KILL $$'
expect_status 126 run -- /etc/passwd 2>"$TEST/errors"
grep -q '^novm: /etc/passwd: cannot be run in the machine' "$TEST/errors" || fail "$(<"$TEST/errors")"
expect_status 125 run --user nobody-at-all -- true 2>"$TEST/errors"
grep -q "nobody-at-all" "$TEST/errors" || fail "$(<"$TEST/errors")"

# A tree with no /bin: an empty directory.
mkdir "$TEST/empty"
expect_status 127 run --read "$TEST/empty" -- ls 2>"$TEST/errors"
expect_output 'novm: ls: not found in the machine' cat "$TEST/errors"
[[ -z $(ls -A "$TEST/empty") ]] || fail "the machine wrote to its tree: $(ls -A "$TEST/empty")"
[[ -z $(ls "$NOVM_ROOT/machines") ]] || fail "left behind: $(ls "$NOVM_ROOT/machines")"
