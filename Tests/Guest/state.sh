# A machine that is saved and goes on in another process: what its guest says is one text, without a gap and without a repetition;
# its timers, its time, its memory, its devices and its orders go on. What is no state of it is refused.
#: as root
#: also tester root/pci tester/pci
#: timeout 600
command -v gcc >/dev/null || skip 'gcc is not installed'
command -v python3 >/dev/null || skip 'python3 is not installed'

mkdir "$TEST/tree"
gcc -O2 -static -pthread -o "$TEST/tree/init" Tests/state/ticks.c Tests/state/files.c || fail 'ticks.c'
(cd "$TEST/tree" && echo init | cpio --quiet -o -H newc) >"$TEST/ticks"
python3 -u Tests/state/saved.py "$NOVM_LIBEXEC/novmm" "$NOVM_KERNELS/$KERNEL" "$TEST" "$TRANSPORT"
