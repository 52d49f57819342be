# Kernels built without ACPI: devices by the command line, processors by the MP table, and a way to switch off.
#: as root
#: long
#: timeout 600
kernels=.build/kernel-without-acpi
[[ -f $kernels/vmlinux ]] || skip 'no such kernel; scripts/kernel-without-acpi builds it'
export NOVM_KERNELS=$TEST/kernels

# With the driver in the kernel, and as a module, which gets its devices from noguest.
expect_output built-in "$NOVM" kernel import "$kernels/vmlinux" --name built-in
modules=$(echo "$kernels"/lib/modules/*)
expect_output module "$NOVM" kernel import "$kernels/bzImage" --modules "$modules" --name module
for kernel in built-in module; do
  "$NOVM" kernel inspect "$kernel" | grep -q '^Finds devices by: *command line$' || fail "$kernel: not by the command line"
  # shellcheck disable=SC2016 # for the shell in there
  expect_output '2 none virtio0 virtio1 virtio2' "$NOVM" run --kernel "$kernel" --cpus 2 -- sh -c '
    echo $(nproc) $(ls /sys/firmware/acpi 2>/dev/null || echo none) $(ls /sys/bus/virtio/devices)'
  expect_status 7 "$NOVM" run --kernel "$kernel" -- sh -c 'exit 7'
done
# All devices that there may be, above the 16 interrupts of an 8259 pair as well.
shares=()
for number in 1 2 3 4 5 6 7 8; do
  mkdir "$TEST/share$number"
  echo "$number" >"$TEST/share$number/file"
  shares+=(--share "/shares/$number=>$TEST/share$number")
done
expect_output '1 2 3 4 5 6 7 8 11' "$NOVM" run --kernel built-in "${shares[@]}" -- sh -c '
  echo $(cat /shares/*/file) $(ls /sys/bus/virtio/devices | wc -l)'

# By hand: a guest that reboots.
status=0
timeout 120 "$NOVM_LIBEXEC/novmm" --kernel "$kernels/vmlinux" --discovery cmdline --cpus 2 --com1 "$TEST/log" \
  --cmdline 'panic=-1 console=ttyS0' || status=$?
grep -q 'Intel MultiProcessor Specification v1.4' "$TEST/log" || fail "no MP table: $(<"$TEST/log")"
grep -q 'Brought up 1 node, 2 CPUs' "$TEST/log" || fail "not two processors: $(<"$TEST/log")"
((status == 3)) || fail "status $status of a kernel without init: $(tail -n 5 "$TEST/log")"
