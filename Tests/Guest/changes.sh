# What machines wrote: seen, brought back to the host, made a pack of, thrown away.
#: as root tester
#: timeout 900

run() { "$NOVM" run --kernel cloud "$@"; }

mkdir -p "$TEST/work/src"
cd "$TEST/work"
echo one >src/one
echo two >src/two
chmod 755 "$TEST"
here=$PWD

run --name job --cwd "$here" -- sh -c 'echo ONE >src/one; rm src/two; mkdir src/new; echo n >src/new/n; ln -s n src/new/l'
[[ $(<src/one) == one && -e src/two && ! -e src/new ]] || fail 'the host has changed already'
"$NOVM" diff job >"$TEST/diff"
printf '%s\n' "A $here/src/new" "A $here/src/new/l -> n" "A $here/src/new/n" "C $here/src/one" "D $here/src/two" |
  cmp - "$TEST/diff" || fail "diff: $(<"$TEST/diff")"
"$NOVM" diff --content job "$here/src/one" >"$TEST/content"
for line in -one +ONE; do grep -qx -e "$line" "$TEST/content" || fail "diff --content: $(<"$TEST/content")"; done
[[ $("$NOVM" diff --json job | grep -c '"kind" : "added"') == 3 ]] || fail "diff --json: $("$NOVM" diff --json job)"

# As a pack it shows the same over the same directories.
"$NOVM" commit job changes >"$TEST/digest"
expect_output $'ONE\nnew\none' run --read / --pack changes --cwd "$here/src" -- sh -c 'cat one; ls'

# What somebody else changed stays.
echo mine >src/one
expect_status 125 "$NOVM" apply --force job >"$TEST/out" 2>"$TEST/err"
grep -q "src/one was changed on the host since" "$TEST/err" || fail "apply: $(<"$TEST/err")"
[[ $(<src/one) == mine && -e src/two && ! -e src/new ]] || fail 'apply did not leave all alone'
expect_status 125 "$NOVM" apply job </dev/null >"$TEST/out" 2>&1
"$NOVM" apply --force --overwrite job >"$TEST/out"
[[ $(<src/one) == ONE && ! -e src/two && $(<src/new/l) == n ]] || fail "apply: $(find src)"
expect_output '' "$NOVM" diff job

# Again, from what is now.
"$NOVM" start job
"$NOVM" wait job >/dev/null
"$NOVM" diff job >"$TEST/diff"
"$NOVM" discard --force job
expect_output '' "$NOVM" diff job
"$NOVM" rm job
"$NOVM" pack rm changes

# A trial without a terminal is kept; with one, it asks.
run --try --cwd "$here" -- sh -c 'echo TRIED >src/one' 2>"$TEST/err"
name=$(sed -n 's/^novm: kept as \([0-9a-f]*\);.*/\1/p' "$TEST/err")
[[ -n $name && $(<src/one) == ONE ]] || fail "--try: $(<"$TEST/err")"
"$NOVM" rm "$name"
printf 's\na\n' | script -qec "'$NOVM' run --kernel cloud --try --cwd '$here' -- sh -c 'echo TRIED >src/one' </dev/null" \
  /dev/null >"$TEST/out"
[[ $(<src/one) == TRIED ]] || fail "--try: $(<"$TEST/out")"
grep -q '+TRIED' "$TEST/out" || fail "--try showed: $(<"$TEST/out")"
# Ctrl-C at the question leaves it for later.
python3 - "$NOVM" <<'END'
import os, pty, signal, sys
pid, terminal = pty.fork()
if pid == 0: os.execv(sys.argv[1], [sys.argv[1], 'run', '--kernel', 'cloud', '--try', '--', 'sh', '-c', 'echo 1 >/etc/tried'])
signal.alarm(200)
output = b''
while b'[a/d/K/s]' not in output: output += os.read(terminal, 4096)
os.write(terminal, b'\x03')
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
if status != -signal.SIGINT: sys.exit(f'status {status} after {output!r}')
END
name=$("$NOVM" ls --all --quiet)
expect_output 'A /etc/tried' "$NOVM" diff "$name" /etc
[[ $("$NOVM" diff --json "$name" /nowhere 2>"$TEST/err" | tr -d '[:space:]') == '[]' ]] || fail 'diff --json of nothing'
grep -q '/nowhere: nothing has changed there' "$TEST/err" || fail "diff: $(<"$TEST/err")"
expect_status 125 "$NOVM" apply "$name" /nowhere 2>"$TEST/err"
grep -q '/nowhere: nothing has changed there' "$TEST/err" || fail "apply: $(<"$TEST/err")"
"$NOVM" rm "$name" >"$TEST/out"

run --try -- true 2>"$TEST/err"
grep -q 'nothing changed' "$TEST/err" || fail "--try -- true: $(<"$TEST/err")"
[[ -z $(ls "$NOVM_ROOT/machines") ]] || fail "left: $(ls "$NOVM_ROOT/machines")"
