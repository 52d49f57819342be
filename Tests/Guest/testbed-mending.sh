# An emulated host of its own: starts that race, processes that are killed, and what is left in the end.
#: outside
#: timeout 600
#: long
host=(Testbed/host --instance mending --memory 1024 --cpus 1)
state=${NOVM_TESTBED_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/novm/testbed}/instances/mending
trap '"${host[@]}" reset' EXIT
"${host[@]}" reset

# Gone, or dead and not yet taken note of by its parent.
ended() { [[ ! -e /proc/$1 || $(sed 's/.*) //; s/ .*//' "/proc/$1/stat") == Z ]]; }

expect_status 1 "${host[@]}" status
pids=()
for number in 1 2 3; do
  expect_output "$number" "${host[@]}" run echo "$number" &
  pids+=($!)
done
for pid in "${pids[@]}"; do wait "$pid"; done

# The scratch disk stays through the worst; memory does not.
"${host[@]}" run sh -c 'echo kept >/scratch/kept && sync && touch /tmp/gone'
kill -KILL "$(<"$state/pid")"
expect_output kept "${host[@]}" run cat /scratch/kept
expect_status 1 "${host[@]}" run test -e /tmp/gone

# A command whose host goes, and why it went.
"${host[@]}" run sh -c 'touch /tmp/up && sleep 300' 2>"$TEST/words" &
command=$!
eventually 20 "${host[@]}" run test -e /tmp/up
"${host[@]}" run sh -c 'echo c >/proc/sysrq-trigger' 2>/dev/null || true
expect_status 125 wait "$command"
grep -q '^testbed: .* went while the command ran: Kernel panic - not syncing: sysrq' "$TEST/words" || fail "$(<"$TEST/words")"
"${host[@]}" up

# The shared connection is only a matter of speed.
kill -KILL "$(ps -eo pid,args | awk -v socket="$state/ssh" '$2 == "ssh" && index($0, socket) { print $1; exit }')"
expect_output again "${host[@]}" run echo again

# A start that is killed in the middle is finished by the next command.
"${host[@]}" down
expect_status 1 "${host[@]}" status
setsid "${host[@]}" up &
starter=$!
eventually 20 test -s "$state/pid"
kill -KILL "$starter"
expect_output finished "${host[@]}" run echo finished

pid=$(<"$state/pid")
"${host[@]}" down
eventually 5 ended "$pid"
