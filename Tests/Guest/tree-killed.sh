# A machine that is killed in the middle of its writes: what it said was on disk is there, and the tree goes on.
#: as root tester
#: long
#: timeout 900
# shellcheck disable=SC2153 # not novm, the process
run() { "$NOVM" run --kernel cloud "$@"; }

mkdir "$TEST/writes"
echo lower >"$TEST/lower" && mkdir "$TEST/read" && mv "$TEST/lower" "$TEST/read/lower"
for round in 1 2; do
  cat >"$TEST/write.py" <<PROGRAM
import os
number = 0
while True:
    number += 1
    with open("/srv/t/new", "w") as file:
        file.write("%d\n" % number * 1000)
        file.flush()
        os.fsync(file.fileno())
    os.rename("/srv/t/new", "/srv/t/$round-%d" % number)
    with open("/srv/t/lower", "a") as file:
        file.write("$round-%d\n" % number)
        file.flush()
        os.fsync(file.fileno())
    directory = os.open("/srv/t", os.O_RDONLY)
    os.fsync(directory)
    os.close(directory)
    print(number, flush=True)
PROGRAM
  "$NOVM" run --kernel cloud --read "/srv/t=>$TEST/read" --write "/srv/t=>$TEST/writes" -- \
    python3 "$TEST/write.py" >"$TEST/said" &
  pid=$!
  until [[ $(wc -l <"$TEST/said") -ge 20 ]]; do
    kill -0 "$pid" || fail 'the machine ended by itself'
    sleep 0.2
  done
  kill -9 "$(pgrep -P "$pid" novmm)"
  wait "$pid" && fail 'novm did not notice'
  last=$(tail -n 1 "$TEST/said")
  for number in $(seq "$last"); do
    [[ $(sort -u "$TEST/writes/$round-$number") == "$number" ]] || fail "$round-$number is not what was synchronized"
    [[ $(wc -l <"$TEST/writes/$round-$number") == 1000 ]] || fail "$round-$number is not whole"
    grep -qx "$round-$number" "$TEST/writes/lower" || fail "$round-$number is not in the copied file"
  done
  [[ $(head -n 1 "$TEST/writes/lower") == lower ]] || fail 'the copy lost its beginning'
done
# The next machine finds all of it, and nothing of ours.
expect_output lower run --read "/srv/t=>$TEST/read" --write "/srv/t=>$TEST/writes" -- head -n 1 /srv/t/lower
[[ ! -e $TEST/writes/.novm.work ]] || fail 'the work directory is still there'
[[ $(cat "$TEST/read/lower") == lower ]] || fail 'the layer below was changed'
