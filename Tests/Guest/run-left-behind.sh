# kill -9 of each process at each stage leaves nothing once the next command has run.
#: as root tester
#: timeout 1800

marker=novm.left-behind=$$
start() {
  : >"$TEST/output"
  "$NOVM" run --kernel cloud --cmdline "$marker" -- "$@" >"$TEST/output" 2>"$TEST/errors" </dev/null &
  pid=$!
}
# The monitor of the machine that start() started.
monitor() { pgrep -f "libexec/novm/novmm.*$marker" | head -n 1; }
has_monitor() { [[ -n $(monitor) ]]; }
no_monitor() { [[ -z $(monitor) ]]; }
runtime() { readlink "$NOVM_ROOT"/machines/*/runtime; }

clean() {
  eventually 10 no_monitor
  expect_status 0 "$NOVM" run --kernel cloud -- true
  [[ -z $(ls "$NOVM_ROOT/machines") ]] || fail "left of $*: $(ls "$NOVM_ROOT/machines")"
  [[ ! -e $sockets ]] || fail "left of $*: $sockets"
}

# novm, while the guest boots and while its command runs.
for stage in boot command; do
  start sh -c 'echo ready; sleep 1000'
  if [[ $stage == boot ]]; then eventually 200 has_monitor; else eventually 300 grep -q ready "$TEST/output"; fi
  sockets=$(runtime)
  kill -KILL "$pid"
  wait "$pid" || true
  clean "novm killed at $stage"
done

# novmm, at the same stages: novm says so.
for stage in boot command; do
  start sh -c 'echo ready; sleep 1000'
  if [[ $stage == boot ]]; then eventually 200 has_monitor; else eventually 300 grep -q ready "$TEST/output"; fi
  sockets=$(runtime)
  kill -KILL "$(monitor)"
  status=0
  wait "$pid" || status=$?
  ((status == 125)) || fail "status $status after novmm was killed at $stage: $(<"$TEST/errors")"
  grep -q 'novmm was ended by signal 9' "$TEST/errors" || fail "$(<"$TEST/errors")"
  [[ -z $(ls "$NOVM_ROOT/machines") ]] || fail "left of novmm killed at $stage: $(ls "$NOVM_ROOT/machines")"
  clean "novmm killed at $stage"
done

# Ctrl-C while the guest boots.
start sleep 1000
eventually 200 has_monitor
sockets=$(runtime)
# Background commands of a script ignore SIGINT, but novm asks for it.
kill -INT "$pid"
status=0
wait "$pid" || status=$?
((status == 130)) || fail "status $status after SIGINT while booting: $(<"$TEST/errors")"
clean 'novm interrupted while booting'
