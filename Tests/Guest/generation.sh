# The generation ID: 16 bytes on a reserved page, others for each machine, which Linux's driver takes where a kernel has it.
#: as root
#: also root/pci
#: timeout 600
cd "$TEST"
for kernel in cloud generic; do
  for machine in 1 2; do
    # shellcheck disable=SC2016 # for the shell in there
    timeout 280 "$NOVM" run --kernel $kernel --transport "${TRANSPORTS[$kernel]}" -- sh -euc '
      cd /sys/bus/acpi/devices/NOVM0001:00
      cat hid modalias
      test ! -d /sys/bus/acpi/drivers/vmgenid || ls -d /sys/bus/acpi/drivers/vmgenid/NOVM*
      # "reserved", to the byte where the machine has it.
      dmesg | grep -q "BIOS-e820: \[mem 0x00000000000fe000-0x00000000000fffff\] reserved"
      dd if=/dev/mem bs=16 skip=$((0xfe000 / 16)) count=1 status=none | od -An -tx1' >output 2>errors ||
      fail "status $? with $kernel: $(<errors) $(<output)"
    grep -q 'acpi:NOVM0001:VM_GEN_COUNTER:' output || fail "$kernel knows it as: $(<output)"
    tail -n 1 output >"$kernel.$machine"
    [[ $(wc -w <"$kernel.$machine") == 16 && $(tr -d ' \n' <"$kernel.$machine" | tr -s 0) != 0 ]] || fail "$(<output)"
  done
  ! cmp -s $kernel.1 $kernel.2 || fail 'two machines have one generation'
done
# Debian's generic kernel has the driver.
grep -q /sys/bus/acpi/drivers/vmgenid/NOVM0001:00 output || fail "the driver did not take it: $(<output)"
