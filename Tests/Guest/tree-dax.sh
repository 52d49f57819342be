# --dax: large files of read layers are mapped, written to, copied from, and what is seen is the same as without.
#: as root tester/pci
#: timeout 600
run() { "$NOVM" run --kernel "$KERNEL" --transport "$TRANSPORT" --memory 1G "$@"; }

mkdir "$TEST/read" "$TEST/writes"
head -c 5000000 /dev/urandom >"$TEST/read/big"
sum=$(sha256sum <"$TEST/read/big")
cat >"$TEST/program.py" <<'END'
import mmap, os
file = os.open("/d/big", os.O_RDWR)
memory = mmap.mmap(file, 5000000)
before = memory[4999990:]
memory[10:14] = b"mine"
memory.flush()
os.pwrite(file, b"end", 5000000)
assert os.pread(file, 4, 10) == b"mine"
assert os.pread(file, 20, 4999990) == before + b"end"
# What is written from mapped memory reaches the host as addresses in the window.
copy = os.open("/d/copy", os.O_RDWR | os.O_CREAT)
assert os.write(copy, memoryview(memory)[:3000000]) == 3000000
assert os.pread(copy, 3000000, 0) == memory[:3000000]
os.ftruncate(file, 1000000)
assert os.fstat(file).st_size == 1000000
assert os.pread(file, 10, 999995) == memory[999995:1000000]
END
run --dax 256M --read "/d=>$TEST/read" --read "/p=>$TEST" --write "/d=>$TEST/writes" -- sh -c '
  dmesg | grep -q "virtiofs.*Cache len: 0x10000000" || { echo "the guest found no window"; exit 1; }
  sha256sum </d/big && python3 /p/program.py' >"$TEST/out" || fail "$(cat "$TEST/out")"
[[ $(cat "$TEST/out") == "$sum" ]] || fail "read: $(cat "$TEST/out")"
[[ $(sha256sum <"$TEST/read/big") == "$sum" ]] || fail 'the layer below was changed'
[[ $(stat -c %s "$TEST/writes/big" "$TEST/writes/copy") == $'1000000\n3000000' ]] || fail 'the copies are not as long as they should be'
[[ $(tail -c +11 "$TEST/writes/big" | head -c 4) == mine ]] || fail 'what was written by memory is not there'
# A window smaller than what is read through it.
expect_output "$sum" run --dax 4M --read "/d=>$TEST/read" -- sh -c 'sha256sum </d/big'
# The host shortens a file that a guest has mapped: what is cut off reads as zero, and the machine goes on.
cat >"$TEST/cut.py" <<'END'
import mmap, os
file = os.open("/d/big", os.O_RDONLY)
memory = mmap.mmap(file, 5000000, prot=mmap.PROT_READ)
assert len(set(memory[4900000:])) > 1
print("mapped", flush=True)
input()
assert set(memory[4900000:]) == {0} and len(set(memory[:4096])) > 1
print("cut", flush=True)
END
mkfifo "$TEST/go"
run --dax 256M --read "/d=>$TEST/read" --read "/p=>$TEST" -- python3 /p/cut.py <"$TEST/go" >"$TEST/out" &
machine=$!
exec 3>"$TEST/go"
eventually 60 grep -q mapped "$TEST/out"
truncate -s 5000 "$TEST/read/big"
echo go >&3
wait "$machine" || fail "a file cut short: $(cat "$TEST/out")"
grep -q cut "$TEST/out"
