# Machines whose / is a disk with ext4, as `mkfs.ext4 -d` makes it: the same commands, input, output and statuses as on
# trees; what is written stays; shares lie over it; disks that can only be read.
#: as root
#: also tester/pci
#: timeout 1200
#: long
cd "$TEST"
mkdir -p tree/bin tree/etc tree/srv
cp "$(command -v busybox)" tree/bin/busybox
for name in sh cat echo uname mount id ls sync mkdir test kill tr wc grep cut modprobe; do ln -s busybox "tree/bin/$name"; done
printf 'root:x:0:0:root:/:/bin/sh\nsomeone:x:1234:1234::/:/bin/sh\n' >tree/etc/passwd
printf 'root:x:0:\nsomeone:x:1234:\n' >tree/etc/group
echo 'on the disk' >tree/etc/hello
truncate -s 64M disk
mkfs.ext4 -q -E root_owner=0:0 -d tree disk
mkdir share
echo 'of the host' >share/file

for kernel in cloud generic; do
  start() { timeout 200 "$NOVM" run --kernel "$kernel" --transport "${TRANSPORTS[$kernel]}" "$@"; }
  run() { start --root-disk disk "$@"; }
  expect_output $'on the disk\n/dev/vda / ext4' run -- \
    sh -c 'cat /etc/hello; grep " / ext4 " /proc/mounts | cut -d" " -f 1-3; echo "kept by $1" >/srv/note' - "$kernel"
  # What is written stays, and is whole: no journal is left to be replayed.
  e2fsck -fn disk >fsck 2>&1 || fail "after $kernel: $(<fsck)"
  # Shares, one within another, and the kernel's modules.
  mkdir -p share/inner other
  echo inner >other/name
  run --share '/srv/share=>share' --share '/srv/share/inner=>other:ro' -- sh -euc '
    cat /srv/note /srv/share/file /srv/share/inner/name
    echo from the guest >/srv/share/answer
    if echo x 2>/dev/null >/srv/share/inner/x; then echo "a share for reading only was written to" >&2; exit 1; fi
    modprobe dm_mod
    grep -q "^dm_mod " /proc/modules' >output 2>errors ||
    fail "$(<errors)"
  [[ $(<output) == "kept by $kernel"$'\nof the host\ninner' ]] || fail "$(<output)"
  [[ $(<share/answer) == 'from the guest' ]] || fail 'what was written to the share is not there'
  rm share/answer
  expect_output 'read-only' start --root-disk disk,ro -- \
    sh -c 'echo x 2>/dev/null >/srv/x || echo read-only'
done

# All that commands can be, and how they end.
expect_output 'a line' run -- cat <<<'a line'
expect_status 3 run -- sh -c 'exit 3'
expect_status 127 run -- nothing 2>/dev/null
expect_status 126 run -- /etc/hello 2>/dev/null
# shellcheck disable=SC2016
expect_status 137 run -- sh -c 'kill -9 $$'
expect_output 1234 run --user someone -- id -u
# shellcheck disable=SC2016
expect_output 25 run --env X=25 --cwd /srv -- sh -c 'echo $X'

# Others beside it; and in the background.
truncate -s 1M second
expect_output $'vda\nvdb' run --disk second -- ls /sys/block
id=$(start --detach --root-disk disk -- cat /dev/zero)
expect_output 'on the disk' "$NOVM" exec "$id" -- cat /etc/hello
"$NOVM" stop "$id"
"$NOVM" rm "$id" >/dev/null

refused() { expect_refusal "$1" start --root-disk "${@:2}" -- true; }
refused '--read: goes with a tree' disk --read /
refused '--volume: goes with a tree' disk --volume 'a=>/b'
refused '--share: /: on a root disk' disk --share '/=>.'
refused 'no such file' nothing
# By the guest, whose own words come before.
status=0
start --root-disk second -- true >output 2>errors </dev/null || status=$?
((status == 125)) || fail "status $status with a disk that has no file system"
grep -q "cannot mount the root '/dev/vda' as ext4" errors || fail "'$(<errors)'"
