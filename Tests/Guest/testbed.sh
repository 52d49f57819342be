# The emulated host itself: what goes in and comes out, who may do what, and mending.
#: outside
#: timeout 600
host=Testbed/host

"$host" up

# Status, streams, words.
expect_status 37 "$host" run sh -c 'exit 37'
expect_status 127 "$host" run no-such-command
expect_status 137 "$host" run sh -c 'kill -KILL $$'
expect_output out "$host" run sh -c 'echo out; echo errors >&2' 2>"$TEST/errors"
expect_output errors cat "$TEST/errors"
expect_output $'<a\'b><"$x" `y` \\ *><new\nline><><-n>' "$host" run printf '<%s>' "a'b" '"$x" `y` \ *' $'new\nline' '' -n
head -c 5000000 /dev/urandom >"$TEST/bytes"
# shellcheck disable=SC2094 # both only read
"$host" run cat <"$TEST/bytes" | cmp - "$TEST/bytes"
expect_output "$(sha256sum <"$TEST/bytes")" "$host" run sha256sum <"$TEST/bytes"

# shellcheck disable=SC2016 # for the shell in there
expect_output through "$host" run bash -c 'cat <(echo through)'

# Users and KVM.
expect_output 0 "$host" run id -u
expect_output tester "$host" run --user tester id -un
"$host" run --user tester sh -c 'echo x >$HOME/x && : <>/dev/kvm'
expect_status 2 "$host" run --user tester --no-kvm sh -c ': <>/dev/kvm' 2>/dev/null
expect_output 'a b' "$host" run --env X='a b' sh -c 'echo "$X"'

# This machine's files: readable, never stale, not to be written.
expect_output "$PWD" "$host" run pwd
mkdir -p .build
probe=.build/testbed-probe.$$
for text in one two-longer 3; do
  echo "$text" >"$probe"
  expect_output "$text" "$host" run cat "$PWD/$probe"
done
rm "$probe"
for program in true false true; do
  cp "/bin/$program" "$probe"
  expect_status "$([[ $program == true ]] && echo 0 || echo 1)" "$host" run "$PWD/$probe"
done
rm "$probe"
expect_status 1 "$host" run test -e "$PWD/$probe"
expect_status 1 "$host" run touch "$PWD/$probe" 2>/dev/null
"$host" run sh -c 'echo x >/etc/testbed-probe && echo x >/scratch/testbed-probe && rm /etc/testbed-probe'
[[ ! -e /etc/testbed-probe ]] || fail "the emulated host wrote to this machine's /etc"

# Signals reach all processes of a command; a second one kills.
"$host" run sh -c 'trap "exit 5" TERM; touch /tmp/up.'$$'; while :; do sleep 0.1; done' &
command=$!
eventually 20 "$host" run test -e "/tmp/up.$$"
kill -TERM "$command"
expect_status 5 wait "$command"
"$host" run sh -c 'trap "" TERM; setsid sleep 1'$$' & touch /tmp/stubborn.'$$'; while :; do sleep 1; done' 2>/dev/null &
command=$!
eventually 20 "$host" run test -e "/tmp/stubborn.$$"
kill -TERM "$command"
sleep 1
kill -TERM "$command"
expect_status 137 wait "$command"
expect_status 1 "$host" run pgrep -f "sleep 1$$"

# Several at once.
pids=()
for number in 1 2 3 4 5 6; do
  expect_output "$number" "$host" run sh -c "sleep 0.5; echo $number" &
  pids+=($!)
done
for pid in "${pids[@]}"; do wait "$pid"; done

# A stock kernel starts as a guest, by hardware virtualization; that it also finds a root is for tests of novm to tell.
"$host" run sh -c 'timeout 200 qemu-system-x86_64 -accel kvm -cpu host -M microvm -m 256 -nographic -no-reboot \
  -kernel "/boot/vmlinuz-$(uname -r)" -append console=ttyS0 | sed "/paravirtualized kernel on KVM/q"' >"$TEST/console"
grep -q 'paravirtualized kernel on KVM' "$TEST/console" || fail "no guest: $(tail -n 5 "$TEST/console")"
