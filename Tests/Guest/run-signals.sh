# Signals for `novm run` go to the command; a second one ends the machine.
#: as root
#: timeout 1800

# Starts a machine that says when its command runs; waits for that.
start() {
  : >"$TEST/output"
  "$NOVM" run --kernel cloud -- "$@" >"$TEST/output" 2>"$TEST/errors" </dev/null &
  pid=$!
  eventually 300 grep -q ready "$TEST/output"
}
status() {
  local status=0
  wait "$pid" || status=$?
  [[ $status == "$1" ]] || fail "status $status, not $1: $(<"$TEST/output") $(<"$TEST/errors")"
}

# shellcheck disable=SC2016 # for the shell in there
handler='trap "echo caught $0; exit 9" "$0"; echo ready; while :; do sleep 0.1; done'
for signal in HUP QUIT USR1 USR2 TERM; do
  start sh -c "$handler" "$signal"
  kill "-$signal" "$pid"
  status 9
  grep -q "caught $signal" "$TEST/output" || fail "$signal: $(<"$TEST/output")"
done

start sh -c 'echo ready; sleep 1000'
kill -TERM "$pid"
status 143

start sh -c 'trap "" TERM; echo ready; while :; do sleep 1; done'
kill -TERM "$pid"
sleep 0.3
kill -TERM "$pid"
status 143
[[ -z $(ls "$NOVM_ROOT/machines") ]] || fail "left behind: $(ls "$NOVM_ROOT/machines")"
