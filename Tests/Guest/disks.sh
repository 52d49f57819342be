# Disks: several at once, sizes, serial numbers, links and what can only be read; locks; flushes, rates and resizing.
#: as root
#: also root/pci
#: timeout 1500
kernel=cloud
# shellcheck disable=SC2153
run() { timeout 280 "$NOVM" run --kernel "$kernel" --transport "${TRANSPORTS[$kernel]}" "$@"; }
refused() { expect_refusal "$1" run "${@:2}" -- true; }

cd "$TEST"
head -c 8M /dev/urandom >first
head -c 3M /dev/urandom >'se,cond'
truncate -s 64M third
chmod 444 'se,cond'

for kernel in cloud generic; do
  # shellcheck disable=SC2016 # for the shell in there
  run --cpus 2 --disk first --disk 'se,,cond,ro,serial=a-serial' --disk third,dev=spare -- sh -euc '
    cat /sys/block/vda/size /sys/block/vdb/size /sys/block/vdc/size /sys/block/vda/ro /sys/block/vdb/ro
    cat /sys/block/vdb/serial && echo
    readlink /dev/spare
    cat /sys/block/vda/queue/logical_block_size /sys/block/vda/cache_type 2>/dev/null || true
    ls /sys/block/vdb/mq | wc -l
    cat /dev/vda | sha256sum
    dd if=/dev/vdb bs=64k iflag=direct status=none | sha256sum
    if dd if=/dev/zero of=/dev/vdb bs=512 count=1 conv=fsync status=none 2>/dev/null; then exit 1; fi
    # Written by all ways; the end of the disk is the end.
    dd if=/dev/vda of=/dev/spare bs=1M oflag=direct status=none
    dd if=/dev/vdb of=/dev/spare bs=4k seek=2048 conv=fsync status=none
    dd if=/dev/zero of=/dev/spare bs=1M seek=63 count=2 2>/dev/null && exit 1
    blkdiscard -o 1M -l 1M /dev/spare
    blkdiscard -z -o 3M -l 1M /dev/spare' >output 2>errors || fail "status $? with $kernel: $(<errors)"
  expected=$'16384\n6144\n131072\n0\n1\na-serial\nvdc\n'
  [[ $(<output) == "$expected"* ]] || fail "$kernel saw $(<output)"
  [[ $(<output) == *$'\n2\n'"$(sha256sum <first)"$'\n'"$(sha256sum <'se,cond')" ]] || fail "$kernel read $(<output)"
  cp first model
  dd if=/dev/zero of=model bs=1M seek=1 count=1 conv=notrunc status=none
  dd if=/dev/zero of=model bs=1M seek=3 count=1 conv=notrunc status=none
  cmp -n 8M model third || fail "$kernel wrote something else"
  cmp -n 3M 'se,cond' <(tail -c +8388609 third) || fail "$kernel wrote something else to the rest"
done
kernel=cloud

# A disk is one machine's, unless all only read.
mkfifo in
run --disk first --disk 'se,,cond,ro' -- sh -c 'echo up; read -r _' <in >up &
machine=$!
exec 8>in
eventually 100 grep -q up up
# A ring for each queue of each disk, where the host has io_uring for us.
if python3 -c 'import ctypes, sys; sys.exit(ctypes.CDLL(None).syscall(425, 8, ctypes.create_string_buffer(120)) < 0)'; then
  monitor=$(find /proc/[0-9]*/fd -lname "$PWD/first" -printf '%h\n' 2>/dev/null | head -n 1)
  rings=$(find "$monitor" -lname '*\[io_uring\]' | wc -l)
  ((rings == 2)) || fail "$rings rings for two disks"
fi
refused 'in use by another machine' --disk first
refused 'in use by another machine' --disk first,ro
expect_output "$(sha256sum <'se,cond')" run --disk 'se,,cond,ro' -- sh -c 'cat /dev/vda | sha256sum'
echo >&8
exec 8>&-
wait "$machine" || fail 'the first machine failed'
refused 'given twice' --disk first --disk first

refused 'no such file' --disk nothing
refused 'a directory, which is no disk' --disk .
refused 'neither a regular file nor a block device' --disk /dev/null
refused 'has no size, as a file of /proc' --disk /proc/cpuinfo,ro
: >empty
refused 'empty, so no disk' --disk empty
head -c 1000 /dev/zero >odd
refused '1000 bytes are no whole number of blocks of 512' --disk odd
refused 'two disks have serial=a' --disk first,serial=a --disk third,serial=a
refused 'two disks have dev=a' --disk first,dev=a,serial=1 --disk third,dev=a
refused 'no such option as readonly' --disk first,readonly
refused 'cache=all is none of' --disk first,cache=all
chown tester first
chmod 400 first
chmod 755 "$TEST"
mkdir tester
chown tester tester
setpriv --reuid=tester --regid="$(id -g tester)" --groups="$(stat -c %g /dev/kvm)" \
  env HOME="$TEST/tester" NOVM_ROOT="$TEST/tester/novm" "$NOVM" run --kernel cloud --disk first -- true 2>errors &&
  fail 'a file that can only be read, for writing'
