# Drivers that reset their devices again and again while there is work for them, as far as Linux lets go of one: after each
# time the device does what it is for. The one of the tree stays.
#: as root
#: also root/pci
#: timeout 900
#: long
if [[ -z ${NETWORK_TEST:-} ]]; then
  export NETWORK_TEST=yes
  # shellcheck disable=SC2016 # for the shell in there
  exec unshare --net bash -euo pipefail -c 'source Tests/Guest/library; source Tests/Guest/resets.sh'
fi
ip link set lo up
ip link add br0 type bridge 2>/dev/null || skip 'no bridges here'
ip address add 10.78.0.1/24 dev br0
ip link set br0 up

cd "$TEST"
mkdir share libexec
head -c 4M /dev/urandom | tee disk memory >share/file
python3 -m http.server --directory share --bind 10.78.0.1 8000 >/dev/null 2>&1 &
server=$!
# novm has no use for a virtio console: novmm is asked for one.
ln -s "$NOVM_LIBEXEC"/* libexec
rm libexec/novmm
printf '#!/bin/sh\nexec %q --console %q "$@"\n' "$NOVM_LIBEXEC/novmm" "unix:$TEST/line" >libexec/novmm
chmod +x libexec/novmm
export NOVM_LIBEXEC=$TEST/libexec
# Gives back what it is told, however much waits for who reads: a guest's kernel has nothing else to do than to wait for who
# does not listen.
python3 - <<'END_OF_ECHO' &
import queue, socket, threading
listener = socket.socket(socket.AF_UNIX)
listener.bind("line")
listener.listen()
while True:
    line, _ = listener.accept()
    told = queue.SimpleQueue()
    def answer(line=line, told=told):
        while data := told.get(): line.sendall(data)
    threading.Thread(target=answer, daemon=True).start()
    while data := line.recv(65536): told.put(data)
END_OF_ECHO
echoes=$!
trap 'kill $server $echoes' EXIT
eventually 20 test -S line

cat >resets.sh <<'END_OF_RESETS'
set -eum
turns=$2
sum=$(sha256sum <"$1/share/file")
# The device of a kind (Virtio 1.2, 5); of two, the last.
device() {
  for place in /sys/bus/virtio/devices/*; do
    [ "$(cat "$place/device")" != "$1" ] || found=$place
  done
  echo "${found:?no device $1}"
}
# again ID: its driver goes while `work` is done, and comes back, as often as there are turns; each time `check` must succeed.
again() {
  place=$(device "$1")
  name=${place##*/}
  driver=$(readlink -f "$place/driver")
  for turn in $turns; do
    work >/dev/null 2>&1 &
    working=$!
    sleep 0.2
    echo "$name" >"$driver/unbind"
    left
    # With `-m` a process group. Whose device is gone may have ended, or wait for it for ever.
    kill -9 -- -$working 2>/dev/null || true
    wait $working || true
    echo "$name" >"$driver/bind"
    check || { echo "turn $turn of device $1: not as before"; exit 1; }
  done
  echo "reset $1"
}
left() { :; }
same() { [ "$(sha256sum)" = "$sum" ]; }

work() { while :; do curl -s http://10.78.0.1:8000/file || sleep 0.1; done; }
check() {
  ip link set lo up
  ip address add 10.78.0.2/24 dev eth0
  ip link set eth0 up
  curl -s --retry 5 --retry-connrefused -m 60 http://10.78.0.1:8000/file | same
}
again 0x0001

work() {
  dd if=/dev/zero of=/dev/vda bs=4k count=2000 seek=1024 oflag=direct conv=nocreat &
  while dd if=/dev/vda bs=64k iflag=direct; do :; done
}
check() { until [ -b /dev/vda ]; do sleep 0.1; done; dd if=/dev/vda bs=1M count=4 iflag=direct status=none | same; }
again 0x0002

modprobe virtio_console
line() {
  until [ -c /dev/hvc0 ]; do sleep 0.1; done
  stty -F /dev/hvc0 raw -echo
}
# Nothing is being written as the driver goes: Linux 6.1 then takes what is still in its output queue for something else, and
# faults (drivers/char/virtio_console.c, remove_vqs).
work() {
  line
  cat /dev/hvc0
}
check() {
  line
  # What was under way when the driver went may still come back. In a shell of its own, whose terminal it does not become.
  (
    exec 4<>/dev/hvc0
    printf '\nturn %s\n' "$turn" >&4
    timeout 60 grep -a -m 1 -q "^turn $turn\$" <&4
  )
}
again 0x0003

work() { dd if=/dev/hwrng of=/dev/null; }
check() { [ "$(head -c 100 /dev/hwrng | wc -c)" = 100 ]; }
again 0x0004

work() { while :; do head -c 100M /dev/zero >/dev/shm/much; rm /dev/shm/much; done; }
check() { head -c 50M /dev/zero >/dev/shm/much && head -c 50M /dev/zero | cmp - /dev/shm/much; }
again 0x0005
rm -f /dev/shm/much

tag=$(awk '$2 == "/s" && $3 == "virtiofs" { print $1 }' /proc/mounts)
work() { while cat /s/file; do :; done; }
left() { umount -l /s; }
check() { mount -t virtiofs "$tag" /s && same </s/file; }
again 0x001a
left() { :; }

modprobe nd_pmem 2>/dev/null || true
work() { while dd if=/dev/zero of=/dev/pmem0 bs=4k count=1 seek=1500 conv=nocreat,fsync; do :; done; }
check() { until [ -b /dev/pmem0 ]; do sleep 0.1; done; dd if=/dev/pmem0 bs=1M count=4 status=none | same; }
again 0x001b
END_OF_RESETS

# A second time the generic kernel does it in the run that is for --full.
# With cache=none the host's kernel does all for a disk by itself, where it has io_uring.
for how in cloud,writeback,'1 2' generic,none,"$([[ $TRANSPORT == pci ]] && echo 1 2 || echo 1)"; do
  IFS=, read -r kernel cache turns <<<"$how"
  truncate -s 16M disk memory
  # shellcheck disable=SC2016 # for the shell in there
  timeout 400 "$NOVM" run --kernel "$kernel" --transport "${TRANSPORTS[$kernel]}" --cpus 2 --memory 768M --com1 \
    --nic tap=r0,bridge=br0,ip=none --disk "disk,cache=$cache" --pmem memory --share "/s=>$TEST/share" -- \
    bash "$TEST/resets.sh" "$TEST" "$turns" >output 2>errors || fail "status $? with $kernel: $(<output) $(<errors)"
  expected=$(printf 'reset 0x%04x\n' 1 2 3 4 5 26 27)
  [[ $(<output) == "$expected" ]] || fail "$kernel: $(<output) $(<errors)"
done

# The one by which commands come: whoever resets that ends them, and the machine, with a word of it.
# shellcheck disable=SC2016
expect_status 125 timeout 100 "$NOVM" run --kernel cloud --transport "${TRANSPORTS[cloud]}" -- sh -euc '
  device=$(grep -l 0x0013 /sys/bus/virtio/devices/*/device)
  device=${device%/device}
  driver=$(readlink -f "$device/driver")
  echo "${device##*/}" >"$driver/unbind"
  echo "${device##*/}" >"$driver/bind"
  sleep 100' 2>errors
[[ $(<errors) == 'novm: the guest closed the connection before the command ended'* ]] || fail "$(<errors)"
