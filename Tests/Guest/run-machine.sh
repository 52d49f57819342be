# What a command finds in its machine: environment, user, directory, name, processors, memory, kernel and its modules.
#: as root
#: timeout 1800
run() { "$NOVM" run --kernel cloud "$@"; }

# shellcheck disable=SC2016 # for the shell in there
expect_output '1 two  /tmp box' env ONE=1 "$NOVM" run --kernel cloud --env ONE --env 'TWO=two' --env ABSENT --cwd /tmp \
  --hostname box -- sh -c 'echo "$ONE $TWO $ABSENT $PWD $(hostname)"'
# shellcheck disable=SC2016
expect_output '/ /root 0' run -- sh -c 'echo "$PWD $HOME $(id -u)"'
expect_output '65534 65534' run --user nobody -- sh -c 'echo $(id -u) $(id -g)'
expect_output '12 34' run --user 12:34 -- sh -c 'echo $(id -u) $(id -g)'

for count in 1 2 4; do
  expect_output "$count" run --cpus "$count" -- nproc
done
megabytes=$(run --memory 300M -- sh -c "sed -n 's/MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo")
((megabytes / 1024 > 200 && megabytes / 1024 <= 300)) || fail "$megabytes kB of 300 MiB"

# The modules that the kernel came with, where modprobe looks for them.
run -- sh -c 'modprobe dummy && grep -q "^dummy " /proc/modules && test -d "/lib/modules/$(uname -r)/kernel"'

# The kernel's log, and more for its command line.
run --com1 --cmdline novm.test=1 -- grep -o novm.test=1 /proc/cmdline >"$TEST/output" 2>"$TEST/log"
expect_output novm.test=1 cat "$TEST/output"
grep -q 'Linux version' "$TEST/log" || fail "no log: $(<"$TEST/log")"

# Figures of a run.
run --timings -- true 2>"$TEST/timings"
grep -q '^kernel and init .* ms .* % .*█' "$TEST/timings" || fail "$(<"$TEST/timings")"
