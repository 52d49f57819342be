# Disks whose driver goes and comes, and power loss under a file system with a journal, after which all is there that was
# fsynced.
#: as root
#: timeout 1500
# shellcheck disable=SC2153
run() { timeout 280 "$NOVM" run --kernel "${kernel:-cloud}" "$@"; }
cd "$TEST"
truncate -s 64M third

# A driver that goes and comes, while its disk is read from and written to. Without nocreat, a dd that comes late
# would make a file in place of the device that is gone.
# With cache=none the host's kernel does all by itself, where it has io_uring.
for cache in writeback none; do
  # shellcheck disable=SC2016
  run --cpus 2 --disk "third,cache=$cache" -- sh -euc '
    device=$(basename "$(readlink /sys/block/vda/device)")
    for i in 1 2 3 4 5 6; do
      dd if=/dev/zero of=/dev/vda bs=4k count=2000 oflag=direct conv=nocreat status=none 2>/dev/null &
      dd if=/dev/vda of=/dev/null bs=64k iflag=direct status=none 2>/dev/null &
      sleep 0.1
      echo "$device" >/sys/bus/virtio/drivers/virtio_blk/unbind
      # Who still had it open would keep its name.
      wait
      echo "$device" >/sys/bus/virtio/drivers/virtio_blk/bind
    done
    dd if=/dev/zero of=/dev/vda bs=1M count=2 oflag=direct status=none
    echo all' >output
  [[ $(<output) == all ]] || fail "$cache: $(<output)"
done

# Power loss. The guest tells of each file once it is fsynced, and its directory; what it told of is there afterwards.
truncate -s 256M journal
mkfs.ext4 -q journal
# shellcheck disable=SC2016
writer='
  mkdir -p /mnt
  mount -t ext4 /dev/vda /mnt
  exec python3 -u - <<"PYTHON"
import hashlib, os, random
directory = os.open("/mnt", os.O_RDONLY)
number = len(os.listdir("/mnt"))
while True:
    data = random.randbytes(random.randrange(1, 60000))
    name = "/mnt/%d-%s" % (number, hashlib.sha256(data).hexdigest())
    with open(name, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.fsync(directory)
    os.write(1, (name + "\n").encode())
    number += 1
PYTHON'
: >told
for kernel in cloud generic; do
  for round in 1 2; do
    "$NOVM" run --kernel $kernel --disk "journal$([[ $round == 1 ]] || echo ,cache=none)" -- sh -euc "$writer" \
      >>told 2>errors </dev/null &
    novm=$!
    before=$(wc -l <told)
    enough() { (($(wc -l <told) >= before + 20 * round)); }
    eventually 200 enough
    pkill -9 -P "$novm"
    wait "$novm" && fail 'a machine without a monitor succeeded'
    # A line that was cut short.
    [[ -z $(tail -c 1 told) ]] || sed -i '$d' told
  done
  # shellcheck disable=SC2016
  run --disk journal --share "/told=>$TEST" -- sh -euc '
    mkdir -p /mnt
    mount -t ext4 /dev/vda /mnt
    while read -r name; do
      sum=$(sha256sum <"$name")
      [ "${name##*-}" = "${sum%% *}" ] || { echo "$name is damaged"; exit 1; }
    done </told/told
    echo whole' >output || fail "$(tail -n 1 output)"
  [[ $(<output) == whole ]] || fail "$(<output)"
done
(($(wc -l <told) >= 120)) || fail "only $(wc -l <told) files"
e2fsck -fn journal >fsck 2>&1 || fail "$(<fsck)"
