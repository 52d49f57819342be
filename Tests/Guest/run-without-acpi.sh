# Kernels built without ACPI: devices by the command line, processors by the MP table, and a way to switch off.
#: as root
#: long
#: timeout 600
kernels=$PWD/.build/kernel-without-acpi
[[ -f $kernels/vmlinux ]] || skip 'no such kernel; scripts/kernel-without-acpi builds it'
export NOVM_KERNELS=$TEST/kernels

# With the driver in the kernel, and as a module, which gets its devices from noguest.
expect_output built-in "$NOVM" kernel import "$kernels/vmlinux" --name built-in
modules=$(echo "$kernels"/lib/modules/*)
expect_output module "$NOVM" kernel import "$kernels/bzImage" --modules "$modules" --name module
for kernel in built-in module; do
  "$NOVM" kernel inspect "$kernel" | grep '^Finds devices by: *command line$' >/dev/null || fail "$kernel: not by the command line"
  # shellcheck disable=SC2016 # for the shell in there
  expect_output '2 none virtio0 virtio1 virtio2 virtio3' "$NOVM" run --kernel "$kernel" --cpus 2 -- sh -c '
    echo $(nproc) $(ls /sys/firmware/acpi 2>/dev/null || echo none) $(ls /sys/bus/virtio/devices)'
  expect_status 7 "$NOVM" run --kernel "$kernel" -- sh -c 'exit 7'
done
# Nodes are told by ACPI.
status=0
error=$("$NOVM" run --kernel built-in --numa 512M -- true 2>&1) || status=$?
[[ $status == 125 && $error == *'--numa: a kernel finds nodes by ACPI'* ]] || fail "nodes without ACPI: $status, $error"
# All devices that there may be, above the 16 interrupts of an 8259 pair as well.
shares=()
for number in 1 2 3 4 5 6 7 8; do
  mkdir "$TEST/share$number"
  echo "$number" >"$TEST/share$number/file"
  shares+=(--share "/shares/$number=>$TEST/share$number")
done
expect_output '1 2 3 4 5 6 7 8 12' "$NOVM" run --kernel built-in "${shares[@]}" -- sh -c '
  echo $(cat /shares/*/file) $(ls /sys/bus/virtio/devices | wc -l)'

# A disk, persistent memory behind the RAM, a card and the balloon.
cd "$TEST"
mkdir known
echo known >known/file
truncate -s 16M disk memory
mkfs.ext4 -q -b 4096 -d known memory
# shellcheck disable=SC2016 # for the shell in there
expect_output '02:00:00:00:00:02 10.77.0.2/24 32768 32768 dax known virtio_balloon' unshare --net \
  "$NOVM" run --kernel built-in --disk disk --pmem memory --nic tap=t0,mac=02:00:00:00:00:02,ip=10.77.0.2/24 -- sh -euc '
    mkdir -p /mnt
    mount -t ext4 -o dax /dev/pmem0 /mnt
    echo $(cat /sys/class/net/eth0/address; ip -brief -4 address show eth0 | tr -s " " "\n" | grep 10.77
      cat /sys/block/vda/size /sys/block/pmem0/size; grep -o dax /proc/mounts | head -n 1; cat /mnt/file
      ls /sys/bus/virtio/drivers | grep balloon)
    echo through >/mnt/file
    umount /mnt'
[[ $(debugfs -R 'cat file' memory 2>&-) == through ]] || fail 'what was written to the persistent memory is not in its file'

# By hand: a guest that reboots.
status=0
timeout 120 "$NOVM_LIBEXEC/novmm" --kernel "$kernels/vmlinux" --discovery cmdline --cpus 2 --com1 "$TEST/log" \
  --cmdline 'panic=-1 console=ttyS0' || status=$?
grep -q 'Intel MultiProcessor Specification v1.4' "$TEST/log" || fail "no MP table: $(<"$TEST/log")"
grep -q 'Brought up 1 node, 2 CPUs' "$TEST/log" || fail "not two processors: $(<"$TEST/log")"
((status == 3)) || fail "status $status of a kernel without init: $(tail -n 5 "$TEST/log")"
