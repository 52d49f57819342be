# Where the guest's kernel lies: elsewhere each time, unless it is told not to.
#: timeout 300
#: long

# where OPTION...: its first virtual and physical address, as its root sees them.
# shellcheck disable=SC2016 # for the shell in there
where() {
  "$NOVM" run "$@" -- sh -c '
    set -- $(grep -m1 " _text$" /proc/kallsyms) $(grep -m1 "Kernel code" /proc/iomem) && echo "$1 ${4%%-*}"'
}

for kernel in generic cloud; do
  "$NOVM" kernel inspect "$kernel" | grep '^KASLR: *by [1-9][0-9]* relocations$' >/dev/null || fail "$kernel has no relocations"
  options=(--kernel "$kernel" --transport "${TRANSPORTS[$kernel]}")
  first=$(where "${options[@]}") second=$(where "${options[@]}")
  # One in five hundred virtual places, of physical ones in this memory one in a hundred and more: not both twice.
  [[ $first != "$second" ]] || fail "$kernel is twice at $first"
  echo "$kernel: $first, $second"
  # Where Debian links it.
  expect_output 'ffffffff81000000 01000000' where "${options[@]}" --kaslr off
done
expect_output 'ffffffff81000000 01000000' where --kernel cloud --cmdline nokaslr

# With memory for hardly more than the kernel, and with memory on both sides of the hole.
where --kernel cloud --memory 128M
expect_output 'ffffffff81000000 01000000' where --kernel cloud --memory 128M --kaslr off

# A bzImage places itself, and an image without relocations lies where it was linked; both say so.
bundle=$NOVM_KERNELS/cloud
python3 - "$bundle/vmlinux" "$TEST/bare" <<'PYTHON'
import struct, sys
with open(sys.argv[1], 'rb') as file: image = file.read()
sections, count = struct.unpack_from('<Q', image, 40)[0], struct.unpack_from('<H', image, 60)[0]
with open(sys.argv[2], 'wb') as file: file.write(image[:sections + 64 * count])
PYTHON
mkdir "$TEST/kernels"
cp -r --no-dereference "$bundle" "$TEST/kernels/bare"
mv "$TEST/bare" "$TEST/kernels/bare/vmlinux"
expect_output 'ffffffff81000000 01000000' where --kernel "$TEST/kernels/bare"
NOVM_KERNELS=$TEST/kernels "$NOVM" kernel inspect bare |
  grep '^KASLR: *no: its image has no relocations$' >/dev/null || fail 'nothing is said of the bare kernel'
"$NOVM" run --verbose --kernel "$TEST/kernels/bare" -- true 2>&1 | grep 'no relocations' || fail 'nothing is said by --verbose'
"$NOVM" run --verbose --kernel cloud -- true 2>&1 | grep 'placed at random' || fail 'nothing is said by --verbose'
