# Kernel bundles from whatever a kernel comes as, each booted once, and kernels entered otherwise than usual.
#: as root
#: timeout 400
command -v python3 >/dev/null || skip 'python3 is not installed'
release=$(uname -r) image=/boot/vmlinuz-$(uname -r) generic=$NOVM_KERNELS/generic
[[ -r $image ]] || skip "no image of the running kernel, $image"
modules=/lib/modules/$release
# The emulated host has its kernel's modules in its initramfs alone; it is the one that guests have.
if [[ $("$NOVM" kernel inspect --json generic) == *"\"release\" : \"$release\""* ]]; then modules=$generic/modules; fi
[[ -d $modules ]] || skip "no modules of the running kernel, $modules"
export NOVM_KERNELS=$TEST/kernels

# boots NAME TEXT COMMAND: it runs in a machine of this kernel, and prints this.
boots() { expect_output "$2" "$NOVM" run --kernel "$1" -- sh -c "$3"; }

# Of its modules those that a machine needs, and one more: all four thousand take minutes here.
python3 - "$generic" "$modules" "$TEST/modules" <<'PYTHON'
import json, os, shutil, sys
bundle, source, target = sys.argv[1:]
wanted = json.load(open(f'{bundle}/bundle.json'))['modules'] + ['dummy.ko', 'modules.builtin']
for directory, _, files in os.walk(source):
    for name in files:
        # A distribution may compress them.
        if name.replace('-', '_').removesuffix('.gz').removesuffix('.xz').removesuffix('.zst') in wanted:
            place = directory.replace(source, target)
            os.makedirs(place, exist_ok=True)
            shutil.copy(f'{directory}/{name}', place)
PYTHON

# The running system's: no more need be said.
# shellcheck disable=SC2016 # for the shell in there
expect_output "$release" unshare --mount bash -c '
  mount --bind "$1" "/lib/modules/$(uname -r)" && "$2" kernel import' - "$TEST/modules" "$NOVM"
boots "$release" "$release dummy" 'modprobe dummy && echo $(uname -r) $(grep -o "^dummy" /proc/modules)'

# A bzImage and a directory of modules; a vmlinux. The loader's number tells how a kernel was entered: 0xff is nobody's,
# 0xb is PVH (arch/x86/platform/pvh/enlighten.c).
expect_output image "$NOVM" kernel import "$image" --modules "$TEST/modules" --name image
boots image "$release 255" 'echo $(uname -r) $(cat /proc/sys/kernel/bootloader_type)'
expect_output elf "$NOVM" kernel import "$NOVM_KERNELS/image/vmlinux" --modules "$TEST/modules" --name elf
boots elf "$release 255" 'echo $(uname -r) $(cat /proc/sys/kernel/bootloader_type)'

# As an archive, and back.
"$NOVM" kernel export "$release" "$TEST/kernel.tar.zst" >"$TEST/digest"
expect_output again "$NOVM" kernel import --digest "$(<"$TEST/digest")" --name again "$TEST/kernel.tar.zst"
boots again "$release dummy" 'modprobe dummy && echo $(uname -r) $(grep -o "^dummy" /proc/modules)'

# The same kernel as images that offer one entry only.
python3 - "$NOVM_KERNELS" "$image" <<'PYTHON'
import json, os, shutil, sys
store, image = sys.argv[1:]

def variant(name, change):
    os.mkdir(f'{store}/{name}')
    description = json.load(open(f'{store}/image/bundle.json'))
    with open(f'{store}/{name}/vmlinux', 'wb') as file: file.write(change(description))
    json.dump(description, open(f'{store}/{name}/bundle.json', 'w'))
    for rest in ['setup', 'initramfs', 'modules', 'noguest.stamp']: os.symlink(f'{store}/image/{rest}', f'{store}/{name}/{rest}')

def pvh(description):
    # No setup header and no note of Linux's: nothing is known of it but its PVH entry.
    del description['bootProtocol']
    return open(f'{store}/image/vmlinux', 'rb').read().replace(b'Linux\0\0\0', b'Xinul\0\0\0')

def protected(description):
    # A bzImage that says nothing of a 64-bit entry: it decompresses itself from 32-bit mode on.
    content = bytearray(open(image, 'rb').read())
    content[0x236] &= ~1
    return content