grep -q 'it can only be read; let the guest only read it too' errors || fail "$(<errors)"
chown root first
chmod 600 first

# Loop devices of the host's lock nothing; two that only read do no harm. And what the host has mounted is its own.
if [[ -e /dev/loop-control ]] || modprobe loop 2>/dev/null; then
  loop=$(losetup --find --show first)
  for option in '--disk first' '--disk first,ro' '--root-disk first' '--pmem first'; do
    # shellcheck disable=SC2086 # two words
    refused "first: in use by the host's $loop; detach that first: losetup --detach $loop" $option
  done
  losetup --detach "$loop"
  loop=$(losetup --find --show --read-only first)
  refused "in use by the host's $loop" --disk first
  expect_output "$(sha256sum <first)" run --disk first,ro -- sh -c 'sha256sum </dev/vda'
  losetup --detach "$loop"
  truncate -s 8M mounted
  mkfs.ext4 -q mounted
  loop=$(losetup --find --show mounted)
  expect_output 16384 run --disk "$loop" -- cat /sys/block/vda/size
  mkdir mount
  mount "$loop" mount
  refused 'in use by another machine or mounted' --disk "$loop"
  umount mount
  losetup --detach "$loop"
fi

# Flushes reach the host's file: as many as the guest asks for, unless they are to do nothing.
trace=/sys/kernel/tracing
mountpoint -q $trace || mount -t tracefs tracefs $trace 2>/dev/null || true
if [[ -e $trace/events/syscalls/sys_enter_fdatasync/enable ]]; then
  echo 1 >$trace/events/syscalls/sys_enter_fdatasync/enable
  for cache in writeback none unsafe; do truncate -s 1M "flushed-$cache"; done
  id=$(run --detach --disk flushed-writeback,cache=writeback --disk flushed-none,cache=none \
    --disk flushed-unsafe,cache=unsafe -- sleep 1000)
  for which in writeback,vda none,vdb unsafe,vdc; do
    IFS=, read -r cache device <<<"$which"
    echo >$trace/trace
    # shellcheck disable=SC2016
    "$NOVM" exec "$id" -- sh -euc '
      for i in 1 2 3 4 5 6 7 8; do
        for j in 1 2 3 4 5; do dd if=/dev/zero of="$1" bs=4k count=1 conv=notrunc,fsync status=none; done
      done' - "/dev/$device"
    # There are a few of others, such as the tree's.
    flushes=$(grep -c sys_fdatasync $trace/trace) || true
    if [[ $cache == unsafe ]]; then ((flushes < 40)); else ((flushes >= 40)); fi || fail "$flushes flushes with $cache"
  done
  "$NOVM" rm --force "$id" >/dev/null
  echo 0 >$trace/events/syscalls/sys_enter_fdatasync/enable
fi

kernel=generic
# Rates: 6 MiB at 2 MiB in a second; 60 requests at 20. A tenth of a second's passes at once.
truncate -s 1M slow
# shellcheck disable=SC2016
run --disk third,rate=2M --disk slow,iops=20 -- sh -c '
  read -r begin _ </proc/uptime
  dd if=/dev/vda of=/dev/null iflag=direct bs=1M count=6 status=none
  read -r middle _ </proc/uptime
  dd if=/dev/vdb of=/dev/null iflag=direct bs=4k count=60 status=none
  read -r end _ </proc/uptime
  echo "$begin $middle"
  echo "$middle $end"' >elapsed
[[ $(awk '$2 - $1 >= 2.4 && $2 - $1 < 20' elapsed | wc -l) == 2 ]] || fail "with rate=2M and iops=20: $(<elapsed)"

# While it runs: a file that was made larger, and one that novm makes larger.
id=$(run --detach --disk third --disk 'se,,cond,ro,serial=x' -- sleep 1000)
size() { [[ $("$NOVM" exec "$id" -- cat "/sys/block/$1/size") == "$2" ]]; }
eventually 100 size vda 131072
expect_output 96M "$NOVM" resize "$id" 0 96M
eventually 20 size vda 196608
[[ $(stat -c %s third) == $((96 << 20)) ]] || fail 'the file has another size than its disk'
truncate -s 128M third
expect_output 128M "$NOVM" resize "$id" 0
eventually 20 size vda 262144
expect_status 125 "$NOVM" resize "$id" 0 1M 2>errors
grep -q 'a disk does not shrink' errors || fail "$(<errors)"
expect_status 125 "$NOVM" resize "$id" x 8M 2>errors
grep -q 'gives no more' errors || fail "$(<errors)"
expect_status 125 "$NOVM" resize "$id" 7 2>errors
grep -q 'there is no disk 7' errors || fail "$(<errors)"
"$NOVM" stop "$id"
"$NOVM" rm "$id" >/dev/null
