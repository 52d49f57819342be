# Persistent memory: files of the host's as the guest's memory, with DAX, several at once, and such as can only be read; what
# was fsynced is in the host's file, and a file that the host shortens is the guest's trouble only.
#: as root
#: also tester/pci
#: timeout 1500
# shellcheck disable=SC2153
run() { timeout 280 "$NOVM" run --kernel "${kernel:-cloud}" "$@"; }
refused() { expect_refusal "$1" run "${@:2}" -- true; }

cd "$TEST"
head -c 24M /dev/urandom >blob
head -c 4M /dev/urandom >raw
mkdir tree
echo known >tree/known
truncate -s 8M 'on,ly'
mkfs.ext4 -q -b 4096 -d tree 'on,ly'
cp 'on,ly' before
cat >direct.py <<'END'
# From a disk into a file that lies in the host's page cache: no copy of the guest's between them.
import mmap, os
file = os.open("/mnt/direct", os.O_RDWR | os.O_CREAT)
os.ftruncate(file, 1 << 20)
memory = mmap.mmap(file, 1 << 20)
disk = os.open("/dev/vda", os.O_RDONLY | os.O_DIRECT)
assert os.preadv(disk, [memory], 0) == 1 << 20
memory.flush()
os.fsync(file)
END

for kernel in cloud generic; do
  transport=${TRANSPORTS[$kernel]}
  rm -f data
  truncate -s 64M data
  mkfs.ext4 -q -b 4096 data
  raw=$(sha256sum <raw)
  # shellcheck disable=SC2016 # for the shell in there
  run --transport "$transport" --cpus 2 --dax 64M --pmem data --pmem raw --pmem 'on,,ly,ro' --disk blob,ro \
    --read "/d=>$TEST" -- sh -euc '
    cd /sys/block
    cat pmem0/size pmem1/size pmem2/size pmem0/ro pmem1/ro pmem2/ro pmem0/queue/dax
    mkdir -p /mnt /only
    mount -t ext4 -o dax /dev/pmem0 /mnt
    grep -q " /mnt ext4 .*dax" /proc/mounts
    cached() { sed -n "s/^Cached: *\([0-9]*\) .*/\1/p" /proc/meminfo; }
    dd if=/dev/vda of=/mnt/blob bs=1M iflag=direct conv=fsync status=none
    before=$(cached)
    sha256sum </mnt/blob
    test $(($(cached) - before)) -lt 12000 || { echo "what was read is in the caches of the guest"; exit 1; }
    python3 /d/direct.py
    cmp -n 1M /mnt/direct /dev/vda
    sha256sum </dev/pmem1
    dd if=/dev/vda of=/dev/pmem1 bs=1M count=3 conv=fsync status=none
    mount -t ext4 -o ro,dax /dev/pmem2 /only
    cat /only/known
    umount /only
    if mount -t ext4 -o rw /dev/pmem2 /only 2>/dev/null; then touch /only/x && exit 1; fi
    if dd if=/dev/zero of=/dev/pmem2 bs=4k count=1 conv=fsync status=none 2>/dev/null; then exit 1; fi
    umount /mnt' >output 2>errors || fail "status $? with $kernel, $transport: $(<errors) $(<output)"
  expected=$'131072\n8192\n16384\n0\n0\n1\n1\n'"$(sha256sum <blob)"$'\n'"$raw"$'\nknown'
  [[ $(<output) == "$expected" ]] || fail "$kernel with $transport saw $(<output)"
  cmp -n 3M blob raw || fail 'what was fsynced is not in the file'
  cmp before 'on,ly' || fail 'a file that was only for reading was written to'
  head -c 4M /dev/urandom >raw
  e2fsck -fn data >/dev/null 2>&1 || fail 'the file system is damaged'
  debugfs -R 'dump blob seen' data 2>/dev/null
  cmp blob seen || fail 'the file system has something else'
done
kernel=cloud

