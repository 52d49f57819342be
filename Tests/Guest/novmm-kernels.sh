# What novmm makes of kernels of a few instructions: how they are entered, and how a machine ends that comes to grief.
#: as root tester
#: timeout 120
command -v python3 >/dev/null || skip 'python3 is not installed'

python3 - "$NOVM_LIBEXEC/novmm" "$TEST" <<'END'
import os, re, struct, subprocess, sys

NOVMM, DIRECTORY = sys.argv[1:]
BASE = 0x100_0000
MICRO = {'power off': b'\x66\xba\x00\x06\xb0\x34\xee\xf4',  # mov dx, 0x600; mov al, 0x34; out dx, al; hlt
         'reset': b'\x66\xba\x02\x06\xb0\x01\xee\xf4',
         'triple fault': b'\xcc',  # int3, without an interrupt table
         'code where no memory is': b'\xb8\x00\x00\x00\xc0\xff\xe0'}  # mov eax, 0xc0000000; jmp eax

def elf(code, is_pvh=False):
    """An ELF image of one segment, and of a PVH entry where it is to be entered in 32-bit mode."""
    note = struct.pack('<III4sI', 4, 4, 18, b'Xen', BASE) if is_pvh else b''
    segments, data = [(1, 7, code, BASE)] + [(4, 4, note, 0)] * is_pvh, b''
    header = b'\x7fELF\2\1\1' + bytes(9) + struct.pack(
        '<HHIQQQIHHHHHH', 2, 62, 1, BASE, 64, 0, 0, 64, 56, len(segments), 0, 0, 0)
    for kind, flags, content, address in segments:
        header += struct.pack('<IIQQQQQQ', kind, flags, 64 + 56 * len(segments) + len(data), address, address,
                              len(content), len(content), 4)
        data += content
    return header + data

def bzimage(code, has_64_bit_entry):
    """A setup sector after the boot sector, then the code, once for each entry."""
    image = bytearray(1024)
    image[0x1f1] = 1
    struct.pack_into('<HH', image, 0x1fe, 0xaa55, 0x66eb)
    image[0x202:0x206] = b'HdrS'
    struct.pack_into('<H', image, 0x206, 0x20f)
    image[0x211] = 1
    struct.pack_into('<II', image, 0x22c, 0x7fffffff, 0x200000)
    image[0x234] = 1
    struct.pack_into('<HI', image, 0x236, int(has_64_bit_entry), 2047)
    struct.pack_into('<QI', image, 0x258, BASE, 0x1000)
    # In the mode that the header does not offer: a triple fault.
    wrong, at = MICRO['triple fault'], 0x200 if has_64_bit_entry else 0
    code = [wrong, code] if has_64_bit_entry else [code, wrong]
    return bytes(image) + code[0].ljust(0x200, b'\xf4') + code[1].ljust(0x200, b'\xf4')

def ends(what, kernel, status, *patterns, memory='64'):
    path = os.path.join(DIRECTORY, 'kernel')
    with open(path, 'wb') as file: file.write(kernel)
    run = subprocess.run([NOVMM, '--kernel', path, '--memory', memory], capture_output=True, text=True, timeout=30)
    if run.returncode != status: sys.exit(f'{what}: status {run.returncode}, not {status}: {run.stderr}')
    for pattern in patterns:
        if not re.search(pattern, run.stderr, re.M): sys.exit(f'{what}: no {pattern} in {run.stderr}')
    if not patterns and run.stderr: sys.exit(f'{what}: said {run.stderr}')
    print(what, 'as it should')

# What means the same in both modes. mov eax, cs; lar eax, eax; test eax, the descriptor's L bit; then power off, or a
# triple fault.
def only_if(is_long):
    jump = b'\x75' if is_long else b'\x74'  # jnz, jz
    return (b'\x8c\xc8\x0f\x02\xc0\xa9\x00\x00\x20\x00' + jump + bytes([len(MICRO['triple fault'])]) +
            MICRO['triple fault'] + MICRO['power off'])

ends('64-bit entry', elf(only_if(True)), 0)
ends('PVH entry', elf(only_if(False), is_pvh=True), 0)
ends('64-bit entry of a bzImage', bzimage(only_if(True), True), 0)
ends('32-bit entry of a bzImage', bzimage(only_if(False), False), 0)
ends('reset', elf(MICRO['reset'], is_pvh=True), 3)
# Where it was is known on Intel only; that there are registers, everywhere.
ends('triple fault', elf(MICRO['triple fault'], is_pvh=True), 5, '^novmm: triple fault on vCPU 0$',
     '^  rip    (00000000010000..|000000000000fff0)  rflags', '^  idt    .* limit ', 'cr2 .*\n.*cr3 .* cr4 .* efer ')
ends('code where no memory is', elf(MICRO['code where no memory is'], is_pvh=True), 6,
     r'^novmm: internalError\(suberror: 1\) on vCPU 0$', '^  rip    00000000c0000000  rflags 0000000000000002',
     '^  cs     0000000000000000  limit ffffffff  selector 0010$', '^  gdt    0000000000001000  limit 0000002f$',
     'cr0    0000000000000011')
ends('more memory than the host has', elf(MICRO['power off']), 1,
     '^novmm: 262144 MiB of memory are more than this host has; give --memory [0-9]+ or less$', memory='262144')
END
