#: as tester
#: timeout 1200
#: long
# The examples of libnovm say the same in each language that scripts/examples has built.
[[ -x .build/examples/c/run ]] || skip 'nothing is built; run: scripts/examples'
export NOVM_LIBRARY PYTHONPATH=$PWD/Bindings/Python PYTHONDONTWRITEBYTECODE=1
NOVM_LIBRARY=$(dirname "$NOVM")/../lib/libnovm.so.1
# They take the newest kernel.
release=$("$NOVM" run -- uname -r)
mkdir "$TEST/tree"
for ((i = 1; i <= 100; i++)); do seq "$i" >"$TEST/tree/$i"; done

example() {
  local name=$1
  shift
  case $language in
    python) /usr/bin/python3 "Examples/Python/$name.py" "$@" ;;
    swift) .build/examples/swift/examples "$name" "$@" ;;
    *) ".build/examples/$language/$name" "$@" ;;
  esac
}

port=8190
for language in c go python rust swift; do
  [[ $language == python || -n $(find ".build/examples/$language" -type f -print -quit) ]] || { echo "without $language" && continue; }
  port=$((port + 1))
  for name in run jobs try_diff_apply server files_and_terminal; do
    echo "$language: $name"
    case $name in
      run) expect_output "$release" example run ;;
      jobs) expect_output '100 files, 5050 lines' example jobs "$TEST/tree" 2 ;;
      try_diff_apply)
        mkdir "$TEST/$language"
        expect_output 'added /work/note' example try_diff_apply "$TEST/$language"
        [[ $(<"$TEST/$language/note") == changed ]] || fail 'what was applied'
        ;;
      server) expect_output 'HTTP/1.0 200 OK' example server "$port" ;;
      files_and_terminal) expect_output $'30 100\nFROM THE HOST' example files_and_terminal ;;
    esac
  done
  expect_output '' "$NOVM" ls --all --quiet
done
