# kill -9 of each process at each stage leaves nothing once the next command has begun.
#: as root
#: also tester
#: timeout 600

marker=novm.left-behind=$$
start() {
  : >"$TEST/output"
  # Asked to end, it says so and goes on: the guest gives it two seconds before it is killed.
  "$NOVM" run --kernel cloud --cmdline "$marker" -- \
    sh -c 'trap "echo asked" TERM; trap "" HUP; echo ready; while :; do sleep 1; done' \
    >"$TEST/output" 2>"$TEST/errors" </dev/null &
  pid=$!
}
# The monitor of the machine that start() started.
monitor() { pgrep -f "libexec/novm/novmm.*$marker" | head -n 1; }
has_monitor() { [[ -n $(monitor) ]]; }
no_monitor() { [[ -z $(monitor) ]]; }
machine=none sockets=none

# Waits for a stage of the machine that start() started. What the one before left is gone by then.
reach() {
  if [[ $1 == boot ]]; then eventually 60 has_monitor; else eventually 100 grep -q ready "$TEST/output"; fi
  if [[ $1 == power-off ]]; then
    kill -TERM "$(monitor)"
    eventually 30 grep -q asked "$TEST/output"
  fi
  [[ ! -e $machine && ! -e $sockets ]] || fail "left: $machine, $sockets"
  machine=$(echo "$NOVM_ROOT"/machines/*)
  sockets=$(readlink "$machine/runtime")
  [[ -d $machine && -d $sockets ]] || fail "no machine where it should be: '$machine', '$sockets'"
}
ended() {
  status=0
  wait "$pid" || status=$?
  [[ " $* " == *" $status "* ]] || fail "status $status, not $*: $(<"$TEST/errors")"
  eventually 30 no_monitor
}

for stage in boot command power-off; do
  start
  reach "$stage"
  kill -KILL "$pid"
  ended 137
done

# novm says what became of novmm, and tidies up itself.
for stage in boot command power-off; do
  start
  reach "$stage"
  kill -KILL "$(monitor)" || true
  if [[ $stage == power-off ]]; then
    # On a busy host the guest may have killed the command first, or be gone.
    ended 125 137
  else
    ended 125
  fi
  ((status != 125)) || grep -q 'novmm was ended by signal 9' "$TEST/errors" || fail "$(<"$TEST/errors")"
  [[ ! -e $machine && ! -e $sockets ]] || fail "left of novmm killed at $stage: $machine, $sockets"
done

# Ctrl-C while the guest boots. Background commands of a script ignore SIGINT, but novm asks for it.
start
reach boot
kill -INT "$pid"
ended 130
[[ -z $(ls "$NOVM_ROOT/machines") ]] || fail "left behind: $(ls "$NOVM_ROOT/machines")"
