# A command that runs as its machine is saved goes on where that is restored: of its output nothing is lost or said twice, and
# it can be signalled; the machine that was saved is none the wiser.
#: as root
#: also tester root/pci
#: timeout 400
command -v python3 >/dev/null || skip 'python3 is not installed'

identifier=$("$NOVM" create --name counter --memory 192 --transport "$TRANSPORT" -- \
  sh -c 'i=0; while [ $i -lt 30 ]; do seq 1 20000; sleep 0.2; i=$((i+1)); done; exit 7')
program=$(realpath "$NOVM")
test=$PWD/Tests/state/resumed.py
cd "$TEST" || exit
python3 -u "$test" "$NOVM_LIBEXEC/novmm" "$NOVM_ROOT/machines/$identifier" "$program logs counter" "$program wait counter"
