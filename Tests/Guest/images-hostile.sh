# Layers that are large in ways that cost their maker nothing: a million entries in ten megabytes, which are taken, in bounded memory;
# and what stands for more than there is room for, which is not.
#: outside
#: long
#: timeout 900
[[ -x ${NOVM:=$PWD/.build/novm/bin/novm} ]] || skip 'nothing is built; run: make build'
# On a disk, where files can have attributes.
work=$(mktemp -d /var/tmp/novm-hostile.XXXXXX)
export NOVM_ROOT=$work/store
trap 'rm -rf "$work"' EXIT
cd "$work" || exit
cat >image.py <<'END_OF_PYTHON'
import hashlib, io, json, sys, tarfile, zlib
sums, packed, layer = hashlib.sha256(), zlib.compressobj(1, zlib.DEFLATED, 31), open('layer', 'wb')
def write(data):
    sums.update(data)
    layer.write(packed.compress(data))
def header(name, size=0):
    info = tarfile.TarInfo(name)
    info.size = size
    return info.tobuf(tarfile.GNU_FORMAT)
if sys.argv[1] == 'million':
    base = header('x')
    for i in range(1000):
        block = bytearray()
        for j in range(1000):
            entry = bytearray(base)
            name = b'd/%03d/%03d' % (i, j)
            entry[:len(name)], entry[148:156] = name, b' ' * 8
            entry[148:156] = b'%06o\0 ' % sum(entry)
            block += entry
        write(bytes(block))
elif sys.argv[1] == 'file':
    write(header('bomb', 1 << 50))
    for _ in range(1024): write(bytes(1 << 20))
elif sys.argv[1] == 'behind':
    write(bytes(1024))
    for _ in range(1024): write(bytes(1 << 20))
write(bytes(1024))
layer.write(packed.flush())
layer.close()
config = json.dumps({'architecture': 'amd64', 'os': 'linux',
                     'rootfs': {'type': 'layers', 'diff_ids': ['sha256:' + sums.hexdigest()]}}).encode()
saved = json.dumps([{'Config': 'config', 'RepoTags': ['x:1'], 'Layers': ['layer']}]).encode()
with tarfile.open('image.tar', 'w') as tar:
    for name, data in ('manifest.json', saved), ('config', config):
        info = tarfile.TarInfo(name)
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))
    tar.add('layer')
END_OF_PYTHON
# load: what `novm load` says, and in `peak` the MiB that it took at most.
load() {
  # shellcheck disable=SC2016 # Python
  python3 -c '
import resource, subprocess, sys
status = subprocess.run([sys.argv[1], "load", "--input", "image.tar"]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024, file=open("peak", "w"))
sys.exit(status)' "$NOVM"
}
for kind in file behind; do
  python3 image.py $kind
  status=0
  load 2>errors >/dev/null || status=$?
  [[ $status == 125 && $(wc -l <errors) == 1 ]] || fail "$kind: status $status: $(<errors)"
  [[ $(<errors) == *"more than"*"nothing was taken" ]] || fail "$(<errors)"
  (($(<peak) < 256)) || fail "$kind: $(<peak) MiB"
  [[ -z $(ls "$NOVM_ROOT/packs/packs")$(ls "$NOVM_ROOT/packs/new") ]] || fail "$kind left something"
done
python3 image.py million
expect_output x:1 load
(($(<peak) < 768)) || fail "$(<peak) MiB for a million entries"
"$NOVM" rmi x:1 >/dev/null
