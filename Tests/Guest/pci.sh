# --transport pci: every device as a function of a bus, with a message for each queue; a guest that moves, switches off and
# removes functions under way; more devices than there are interrupt lines.
#: as root
#: also tester
#: timeout 1500
cd "$TEST"
head -c 5000000 /dev/urandom >big
head -c 8M /dev/urandom >disk
sum=$(sha256sum <big)
disk_sum=$(sha256sum <disk)
run() { timeout 280 "$NOVM" run --kernel "$kernel" --transport pci --memory 1G "$@"; }

cat >devices.sh <<'END'
set -eu
cd /sys/bus/virtio/devices
test -d "$(readlink -f virtio0)"
for device in virtio*; do
  case $(readlink -f "$device") in
    */pci0000:00/0000:00:*) ;;
    *) echo "$device is not on the bus" && exit 1 ;;
  esac
  # A vector for each queue and one for the configuration. Those that nobody asked for are not in the list.
  function=$(readlink -f "$device/..")
  vectors=$(ls "$function/msi_irqs" | wc -l)
  used=$(grep -c " PCI-MSI.* $device-" /proc/interrupts || true)
  echo "$(cat "$device/device") $vectors $used"
done
echo "lines $(grep -c 'IO-APIC.*virtio' /proc/interrupts || true)"
END
for kernel in cloud generic; do
  run --cpus 2 --dax 256M --disk disk --read "/d=>$TEST" -- sh -euc '
    sh /d/devices.sh
    dmesg | grep -q "virtiofs.*Cache len: 0x10000000" || { echo "the guest found no window"; exit 1; }
    sha256sum </d/big
    dd if=/dev/vda bs=1M iflag=direct status=none | sha256sum
    head -c 100 /dev/hwrng | wc -c
    echo written >/written
    cat /written' >output 2>errors || fail "status $? with $kernel: $(<errors) $(<output)"
  # Entropy, files (a queue for each vCPU, and one for priorities), vsock, balloon, disk.
  for line in '0x0004 2 2' '0x001a 4 4' '0x0013 4 4' '0x0005 . .' '0x0002 3 3' 'lines 0'; do
    grep -qx "$line" output || fail "$kernel: no '$line' in $(<output)"
  done
  [[ $(tail -n 4 output) == "$sum"$'\n'"$disk_sum"$'\n100\nwritten' ]] || fail "$kernel: $(<output)"
done
kernel=cloud

# A network card, whose queues are all busy.
if command -v passt >/dev/null; then
  python3 -m http.server --bind 127.0.0.1 8079 >/dev/null 2>&1 &
  server=$!
  trap 'kill $server' EXIT
  run --net user,loopback -- sh -euc '
    grep -q "PCI-MSI.*virtio[0-9]*-input" /proc/interrupts
    grep -q "PCI-MSI.*virtio[0-9]*-output" /proc/interrupts
    curl -s http://10.0.2.2:8079/big | sha256sum' >output 2>errors || fail "status $?: $(<errors)"
  [[ $(<output) == "$sum" ]] || fail "downloaded $(<output)"
  kill $server
  trap - EXIT
fi

# Memory that is freed goes back, commands come by vsock, and random bytes at a rate: 6 KiB at 2 KiB in a second.
id=$(run --detach --entropy-rate 2K -- sleep 1000)
monitor=$(sed -n 's/.*"monitor" *: *\([0-9]*\).*/\1/p' "$NOVM_ROOT"/machines/"$id"/state.json)
resident() { awk '/^VmRSS/ { print int($2 / 1024) }' "/proc/$monitor/status"; }
below() { (($(resident) < $1)); }
"$NOVM" exec "$id" -- dd if=/dev/zero of=/dev/shm/much bs=1M count=300 status=none
full=$(resident)
((full > 310)) || fail "the guest wrote 300 MiB, and only $full are resident"
"$NOVM" exec "$id" -- rm /dev/shm/much
eventually 60 below $((full - 270))
# shellcheck disable=SC2016 # for the shell in there
"$NOVM" exec "$id" -- sh -c '
  read -r begin _ </proc/uptime
  head -c 6144 /dev/hwrng >/dev/null
  read -r end _ </proc/uptime
  echo "$begin $end"' >elapsed
