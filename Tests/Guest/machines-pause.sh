# Machines that are paused, and commands that one comes back to.
#: as root
#: also tester/pci
#: timeout 600

state_of() { "$NOVM" ls --all --format '{{.Name}} {{.Status}}' | sed -n "s/^$1 //p"; }
expect_state() { [[ $(state_of "$1") == "$2" ]] || fail "$1 is '$(state_of "$1")', not '$2'"; }
lines() { "$NOVM" logs ticker | wc -l; }
more_than() { (($(lines) > $1)); }

"$NOVM" run -d --kernel "$KERNEL" --transport "$TRANSPORT" --name ticker -- sh -c 'trap "exit 3" TERM; while :; do echo tick; sleep 0.1; done'
eventually 20 more_than 2
expect_output ticker "$NOVM" pause ticker
expect_state ticker paused
before=$(lines)
sleep 1.5
(($(lines) == before)) || fail "it wrote while it was paused: $before, $(lines)"
expect_output ticker "$NOVM" pause ticker
# Who needs the guest is told so, and does not wait.
for command in 'exec ticker -- true' 'top ticker' 'cp ticker:/etc/passwd x' 'attach ticker'; do
  # shellcheck disable=SC2086 # words of a command
  "$NOVM" $command 2>"$TEST/errors" && fail "$command did something"
  grep -q 'ticker is paused; `novm unpause ticker` lets it go on' "$TEST/errors" || fail "$command: $(<"$TEST/errors")"
done
"$NOVM" stats --no-stream ticker | grep -Eq '^ticker +paused' || fail "stats: $("$NOVM" stats --no-stream ticker)"
expect_output ticker "$NOVM" unpause ticker
expect_state ticker running
eventually 20 more_than $((before + 2))
# Its devices have places for good.
layout=$(cat "$NOVM_ROOT"/machines/*/layout.json)
[[ $layout == *'"entropy" : 0'* && $layout == *'"vsock"'* ]] || fail "places: $layout"
# Stop and kill end one that is paused.
"$NOVM" pause ticker
"$NOVM" stop ticker
expect_state ticker 'exited (3)'
expect_status 125 "$NOVM" pause ticker
"$NOVM" start ticker
[[ $(cat "$NOVM_ROOT"/machines/*/layout.json) == "$layout" ]] || fail 'other places'
"$NOVM" pause ticker
"$NOVM" kill ticker
expect_state ticker 'exited (137)'
"$NOVM" rm ticker

# Attached: output from now on, input, the exit status.
"$NOVM" run -d -i --kernel "$KERNEL" --transport "$TRANSPORT" --name talk -- sh -c 'echo early; while read -r line; do echo "got $line"; [ "$line" != end ] || exit 6; done'
said() { "$NOVM" logs talk | grep -x early >/dev/null; }
eventually 20 said
mkfifo "$TEST/typed"
: >"$TEST/attached"
"$NOVM" attach talk <"$TEST/typed" >"$TEST/attached" &
attached=$!
exec 9>"$TEST/typed"
echo one >&9
answered() { [[ $(<"$TEST/attached") == 'got one' ]]; }
eventually 60 answered
kill -KILL "$attached"
wait "$attached" || true
exec 9>&-
status=0
printf 'two\nend\n' | timeout 60 "$NOVM" attach talk >"$TEST/attached" || status=$?
[[ $status == 6 && $(<"$TEST/attached") == $'got two\ngot end' ]] || fail "attached: $status, $(<"$TEST/attached")"
expect_output $'early\ngot one\ngot two\ngot end' "$NOVM" logs talk
"$NOVM" rm talk
# Signals.
"$NOVM" run -d --kernel "$KERNEL" --transport "$TRANSPORT" --name trap -- sh -c 'trap "echo caught; exit 8" USR1; while :; do echo up; sleep 0.1; done'
: >"$TEST/attached"
"$NOVM" attach trap >"$TEST/attached" &
attached=$!
follows() { grep -qx up "$TEST/attached"; }
eventually 60 follows
kill -USR1 $attached
status=0
wait $attached || status=$?
[[ $status == 8 && $(<"$TEST/attached") == *caught* ]] || fail "attached: $status, $(<"$TEST/attached")"
"$NOVM" rm trap
# No command, nobody to come back to.
"$NOVM" create --kernel "$KERNEL" --transport "$TRANSPORT" --name box >/dev/null
expect_status 125 "$NOVM" attach box
"$NOVM" rm --force box

# From a file.
printf 'kernel: cloud\nrm: true\nenv: {WORD: said}\ncommand: [sh, -c, "echo $WORD; exit 4"]\n' >"$TEST/machine.yaml"
status=0
"$NOVM" run -f "$TEST/machine.yaml" >"$TEST/said" || status=$?
[[ $status == 4 && $(<"$TEST/said") == said ]] || fail "from a file: $status, $(<"$TEST/said")"
expect_output other "$NOVM" run -f "$TEST/machine.yaml" --env WORD=other -- sh -c 'echo $WORD'
