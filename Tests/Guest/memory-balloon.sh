# Memory: what a guest frees goes back to the host by itself; the balloon takes more, gives it back, and gives way to a
# guest that runs short; and goes up and down while programs work.
#: as root
#: also tester/pci
#: timeout 900
#: long
cd "$TEST"
resident() { awk '/^VmRSS/ { print int($2 / 1024) }' "/proc/$monitor/status"; }
below() { (($(resident) < $1)); }
value() { "$NOVM" balloon --json "$id" | sed -n "s/.*\"$1\" *: *\([0-9]*\).*/\1/p"; }
none() { (($(value actual) == 0)); }
given() { (($(value actual) >> 20 >= $1)); }

cat >load.py <<'END'
# Takes memory, writes to all of it, looks whether it is all there, and gives it back, until it is told to end.
import mmap, os, struct, sys
SIZE, PIECE = 96 << 20, 256 << 10
name, rounds = sys.argv[1], 0
while not os.path.exists("/dev/shm/end"):
    memory = mmap.mmap(-1, SIZE)
    def piece(place): return struct.pack("<QQ", rounds, place) * (PIECE // 16)
    for place in range(0, SIZE, PIECE): memory[place:place + PIECE] = piece(place)
    for place in range(0, SIZE, PIECE): assert memory[place:place + PIECE] == piece(place), hex(place)
    memory.close()
    rounds += 1
    with open("/dev/shm/rounds-" + name, "w") as file: print(rounds, file=file)
END

# The balloon up and down while two programs work; what they no longer need is reported meanwhile.
load() {
  local turn before=0
  "$NOVM" exec "$id" -- sh -c '
    python3 /d/load.py one & one=$!
    python3 /d/load.py two & two=$!
    wait $one && wait $two' >load 2>&1 &
  local programs=$!
  rounds() { "$NOVM" exec "$id" -- sh -c 'cat /dev/shm/rounds-* | sort -n | head -n 1'; }
  further() { kill -0 "$programs" || fail "the programs have ended: $(<load)" && (($(rounds) > before)); }
  started() { "$NOVM" exec "$id" -- test -e /dev/shm/rounds-one -a -e /dev/shm/rounds-two; }
  eventually 100 started
  # Each takes a minute or two; more of them in the run that is for --full.
  for turn in $([[ $TRANSPORT == mmio ]] && echo 1 || echo 1 2 3); do
    "$NOVM" balloon "$id" 800M
    eventually 100 given 600
    "$NOVM" balloon "$id" $((turn * 50))M
    before=$(rounds)
    eventually 100 further
  done
  "$NOVM" balloon "$id" 0
  "$NOVM" exec "$id" -- touch /dev/shm/end
  wait "$programs" || fail "memory is not what it was: $(<load)"
  eventually 100 none
  ! "$NOVM" exec "$id" -- dmesg | grep -i -e 'out of memory' -e 'oom-kill' || fail 'the guest ran out of memory'
  eventually 60 below "$1"
}

# Half as much where it is enough: what programs leave in pieces is the same, and more of a small machine.
for which in cloud,768,256 generic,1536,512; do
  IFS=, read -r kernel memory much <<<"$which"
  id=$("$NOVM" run --kernel "$kernel" --transport "${TRANSPORTS[$kernel]}" --memory "${memory}M" --cpus 2 --read "/d=>$TEST" --detach -- sleep 10000)
  monitor=$(sed -n 's/.*"monitor" *: *\([0-9]*\).*/\1/p' "$NOVM_ROOT"/machines/"$id"/state.json)
  [[ $(<"/proc/$monitor/comm") == novmm* ]] || fail "process $monitor is no monitor"

  # A third of it in use, and free again.
  "$NOVM" exec "$id" -- dd if=/dev/zero of=/dev/shm/much bs=1M count="$much" status=none
  full=$(resident)
  ((full > much + 8)) || fail "the guest wrote $much MiB, and only $full are resident"
  "$NOVM" exec "$id" -- rm /dev/shm/much
  eventually 60 below $((full - much + 48))
  echo "$kernel: $full MiB resident with $much MiB in use, $(resident) MiB once they were free"

  if [[ $kernel == generic ]]; then
    load $((full - 400))
    "$NOVM" stop "$id"
    "$NOVM" rm "$id" >/dev/null
    continue
  fi

  # What lies in the guest's caches stays, until the balloon takes it.
  "$NOVM" balloon "$id" 500M
  eventually 200 given 495
  (($(value free) >> 20 < 260)) || fail "the guest says that $(value free) bytes are free"
  below 340 || fail "$(resident) MiB with a balloon of 500"
  # A guest that runs short has it back.
  "$NOVM" exec "$id" -- dd if=/dev/zero of=/dev/shm/much bs=1M count=200 status=none ||
    fail 'the balloon left the guest short'
  "$NOVM" exec "$id" -- sh -c 'head -c 200M /dev/zero | cmp - /dev/shm/much && rm /dev/shm/much' || fail 'memory was lost'
  "$NOVM" balloon "$id" 0
  eventually 100 none
  "$NOVM" exec "$id" -- dd if=/dev/zero of=/dev/shm/much bs=1M count=200 status=none
  expect_status 125 "$NOVM" balloon "$id" 768M 2>errors
  grep -q 'no more than 805306368 bytes' errors || fail "$(<errors)"
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
