# The store by the commands alone, without a machine: fifty of them at once, and kill -9 of each that changes it, at random
# points. A failure prints the seed that brings it again: killed.py SEED.
#: outside
#: timeout 600
[[ -x .build/novm/bin/novm ]] || skip 'nothing is built; run: make build'
NOVM=$PWD/.build/novm/bin/novm
export NOVM
# In memory where files there can have attributes: each pack is written to the disk, and with it whatever else is due.
place=$(mktemp -d -p /dev/shm)
trap 'rm -rf "$place"' EXIT
python3 -c 'import os, sys; os.setxattr(sys.argv[1], "user.novm", b"")' "$place" 2>/dev/null || place=$TEST
for script in crowd killed; do
  mkdir "$place/$script"
  TEST=$place/$script python3 -B "Tests/store/$script.py" || fail "$script"
done
