# What a command finds in its machine: environment, user, directory, name, processors, memory, kernel and its modules.
#: as root
#: timeout 600
run() { "$NOVM" run --kernel cloud "$@"; }

# shellcheck disable=SC2016 # for the shell in there
env ONE=1 "$NOVM" run --kernel cloud --env ONE --env 'TWO=two' --env ABSENT --cwd /tmp --hostname box --cpus 2 \
  --memory 300M -- sh -c 'echo "$ONE $TWO $ABSENT $PWD $(hostname) $(nproc)"
    sed -n "s/MemTotal: *\([0-9]*\) kB/\1/p" /proc/meminfo' >"$TEST/output"
{ read -r line; read -r memory; } <"$TEST/output"
[[ $line == '1 two  /tmp box 2' ]] || fail "$line"
((memory / 1024 > 200 && memory / 1024 <= 300)) || fail "$memory kB of 300 MiB"

# The machine's name leads to itself, and its clock is the host's: ahead by a second at most.
before=$(date +%s%N)
run --hostname box --read / -- sh -c 'getent hosts box; date +%s%N' >"$TEST/output"
after=$(date +%s%N)
{ read -r address name; read -r now; } <"$TEST/output"
[[ $address == 127.0.1.1 && $name == box ]] || fail "box is '$address', '$name'"
((before < now && now < after + 1000000000)) || fail "the clock says $now, between $before and $after"

expect_output $'65534 65534\n4' run --user nobody --cpus 4 -- sh -c 'echo $(id -u) $(id -g); nproc'

# The standard streams are a command's own, whoever it is, and can be opened by name.
streams='echo out >/dev/stdout; echo err >/dev/stderr; cat /dev/stdin; test ! -w /dev/null || echo null'
for user in nobody 1234:4321; do
  expect_output $'out\nin\nnull' run --user "$user" -- sh -c "$streams" <<<in 2>"$TEST/errors"
  expect_output err cat "$TEST/errors"
done
expect_output 'root:root 666' run --user nobody -- stat -c '%U:%G %a' /dev/null

# A command on the host's own tree starts where it was called, if the guest has that; elsewhere in /.
mkdir -p /var/tmp/called-here
(cd /var/tmp/called-here && expect_output $'/var/tmp/called-here\n/' sh -c '
  "$0" run --kernel cloud -- pwd; "$0" run --kernel cloud --read / --hide /var/tmp -- pwd' "$NOVM")
rmdir /var/tmp/called-here
expect_status 124 run --timeout 2 -- sleep 1000
expect_status 3 run --timeout 100 -- sh -c 'exit 3'

# Nodes that load their module, with the modes that udev gives them.
expect_output $'crw-rw-rw- a:e5\ncrw-rw-rw- a:c8\n660 loop-control\ntap0' run --read / -- bash -c '
  stat -c "%A %t:%T" /dev/fuse /dev/net/tun; stat -c "%a %n" /dev/loop-control | sed s,/dev/,,
  ip tuntap add tap0 mode tap && ls /sys/class/net | grep tap0'
truncate -s 8M "$TEST/loop.img"
expect_output /dev/loop0 run --share "/img=>$TEST" -- losetup --show -f /img/loop.img

# Docker's words: a directory in memory, the size of /dev/shm, a mount, a program for the words; and an image's name before the command.
# Without --memory it is half of the host's, up to 4 GiB.
mkdir "$TEST/mount"
echo mounted >"$TEST/mount/file"
expect_output $'65536\n131072\nmounted\nro' run --tmpfs /cache:size=64m,mode=1777 --shm-size 128M \
  --mount "type=bind,source=$TEST/mount,target=/m,readonly" --mount type=tmpfs,target=/t --entrypoint sh -- -c '
    for each in /cache /dev/shm; do df -k --output=size $each | tail -n 1 | tr -d " "; done
    cat /m/file; (: >/m/x) 2>/dev/null || echo ro; grep -q "^tmpfs /t tmpfs" /proc/mounts || echo none'
status=0
run debian ls 2>"$TEST/errors" || status=$?
[[ $status == 127 && $(<"$TEST/errors") == *'novm run --image debian -- ls'* ]] || fail "$status, $(<"$TEST/errors")"
memory=$(run -- sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo)
half=$(($(sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo) / 2))
((half < 4 << 20)) || half=$((4 << 20))
((memory > half * 9 / 10 && memory <= half)) || fail "$memory kB where $half are half of the host's, or 4 GiB"

# The guest's want of memory is told, with its program.
status=0
run --memory 128M -- python3 -c 'b = [b"x" * (1 << 20) for _ in range(1000)]' >/dev/null 2>"$TEST/errors" || status=$?
[[ $status == 137 ]] || fail "without memory: status $status, $(<"$TEST/errors")"
grep -q '^novm: the machine ran out of memory and ended python3, which had [0-9]* MiB of its 128 MiB; give it more with --memory$' \
  "$TEST/errors" || fail "$(<"$TEST/errors")"

# RAM on both sides of the hole below 4 GiB.
size=5G least=4800
(($(sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo) > 5300000)) || size=3500M least=3300
run --memory "$size" -- sed -n -e '/^100000000-.* : System RAM/s/.*/above 4 GiB/p' \
  -e 's/MemTotal: *\([0-9]*\) kB/\1/p' /proc/iomem /proc/meminfo >"$TEST/output"
{ read -r line; read -r memory; } <"$TEST/output"
[[ $line == 'above 4 GiB' ]] || fail "no RAM above 4 GiB: $line"
((memory / 1024 > least)) || fail "$memory kB of $size"

# The kernel's log, more for its command line, and figures of a run.
expect_output '12 34 / 1 novm.test=1' run --user 12:34 --cwd / --com1 --timings --cmdline novm.test=1 -- \
  sh -c 'echo $(id -u) $(id -g) "$PWD" $(nproc) $(grep -o novm.test=1 /proc/cmdline)' 2>"$TEST/log"
grep -q 'Linux version' "$TEST/log" || fail "no log: $(<"$TEST/log")"
grep -q '^kernel and init .* ms .* % .*█' "$TEST/log" || fail "no timings: $(<"$TEST/log")"

# What every tree has, and the modules that the kernel came with, where modprobe looks for them.
expect_output $'0 /root\nthrough /dev/fd\nstream\nshared\nmodules' run -- bash -c '
  echo $(id -u) "$HOME"
  cat <(echo through /dev/fd)
  echo stream | cat /dev/stdin >/dev/stdout 2>/dev/stderr
  echo shared >/dev/shm/x && cat /dev/shm/x
  test -c /dev/ptmx && test -d /dev/mqueue && test -c /dev/null && test -w /tmp || exit
  modprobe dummy && grep -q "^dummy " /proc/modules && test -d "/lib/modules/$(uname -r)/kernel" && echo modules'

# The first modules are loaded without their signatures, which taints (bit 13), unless the kernel is told to check them.
# shellcheck disable=SC2016 # for the shell in there
unsigned='echo $(($(cat /proc/sys/kernel/tainted) >> 13 & 1)) $(grep -c ^virtio /proc/modules)'
run -- sh -c "$unsigned" >"$TEST/output"
read -r tainted modules <"$TEST/output"
((tainted == 1 && modules > 3)) || fail "tainted by unsigned modules: $tainted, of $modules"
expect_output "0 $modules" run --cmdline module.sig_enforce=1 -- sh -c "$unsigned"