# What was fsynced is there, whatever becomes of the machine; and the host sees it at once.
rm data
truncate -s 64M data
mkfs.ext4 -q -b 4096 data
id=$("$NOVM" run --kernel cloud --detach --pmem data --pmem raw -- sleep 1000)
# shellcheck disable=SC2016
"$NOVM" exec "$id" -- sh -euc '
  mkdir -p /mnt && mount -t ext4 -o dax /dev/pmem0 /mnt
  echo fsynced >/mnt/file && sync /mnt/file /mnt
  echo seen | dd of=/dev/pmem1 conv=fsync status=none'
[[ $(head -c 4 raw) == seen ]] || fail 'the host sees nothing of it'
refused 'in use by another machine' --pmem raw
refused 'in use by another machine' --disk raw
monitor=$(sed -n 's/.*"monitor" *: *\([0-9]*\).*/\1/p' "$NOVM_ROOT"/machines/"$id"/state.json)
[[ $(<"/proc/$monitor/comm") == novmm* ]] || fail "process $monitor is no monitor"
kill -9 "$monitor"
timeout 60 "$NOVM" wait "$id" >/dev/null || true
"$NOVM" rm "$id" >/dev/null
expect_output fsynced run --pmem data -- sh -c 'mkdir -p /mnt && mount -t ext4 -o dax /dev/pmem0 /mnt && cat /mnt/file'

# What the host cuts off reads as zero, and is no longer kept; the machine lives.
id=$("$NOVM" run --kernel cloud --detach --pmem raw -- sleep 1000)
truncate -s 2M raw
expect_output "$(head -c 1M /dev/zero | sha256sum)" "$NOVM" exec "$id" -- \
  sh -c 'dd if=/dev/pmem0 bs=1M skip=3 count=1 status=none | sha256sum'
expect_status 1 "$NOVM" exec "$id" -- dd if=/dev/zero of=/dev/pmem0 bs=4k count=1 conv=fsync status=none 2>errors
grep -q 'Input/output error' errors || fail "a flush of what is not kept: $(<errors)"
"$NOVM" stop "$id"
"$NOVM" rm "$id" >/dev/null

# Flushes reach the host's file.
trace=/sys/kernel/tracing
if [[ $(id -u) == 0 ]]; then mountpoint -q $trace || mount -t tracefs tracefs $trace 2>/dev/null || true; fi
if [[ -w $trace/events/syscalls/sys_enter_fdatasync/enable ]]; then
  echo 1 >$trace/events/syscalls/sys_enter_fdatasync/enable
  echo >$trace/trace
  # shellcheck disable=SC2016
  run --pmem data -- sh -euc '
    for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
      dd if=/dev/zero of=/dev/pmem0 bs=4k count=1 seek=4096 conv=notrunc,fsync status=none
    done'
  flushes=$(grep -c sys_fdatasync $trace/trace) || true
  echo 0 >$trace/events/syscalls/sys_enter_fdatasync/enable
  ((flushes >= 20)) || fail "$flushes flushes"
fi

refused 'no such file' --pmem nothing
refused 'a directory, which is no disk' --pmem .
refused 'neither a regular file nor a block device' --pmem /dev/null
: >empty
refused 'empty, so no disk' --pmem empty
truncate -s 3145729 odd
refused '3145729 bytes are no whole number of blocks of 2097152; give it some more: truncate -s %2097152' --pmem odd
refused 'given twice' --pmem data --pmem data
refused 'no such option as readonly; there is ro' --pmem data,readonly
refused 'no such option as serial' --pmem data,serial=a
refused 'no file' --pmem ,ro
truncate -s 2T huge
refused "that this host's processors can address" --pmem huge,ro
if [[ $(id -u) != 0 ]]; then
  chmod 400 data
  refused 'it can only be read; let the guest only read it too' --pmem data
fi
printf 'pmem: [data]\nmemory: 256M\n' >machine.yaml
chmod 600 data
expect_output fsynced run --file machine.yaml -- \
  sh -c 'mkdir -p /mnt && mount -t ext4 -o ro,dax,noload /dev/pmem0 /mnt && cat /mnt/file'