awk '{ exit !($2 - $1 >= 2.4 && $2 - $1 < 20) }' elapsed || fail "6 KiB of random bytes within: $(<elapsed)"
"$NOVM" stop "$id"
"$NOVM" rm "$id" >/dev/null

# A guest that puts the disk's registers elsewhere, and nowhere, while it is being read; then a disk as before.
cat >hostile.py <<'END'
import glob, os, struct, subprocess, sys, time
function = os.path.realpath(glob.glob("/sys/block/vda/device/..")[0])
config = os.open(function + "/config", os.O_RDWR)
read = lambda at: struct.unpack("<I", os.pread(config, 4, at))[0]
write = lambda at, value: os.pwrite(config, struct.pack("<I", value), at)
reader = subprocess.Popen(["dd", "if=/dev/vda", "of=/dev/null", "bs=4k", "iflag=direct"], stderr=subprocess.DEVNULL)
base, command = read(0x10), read(4)
other = int(sys.argv[1], 0)
for turn in range(100):
    for place in (0xffffffff, 0, other, base + 0x4000, base - 0x4000, 0xfee00000, 0xd0200000, 0xe0000000):
        write(0x10, place)
        assert read(0x10) == place & 0xffffc000, hex(read(0x10))
    write(4, command & ~2)
    write(0x10, base)
    write(4, command)
    for place in range(0x40, 0x100, 4):
        write(place, 0xffffffff if turn & 1 else 0)
print("moved")
END
cat >again.sh <<'END'
set -eu
timeout 200 python3 /d/hostile.py 0x100000
function=$(readlink -f /sys/block/vda/device/..)
# Whoever reads may wait for ever for what it asked of registers that were elsewhere.
echo 1 >"$function/remove" & remover=$!
sleep 2
echo up
END
run --disk disk --read "/d=>$TEST" -- sh /d/again.sh >output 2>errors || fail "status $?: $(<errors) $(<output)"
[[ $(<output) == $'moved\nup' ]] || fail "$(<output)"

# Drivers that come and go while there is work.
run --disk disk --read "/d=>$TEST" -- sh -euc '
  function=$(basename "$(readlink -f /sys/block/vda/device/..)")
  cd /sys/bus/pci
  for turn in 1 2 3 4 5 6 7 8 9 10; do
    dd if=/dev/vda of=/dev/null bs=4k iflag=direct status=none 2>/dev/null &
    sleep 0.05
    echo "$function" >drivers/virtio-pci/unbind
    echo "$function" >drivers/virtio-pci/bind
    wait $! || true
  done
  echo 1 >"devices/$function/remove"
  echo 1 >rescan
  until test -e /dev/vda; do sleep 0.1; done
  dd if=/dev/vda bs=1M iflag=direct status=none | sha256sum' >output 2>errors || fail "status $?: $(<errors)"
[[ $(<output) == "$disk_sum" ]] || fail "$(<output) $(<errors)"

# There are more functions than lines.
disks=()
for number in {1..12}; do
  truncate -s 1M "disk$number"
  disks+=(--disk "disk$number")
done
shares=()
for number in {1..8}; do
  mkdir "share$number" && echo "$number" >"share$number/file"
  shares+=(--share "/s$number=>$TEST/share$number")
done
expect_output $'12\n36' run "${disks[@]}" "${shares[@]}" -- sh -c '
  ls -d /sys/block/vd* | wc -l; cat /s*/file | { total=0; while read n; do total=$((total + n)); done; echo $total; }'
timeout 60 "$NOVM" run --kernel cloud "${disks[@]}" "${shares[@]}" -- true 2>errors &&
  fail 'more devices than lines without a bus'
grep -q 'pci' errors || fail "$(<errors)"