variant('pvh', pvh)
variant('protected', protected)
PYTHON
boots pvh 176 'cat /proc/sys/kernel/bootloader_type'
boots protected '255 0' '
  echo $(cat /proc/sys/kernel/bootloader_type) $(($(od -An -tu1 -j566 -N1 /sys/kernel/boot_params/data) & 1))'

# Straight from where it was built: the build's own modules, once a build, and what a kernel's developer looks at is mounted. The status
# of a test in kselftest's manner (Documentation/dev-tools/kselftest.rst) is the machine's.
mkdir "$TEST/linux"
cp "$NOVM_KERNELS/image/vmlinux" "$TEST/linux/"
cp -r "$TEST"/modules/kernel/* "$TEST/linux/"
cp "$TEST/modules/modules.builtin" "$TEST/linux/"
(cd "$TEST/linux" && find . -name '*.ko*' | sed -e 's,^\./,,' -e 's,\.ko.*,.o,' >modules.order && touch Makefile .config)
boots "$TEST/linux" "$release dummy" 'modprobe dummy && echo $(uname -r) $(grep -o "^dummy" /proc/modules)'
cat >"$TEST/selftest" <<'END'
#!/bin/sh
echo 'TAP version 13'
echo '1..2'
grep -q -w dummy /proc/modules && echo 'not ok 1 loaded' || echo 'ok 1 not loaded'
[ -d /sys/kernel/debug/block ] && [ -e /sys/kernel/tracing/trace ] && grep -q ' /sys/fs/bpf bpf ' /proc/mounts && echo 'ok 2 mounted' || exit 1
exit 4 # KSFT_SKIP
END
chmod +x "$TEST/selftest"
status=0
"$NOVM" run --kernel "$TEST/linux/vmlinux" --read "/test=>$TEST/selftest" --append printk.time=0 -- /test >"$TEST/out" || status=$?
[[ $status == 4 && $(tail -n 1 "$TEST/out") == 'ok 2 mounted' ]] || fail "the test ended with $status: $(<"$TEST/out")"
# The directory and the image in it are two places; neither is among those with names.
[[ $(find "$NOVM_KERNELS/.builds" -mindepth 1 -maxdepth 1 -name '*-*' | wc -l) == 2 ]] || fail "$(ls "$NOVM_KERNELS/.builds")"
"$NOVM" run --kernel "$TEST/linux" -- true
[[ $(find "$NOVM_KERNELS/.builds" -mindepth 1 -maxdepth 1 -name '*-*' | wc -l) == 2 ]] || fail 'it was made ready again'
"$NOVM" kernel list | grep builds >/dev/null && fail 'a build is among the kernels with names'

# With DWARF, debuggers find the build by what they know of the kernel: its release and its build ID.
cp "$TEST/linux/vmlinux" "$TEST/linux/without"
gcc -g -c -o "$TEST/dwarf.o" -x c - <<<'int answer(int of) { return of + 42; }'
objcopy -O binary --only-section=.debug_info "$TEST/dwarf.o" "$TEST/dwarf"
objcopy --add-section ".debug_info=$TEST/dwarf" "$TEST/linux/without" "$TEST/linux/vmlinux"
# shellcheck disable=SC2016 # for the shell in there
expect_output 'same .debug_info Makefile' "$NOVM" run --kernel "$TEST/linux" --debug-info auto -- sh -c '
  build=/lib/modules/$(uname -r)/build vmlinux=/usr/lib/debug/boot/vmlinux-$(uname -r)
  id=$(readelf -n "$vmlinux" 2>/dev/null | sed -n "s/.*Build ID: //p")
  od -An -v -tx1 /sys/kernel/notes | tr -d " \\n" | grep -q "${id:?}" || exit
  cmp "$build/vmlinux" "$vmlinux" && echo same $(readelf -SW "$vmlinux" 2>/dev/null | grep -o " \\.debug_info") $(basename "$build"/Makef*)'
status=0
error=$("$NOVM" run --kernel "$TEST/linux" --debug-info "$TEST/linux/without" -- true 2>&1) || status=$?
[[ $status == 125 && $error == *'without: has no debugging information; build the kernel with CONFIG_DEBUG_INFO'* ]] ||
  fail "without information: $status, $error"
