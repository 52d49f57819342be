# Machines in the background: made, listed, used, stopped, started anew, removed.
#: as root
#: also tester
#: timeout 900

status_of() { "$NOVM" ls --all --format '{{.Name}} {{.Status}}' | sed -n "s/^$1 //p"; }
expect_state() {
  local state
  state=$(status_of "$1")
  [[ $state == "$2" ]] || fail "$1 is '$state', not '$2'"
}

# Without a command.
id=$("$NOVM" create --kernel cloud --name box)
[[ $id =~ ^[0-9a-f]{12}$ ]] || fail "no identifier: $id"
expect_state box running
expect_output "$id" "$NOVM" ls -q
expect_output 'in box' "$NOVM" exec box -- sh -c 'echo in box; echo kept >/kept'
expect_output 'of 7:8' "$NOVM" exec -u 7:8 box -- sh -c 'echo "of $(id -u):$(id -g)" >/dev/stdout'
expect_status 124 "$NOVM" exec --timeout 1 box -- sleep 1000
expect_status 7 "$NOVM" exec "${id:0:8}" -- sh -c 'exit 7'
expect_output "$(head -c 1000000 /dev/zero | sha256sum)" "$NOVM" exec -i box sha256sum < <(head -c 1000000 /dev/zero)
# Two at once.
"$NOVM" exec box -- sh -c 'while [ ! -e /tmp/go ]; do sleep 0.1; done; echo gone' >"$TEST/first" &
first=$!
"$NOVM" exec box -- touch /tmp/go
wait "$first" || fail "the first of two commands: $?"
[[ $(<"$TEST/first") == gone ]] || fail "the first of two commands wrote: $(<"$TEST/first")"

expect_status 125 "$NOVM" create --kernel cloud --name box
expect_status 125 "$NOVM" rm box
"$NOVM" rename box crate
"$NOVM" stop crate
expect_state crate 'exited (0)'
expect_status 125 "$NOVM" exec crate -- true
"$NOVM" start crate
"$NOVM" start crate
expect_output kept "$NOVM" exec crate -- cat /kept

# kill -9 of the process that looks after it: the next command knows, and it starts anew.
supervisor=$("$NOVM" inspect crate | sed -n 's/.*"supervisor" : \([0-9]*\).*/\1/p')
monitor=$("$NOVM" inspect crate | sed -n 's/.*"monitor" : \([0-9]*\).*/\1/p')
kill -KILL "$supervisor"
no_monitor() { ! kill -0 "$monitor" 2>/dev/null; }
eventually 10 no_monitor
expect_state crate killed
"$NOVM" start crate
expect_output kept "$NOVM" exec crate -- cat /kept
"$NOVM" rm --force crate
[[ -z $(ls "$NOVM_ROOT/machines") ]] || fail "left: $(ls "$NOVM_ROOT/machines")"

# In the foreground, as a unit of systemd's has it.
"$NOVM" run -d --kernel cloud --name fails -- sh -c 'exit 6' >/dev/null
"$NOVM" wait fails >/dev/null
expect_status 6 "$NOVM" start --wait fails
"$NOVM" rm fails

# With a command: its output is kept, and its status.
"$NOVM" run -d --kernel cloud --name job -- sh -c 'echo out; echo err >&2; trap "exit 5" TERM; while :; do sleep 0.1; done'
wrote() { [[ $("$NOVM" logs job 2>"$TEST/errors") == out && $(<"$TEST/errors") == err ]]; }
eventually 10 wrote
"$NOVM" logs --follow job >"$TEST/followed" 2>&1 &
follower=$!
"$NOVM" wait job >"$TEST/waited" &
waiter=$!
"$NOVM" stop job
wait "$follower" "$waiter"
[[ $(<"$TEST/waited") == 5 ]] || fail "wait printed $(<"$TEST/waited")"
# The shell tells of its `sleep` too, which got the signal with it.
[[ $(grep -x -e out -e err "$TEST/followed" | sort) == $'err\nout' ]] || fail "followed: $(<"$TEST/followed")"
expect_state job 'exited (5)'
wrote_times() { (($("$NOVM" logs job 2>/dev/null | grep -cx out) == $1)); }
"$NOVM" start job
eventually 10 wrote_times 2
"$NOVM" kill job
expect_state job 'exited (137)'
"$NOVM" restart job
eventually 10 wrote_times 3
sleep 0.5 # For the trap.
"$NOVM" kill --signal TERM job
expect_output 5 "$NOVM" wait job
expect_output $'out\nout\nout' "$NOVM" logs job
expect_output job "$NOVM" prune --force
[[ -z $(ls "$NOVM_ROOT/machines") ]] || fail "left: $(ls "$NOVM_ROOT/machines")"

# What cannot be run is told at once.
expect_status 127 "$NOVM" run -d --rm --kernel cloud -- /no/such/command
[[ -z $(ls "$NOVM_ROOT/machines") ]] || fail "left: $(ls "$NOVM_ROOT/machines")"

# A machine in the foreground is one like the others while it lives; with a name it stays.
"$NOVM" run --kernel cloud --name front -- sh -c 'echo up; read line; exit 4' <"$TEST/first" >/dev/null &
status=0
wait $! || status=$?
[[ $status == 4 ]] || fail "the command in the foreground: $status"
expect_state front 'exited (4)'
"$NOVM" rm front
