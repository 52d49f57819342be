#: long
#: timeout 3000
# libnovm for long: two hundred machines of one process, and programs that are killed at any moment.
[[ -f $(dirname "$NOVM")/../lib/libnovm.so.1 ]] || skip 'libnovm is not built; run: scripts/library'
library=$(dirname "$NOVM")/../lib/libnovm.so.1
export LD_LIBRARY_PATH NOVM_LIBRARY=$library PYTHONPATH=$PWD/Bindings/Python
LD_LIBRARY_PATH=$(dirname "$library")
.build/library/wrong 1000000 "$RANDOM" || fail 'random calls'

for ((round = 0; round < 20; round++)); do
  .build/library/holder "$KERNEL" attached >"$TEST/holder" &
  holder=$!
  sleep "$(printf '%d.%03d' $((RANDOM % 4)) $((RANDOM % 1000)))"
  kill -9 "$holder"
  wait "$holder" || true
  gone() { ! pgrep -x novmm && ! pgrep -f 'novm supervise'; }
  eventually 60 gone
  expect_output '' "$NOVM" ls --all --quiet
done

/usr/bin/python3 Tests/Library/crowd.py "$KERNEL" "${COUNT:-200}" || fail 'crowd.py'
! pgrep -x novmm || fail 'a monitor'
