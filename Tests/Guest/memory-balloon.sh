# Memory: what a guest frees goes back to the host by itself; the balloon takes more, gives it back, and gives way to a
# guest that runs short.
#: as root
#: timeout 900
cd "$TEST"
resident() { awk '/^VmRSS/ { print int($2 / 1024) }' "/proc/$monitor/status"; }
below() { (($(resident) < $1)); }
value() { "$NOVM" balloon --json "$id" | sed -n "s/.*\"$1\" *: *\([0-9]*\).*/\1/p"; }
given() { (($(value actual) >> 20 >= $1)); }

for kernel in cloud generic; do
  id=$("$NOVM" run --kernel $kernel --memory 1536M --detach -- sleep 10000)
  monitor=$(sed -n 's/.*"monitor" *: *\([0-9]*\).*/\1/p' "$NOVM_ROOT"/machines/"$id"/state.json)
  [[ $(<"/proc/$monitor/comm") == novmm* ]] || fail "process $monitor is no monitor"

  # 512 MiB in use, and free again.
  "$NOVM" exec "$id" -- dd if=/dev/zero of=/dev/shm/much bs=1M count=512 status=none
  full=$(resident)
  ((full > 520)) || fail "the guest wrote 512 MiB, and only $full are resident"
  "$NOVM" exec "$id" -- rm /dev/shm/much
  eventually 60 below $((full - 480))
  echo "$kernel: $full MiB resident with 512 MiB in use, $(resident) MiB once they were free"

  if [[ $kernel == generic ]]; then
    "$NOVM" stop "$id"
    "$NOVM" rm "$id" >/dev/null
    continue
  fi

  # What lies in the guest's caches stays, until the balloon takes it.
  "$NOVM" balloon "$id" 1200M
  eventually 200 given 1190
  (($(value free) >> 20 < 330)) || fail "the guest says that $(value free) bytes are free"
  below 420 || fail "$(resident) MiB with a balloon of 1200"
  # A guest that runs short has it back.
  "$NOVM" exec "$id" -- dd if=/dev/zero of=/dev/shm/much bs=1M count=300 status=none ||
    fail 'the balloon left the guest short'
  "$NOVM" exec "$id" -- sh -c 'head -c 300M /dev/zero | cmp - /dev/shm/much && rm /dev/shm/much' || fail 'memory was lost'
  "$NOVM" balloon "$id" 0
  none() { (($(value actual) == 0)); }
  eventually 100 none
  "$NOVM" exec "$id" -- dd if=/dev/zero of=/dev/shm/much bs=1M count=300 status=none
  expect_status 125 "$NOVM" balloon "$id" 1536M 2>errors
  grep -q 'no more than 1610612736 bytes' errors || fail "$(<errors)"
  "$NOVM" stop "$id"
  "$NOVM" rm "$id" >/dev/null
done

# Without one, memory stays.
id=$("$NOVM" run --kernel cloud --no-balloon --detach -- sleep 1000)
expect_status 125 "$NOVM" balloon "$id" 2>errors
grep -q 'has no balloon' errors || fail "$(<errors)"
"$NOVM" exec "$id" -- sh -c '! grep -l 0x0005 /sys/bus/virtio/devices/*/device' || fail 'there is a balloon'
"$NOVM" stop "$id"
"$NOVM" rm "$id" >/dev/null
