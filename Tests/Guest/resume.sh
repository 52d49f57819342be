# A command that runs as its machine is saved goes on where that is restored: of its output nothing is lost or said twice, and
# it can be signalled; the machine that was saved is none the wiser.
#: as root
#: also tester root/pci
#: timeout 400
command -v python3 >/dev/null || skip 'python3 is not installed'

identifier=$("$NOVM" create --name counter --memory 192 --transport "$TRANSPORT" -- \
  sh -c 'i=0; while [ $i -lt 80 ]; do seq 1 2000; sleep 0.3; i=$((i+1)); done; exit 7')
program=$(realpath "$NOVM")
script=$PWD/Tests/state/resumed.py
cd "$TEST" || exit
python3 -u "$script" "$NOVM_LIBEXEC/novmm" "$NOVM_ROOT/machines/$identifier" "$program logs counter" "$program wait counter"
