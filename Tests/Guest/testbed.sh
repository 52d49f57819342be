# The emulated host itself: what goes in and comes out, who may do what, and mending.
#: outside
#: timeout 600
host=Testbed/host

"$host" up

# Status, streams, words.
expect_status 37 "$host" run sh -c 'exit 37'
expect_status 127 "$host" run no-such-command
expect_status 137 "$host" run sh -c 'kill -KILL $$'
expect_output out "$host" run sh -c 'echo out; echo errors >&2' 2>"$TEST/errors"
expect_output errors cat "$TEST/errors"
expect_output $'<a\'b><"$x" `y` \\ *><new\nline><><-n>' "$host" run printf '<%s>' "a'b" '"$x" `y` \ *' $'new\nline' '' -n
head -c 5000000 /dev/urandom >"$TEST/bytes"
# shellcheck disable=SC2094 # both only read
"$host" run cat <"$TEST/bytes" | cmp - "$TEST/bytes"
expect_output "$(sha256sum <"$TEST/bytes")" "$host" run sha256sum <"$TEST/bytes"

# shellcheck disable=SC2016 # for the shell in there
expect_output through "$host" run bash -c 'cat <(echo through)'

# Users and KVM.
expect_output 0 "$host" run id -u
expect_output tester "$host" run --user tester id -un
"$host" run --user tester sh -c 'echo x >$HOME/x && : <>/dev/kvm'
expect_status 2 "$host" run --user tester --no-kvm sh -c ': <>/dev/kvm' 2>/dev/null
expect_output 'a b' "$host" run --env X='a b' sh -c 'echo "$X"'

# This machine's files: readable, never stale, not to be written.
expect_output "$PWD" "$host" run pwd
mkdir -p .build
probe=.build/testbed-probe.$$
for text in one two-longer 3; do
  echo "$text" >"$probe"
  expect_output "$text" "$host" run cat "$PWD/$probe"
done
rm "$probe"
for program in true false true; do
  cp "/bin/$program" "$probe"
  expect_status "$([[ $program == true ]] && echo 0 || echo 1)" "$host" run "$PWD/$probe"
done
rm "$probe"
expect_status 1 "$host" run test -e "$PWD/$probe"
expect_status 1 "$host" run touch "$PWD/$probe" 2>/dev/null
"$host" run sh -c 'echo x >/etc/testbed-probe && echo x >/scratch/testbed-probe && rm /etc/testbed-probe'
[[ ! -e /etc/testbed-probe ]] || fail "the emulated host wrote to this machine's /etc"

# Signals reach all processes of a command; a second one kills.
"$host" run sh -c 'trap "exit 5" TERM; touch /tmp/up.'$$'; while :; do sleep 0.1; done' &
command=$!
eventually 20 "$host" run test -e "/tmp/up.$$"
kill -TERM "$command"
expect_status 5 wait "$command"
"$host" run sh -c 'trap "" TERM; setsid sleep 1'$$' & touch /tmp/stubborn.'$$'; while :; do sleep 1; done' 2>/dev/null &
command=$!
eventually 20 "$host" run test -e "/tmp/stubborn.$$"
kill -TERM "$command"
sleep 1
kill -TERM "$command"
expect_status 137 wait "$command"
expect_status 1 "$host" run pgrep -f "sleep 1$$"

# Several at once.
pids=()
for number in 1 2 3 4 5 6; do
  expect_output "$number" "$host" run sh -c "sleep 0.5; echo $number" &
  pids+=($!)
done
for pid in "${pids[@]}"; do wait "$pid"; done

# Modules by kmod, and those that the kernel itself asks for.
[[ $("$host" run modprobe --show-depends vfio-pci | wc -l) -gt 1 ]] || fail "kmod's modprobe knows no modules"
"$host" run sh -c 'ip link add asked-for type dummy && ip link delete asked-for'

# A fault that is mended (Testbed/library/mend-emulator): flags that CMPXCHG16B finds are those that it leaves, but ZF.
expect_output 0x54 "$host" run python3 -c '
import ctypes, mmap
code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
code.write(bytes.fromhex(
    "53 31c0 31d2 31db 31c9"      # push rbx; RDX:RAX and RCX:RBX are 0
    "9e eb00"                     # sahf: the flags as they are; jmp, so that this is written down
    "41b900100000 41bad5080000"   # mov r9d, 0x1000; mov r10d, 0x8d5, which as flags is all of them
    "4529d1"                      # sub r9d, r10d: 0x72b, with PF and AF
    "480fc70f 9c58 5b c3"))       # cmpxchg16b [rdi], which is 0: ZF; pushf; pop rax; pop rbx; ret
at = ctypes.addressof(ctypes.c_char.from_buffer(code))
print(hex(ctypes.CFUNCTYPE(ctypes.c_long, ctypes.c_void_p)(at)(at + 2048) & 0x8d5))'

# A stock kernel starts as a guest, by hardware virtualization; that it also finds a root is for tests of novm to tell.
"$host" run sh -c 'timeout 200 qemu-system-x86_64 -accel kvm -cpu host -M microvm -m 256 -nographic -no-reboot \
  -kernel "/boot/vmlinuz-$(uname -r)" -append "console=ttyS0 panic=-1" | sed "/paravirtualized kernel on KVM/q"' >"$TEST/console"
grep -q 'paravirtualized kernel on KVM' "$TEST/console" || fail "no guest: $(tail -n 5 "$TEST/console")"
