#: as root tester
#: timeout 500
# libnovm, by a program in C and by Python (Tests/Library).

[[ -f $(dirname "$NOVM")/../lib/libnovm.so.1 ]] || skip 'libnovm is not built; run: scripts/library'
library=$(dirname "$NOVM")/../lib/libnovm.so.1
export LD_LIBRARY_PATH
LD_LIBRARY_PATH=$(dirname "$library")

mkdir "$TEST/data"
program=life
# With sanitizers.
[[ $(id -u) == 0 ]] || program=life-checked
".build/library/$program" "$KERNEL" "$TEST" || fail 'life'
[[ $(<"$TEST/data/file") == new ]] || fail 'what was applied'
expect_output '' "$NOVM" ls --all --quiet
# Nothing of it stays.
! pgrep -x novmm || fail 'a monitor'

# The end of the program ends its machine, however it comes, but not one that was started to go on.
for how in attached detached; do
  .build/library/holder "$KERNEL" "$how" >"$TEST/holder" &
  holder=$!
  eventually 60 grep -q running "$TEST/holder"
  kill -9 "$holder"
  wait "$holder" || true
  if [[ $how == attached ]]; then
    gone() { ! pgrep -x novmm && ! pgrep -f 'novm supervise'; }
    eventually 30 gone
    expect_output "" "$NOVM" ls --quiet
  else
    sleep 2
    expect_output detached "$NOVM" ls --format '{{.Name}}'
    "$NOVM" exec detached -- /bin/true || fail 'the machine that was to go on'
    "$NOVM" rm --force detached
  fi
done
expect_output '' "$NOVM" ls --all --quiet

export NOVM_LIBRARY=$library PYTHONPATH=$PWD/Bindings/Python
/usr/bin/python3 Tests/Library/life.py "$KERNEL" "$TEST" "$NOVM" || fail 'life.py'
expect_output '' "$NOVM" ls --all --quiet
