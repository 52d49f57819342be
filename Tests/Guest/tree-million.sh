# A tree of a million files, through /dev/fuse: mounted as fast as one of ten, and with no more descriptors.
#: outside
#: long
#: timeout 900
[[ $(id -u) == 0 && -e /dev/fuse ]] || skip 'needs root and /dev/fuse'
command -v strace >/dev/null || skip 'strace is not installed'
swift build --configuration release --static-swift-stdlib --product treemount --quiet
treemount=$(swift build --configuration release --static-swift-stdlib --show-bin-path)/treemount

mkdir -p "$TEST/ten" "$TEST/million" "$TEST/upper" "$TEST/mount"
touch "$TEST/ten/"{1..10}
python3 - "$TEST/million" <<'END'
import os, sys
for directory in range(1000):
    path = f"{sys.argv[1]}/{directory}"
    os.mkdir(path)
    for number in range(1000):
        os.mknod(f"{path}/{number}")
END

# The system calls of the start: as many for either tree.
calls() {
  strace -c -f -o "$TEST/calls" "$treemount" "$TEST/mount" --read "$1" --write "$TEST/upper" &
  until mountpoint -q "$TEST/mount"; do sleep 0.1; done
  umount "$TEST/mount"
  wait $!
  awk '/total/ { print $4 }' "$TEST/calls"
}
ten=$(calls "$TEST/ten") million=$(calls "$TEST/million")
((million < ten + 100)) || fail "$million system calls to start with a million files, $ten with ten"

(ulimit -n 256 && exec "$treemount" "$TEST/mount" --read "$TEST/million" --write "$TEST/upper") &
server=$!
started=$SECONDS
until mountpoint -q "$TEST/mount"; do sleep 0.1; done
((SECONDS - started <= 2)) || fail "$((SECONDS - started)) s to mount"
[[ $(find "$TEST/mount" -type f -size -1 | wc -l) == 1000000 ]] || fail 'not all files are there'
descriptors=$(find "/proc/$server/fd" -mindepth 1 | wc -l)
((descriptors <= 200)) || fail "$descriptors descriptors are open"
grep VmHWM "/proc/$server/status"
# All of them open at once by nobody, some hundred by one: the server keeps to its limit.
python3 - "$TEST/mount" <<'END'
import os, sys
files = [os.open(f"{sys.argv[1]}/{number % 1000}/{number}", os.O_RDWR) for number in range(900)]
for number, file in enumerate(files):
    os.pwrite(file, b"%d" % number, 0)
os.sync()
assert all(os.pread(file, 10, 0) == b"%d" % number for number, file in enumerate(files))
END
umount "$TEST/mount"
wait "$server"
