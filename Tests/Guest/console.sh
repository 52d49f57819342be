# What the guest's kernel says: the last of it where the guest panics, and all that it said as it booted after the fact,
# within bounds. And what passes the second serial port, and novmm's virtio console.
#: as root
#: also tester/pci
#: timeout 600
run() { "$NOVM" run --kernel "$KERNEL" --transport "$TRANSPORT" "$@"; }

# A panic.
expect_status 125 run -- sh -c 'echo c >/proc/sysrq-trigger' 2>"$TEST/errors"
head -n 1 "$TEST/errors" | grep "^novm: the guest's kernel panicked: sysrq triggered crash$" >/dev/null || fail "$(<"$TEST/errors")"
grep -q '^  \[ .*Kernel panic - not syncing: sysrq triggered crash$' "$TEST/errors" || fail "$(<"$TEST/errors")"
# One before there is a root.
expect_status 125 run --cmdline 'rdinit=/nothing root=/dev/nothing' -- true 2>"$TEST/errors"
grep -q '^  \[ .*Kernel panic - not syncing: VFS: Unable to mount root fs' "$TEST/errors" || fail "$(<"$TEST/errors")"
# Shown once where all is shown.
expect_status 125 run --com1 -- sh -c 'echo c >/proc/sysrq-trigger' 2>"$TEST/errors"
(($(grep -c 'Kernel panic - not syncing: sysrq' "$TEST/errors") == 1)) || fail "$(<"$TEST/errors")"

# After the fact, and of a machine that does not run any more.
booted() { "$NOVM" logs --console box | grep '^\[    0\.000000\] Linux version ' >/dev/null; }
run --detach --name box -- sleep 1000 >/dev/null
eventually 30 booted
"$NOVM" exec box -- sh -c 'echo "<2>an error of mine" >/dev/kmsg'
told() { "$NOVM" logs --console box | grep 'an error of mine' >/dev/null; }
eventually 30 told
"$NOVM" kill box
"$NOVM" wait box >/dev/null || true
booted || fail 'the log is gone with the machine'
told || fail 'the error is gone with the machine'

# A guest that says more than is kept, which would take its serial port long: two files of 1 MiB and what comes at once.
log=$(echo "$NOVM_ROOT"/machines/*/console)
for round in 1 2; do
  yes "said in round $round" | head -c 1100000 >>"$log" || true
  "$NOVM" start box
  began() { (($(stat -c %s "$log") < 200000)) && grep -q '\] Linux version ' "$log"; }
  eventually 30 began
  "$NOVM" kill box
  "$NOVM" wait box >/dev/null || true
  (($(cat "$log"* | wc -c) < 1700000)) || fail "$(ls -l "$log"*)"
  grep -q "said in round $round" "$log.1" || fail "what was said before is gone: $(ls -l "$log"*)"
  [[ $("$NOVM" logs --console box | wc -c) == $(cat "$log"* | wc -c) ]] || fail 'the log is longer than its files'
done
! grep -q 'said in round 1' "$log"* || fail 'what was said first is still there'
"$NOVM" rm --force box >/dev/null

# A panic in the background.
run --detach --name box -- sleep 1000 >/dev/null
"$NOVM" exec box -- sh -c 'echo c >/proc/sysrq-trigger' 2>/dev/null || true
"$NOVM" wait box >/dev/null || true
"$NOVM" inspect box | grep "the guest's kernel panicked: sysrq" >/dev/null || fail "$("$NOVM" inspect box)"
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
eventually 20 test -S "$TEST/socket"
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

# The virtio console, which novm has no use for: novmm is asked for it. All bytes go both ways, more of them than its queues
# hold at once.
mkdir "$TEST/libexec"
ln -s "$NOVM_LIBEXEC"/* "$TEST/libexec"
with_console() {
  rm "$TEST/libexec/novmm"
  printf '#!/bin/sh\nexec %q --console %q "$@"\n' "$NOVM_LIBEXEC/novmm" "$1" >"$TEST/libexec/novmm"
  chmod +x "$TEST/libexec/novmm"
  NOVM_LIBEXEC=$TEST/libexec run "${@:2}"
}
head -c 100000 /dev/urandom >"$TEST/bytes"
python3 - "$TEST/line" "$TEST/bytes" >"$TEST/heard" <<'END' &
import hashlib, socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen(1)
line, _ = listener.accept()
stream = line.makefile("rwb")
print(stream.readline().decode(), end="")
stream.write(open(sys.argv[2], "rb").read())
stream.flush()
print(hashlib.sha256(stream.read(100000)).hexdigest())
END
listener=$!
eventually 20 test -S "$TEST/line"
# shellcheck disable=SC2016 # for the shell in there
expect_output "$(sha256sum <"$TEST/bytes" | cut -d ' ' -f 1)" with_console "unix:$TEST/line" --read "/d=>$TEST" -- sh -euc '
  modprobe virtio_console
  until test -c /dev/hvc0; do sleep 0.1; done
  # Open from here on: what is set would not outlast it.
  exec 3<>/dev/hvc0
  stty raw -echo <&3
  echo "from the guest" >&3
  head -c 100000 <&3 >/tmp/heard
  cat /d/bytes >&3
  sha256sum </tmp/heard | cut -d " " -f 1'
wait "$listener" || fail 'the other side failed'
[[ $(<"$TEST/heard") == $'from the guest\n'"$(sha256sum <"$TEST/bytes" | cut -d ' ' -f 1)" ]] ||
  fail "the host heard $(<"$TEST/heard")"
# As a console of the kernel it has what is said once there is a driver.
with_console "$TEST/boot" --cmdline console=hvc0 -- sh -euc '
  modprobe virtio_console
  echo "<2>an error of mine" >/dev/kmsg'
grep -q 'an error of mine' "$TEST/boot" || fail "hvc0 ends with $(tail -n 3 "$TEST/boot")"
