# What the guest's kernel says: the last of it where the guest panics, and all that it said as it booted after the fact.
#: as root tester
#: timeout 600
run() { "$NOVM" run --kernel cloud "$@"; }

# A panic.
expect_status 125 run -- sh -c 'echo c >/proc/sysrq-trigger' 2>"$TEST/errors"
head -n 1 "$TEST/errors" | grep -q "^novm: the guest's kernel panicked: sysrq triggered crash$" || fail "$(<"$TEST/errors")"
grep -q '^  \[ .*Kernel panic - not syncing: sysrq triggered crash$' "$TEST/errors" || fail "$(<"$TEST/errors")"
# One before there is a root.
expect_status 125 run --cmdline 'rdinit=/nothing root=/dev/nothing' -- true 2>"$TEST/errors"
grep -q '^  \[ .*Kernel panic - not syncing: VFS: Unable to mount root fs' "$TEST/errors" || fail "$(<"$TEST/errors")"
# Shown once where all is shown.
expect_status 125 run --com1 -- sh -c 'echo c >/proc/sysrq-trigger' 2>"$TEST/errors"
(($(grep -c 'Kernel panic - not syncing: sysrq' "$TEST/errors") == 1)) || fail "$(<"$TEST/errors")"

# After the fact, and of a machine that does not run any more.
booted() { "$NOVM" logs --console box | grep -q '^\[    0\.000000\] Linux version '; }
run --detach --name box -- sleep 1000 >/dev/null
eventually 30 booted
"$NOVM" exec box -- sh -c 'echo "<2>an error of mine" >/dev/kmsg'
told() { "$NOVM" logs --console box | grep -q 'an error of mine'; }
eventually 30 told
"$NOVM" kill box
"$NOVM" wait box >/dev/null || true
booted || fail 'the log is gone with the machine'
told || fail 'the error is gone with the machine'
"$NOVM" rm --force box >/dev/null

# A panic in the background.
run --detach --name box -- sleep 1000 >/dev/null
"$NOVM" exec box -- sh -c 'echo c >/proc/sysrq-trigger' 2>/dev/null || true
"$NOVM" wait box >/dev/null || true
"$NOVM" inspect box | grep -q "the guest's kernel panicked: sysrq" || fail "$("$NOVM" inspect box)"
"$NOVM" rm box >/dev/null
