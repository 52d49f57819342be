# Disks and power loss under a file system with a journal, after which all is there that was fsynced.
#: as root
#: also root/pci
#: timeout 1500
#: long
# shellcheck disable=SC2153
run() { timeout 280 "$NOVM" run --kernel "$kernel" --transport "${TRANSPORTS[$kernel]}" "$@"; }
cd "$TEST"
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
    "$NOVM" run --kernel $kernel --transport "${TRANSPORTS[$kernel]}" \
      --disk "journal$([[ $round == 1 ]] || echo ,cache=none)" -- sh -euc "$writer" >>told 2>errors </dev/null &
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
