# Signals for `novm run` go to the command; a second one ends the machine.
#: as root tester/pci
#: timeout 400

# Starts a machine that says when its command runs; waits for that.
start() {
  : >"$TEST/output"
  "$NOVM" run --kernel "$KERNEL" --transport "$TRANSPORT" -- "$@" >"$TEST/output" 2>"$TEST/errors" </dev/null &
  pid=$!
  eventually 100 grep -q ready "$TEST/output"
}
status() {
  local status=0
  wait "$pid" || status=$?
  [[ $status == "$1" ]] || fail "status $status, not $1: $(<"$TEST/output") $(<"$TEST/errors")"
}

# shellcheck disable=SC2016 # for the shell in there
start sh -c 'for signal in HUP INT QUIT USR1 USR2; do trap "echo caught $signal" "$signal"; done
  trap "echo caught TERM; exit 9" TERM; echo ready; while :; do sleep 0.1; done'
for signal in HUP INT QUIT USR1 USR2 TERM; do
  kill "-$signal" "$pid"
  eventually 20 grep -q "caught $signal" "$TEST/output"
done
status 9

start sh -c 'echo ready; sleep 1000'
kill -TERM "$pid"
status 143

start sh -c 'trap "" TERM; echo ready; while :; do sleep 1; done'
kill -TERM "$pid"
sleep 0.3
kill -TERM "$pid"
status 143
# Further ones as the command has ended and the machine is ending.
start sh -c 'echo ready; sleep 1000'
while kill -TERM "$pid" 2>/dev/null; do sleep 0.01; done
status 143

[[ -z $(ls "$NOVM_ROOT/machines") ]] || fail "left behind: $(ls "$NOVM_ROOT/machines")"
