# What the guest's kernel says: the last of it where the guest panics, and all that it said as it booted after the fact. And
# what passes the second serial port.
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

# The second serial port: to a file, and both ways with a Unix socket.
expect_output '' run --com2 "$TEST/second" -- sh -c 'stty -F /dev/ttyS1 raw -echo && printf "a\0b\377\n" >/dev/ttyS1'
cmp "$TEST/second" <(printf 'a\0b\377\n') || fail "the file has $(od -c "$TEST/second")"
python3 - "$TEST/socket" >"$TEST/heard" <<'END' &
import socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen(1)
line, _ = listener.accept()
stream = line.makefile("rwb", buffering=0)
print(stream.readline().decode(), end="", flush=True)
stream.write(b"from the host\n")
print(stream.readline().decode(), end="")
END
listener=$!
socket_there() { [[ -S $TEST/socket ]]; }
eventually 20 socket_there
# The answer is not to come before somebody reads.
expect_output 'from the host' run --com2 "unix:$TEST/socket" -- sh -euc '
  stty -F /dev/ttyS1 raw -echo
  exec 3<>/dev/ttyS1
  echo "from the guest" >&3
  head -n 1 <&3
  echo "and again" >&3'
wait "$listener" || fail 'the other side failed'
[[ $(<"$TEST/heard") == $'from the guest\nand again' ]] || fail "the host heard $(<"$TEST/heard")"
expect_refusal 'Connection refused' run --com2 "unix:$TEST/socket" -- true
expect_refusal 'No such file' run --com2 "unix:$TEST/nothing" -- true
expect_refusal 'names nothing' run --com2 unix: -- true
