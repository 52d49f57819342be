# Network cards by taps, on a bridge, in a network namespace of this test's own: addresses from the description and by
# DHCP, large transfers whole in both directions, two machines with each other, and nothing left of a tap.
#: as root
#: timeout 900
if [[ -z ${NETWORK_TEST:-} ]]; then
  export NETWORK_TEST=yes
  # shellcheck disable=SC2016 # for the shell in there
  exec unshare --net bash -euo pipefail -c 'source Tests/Guest/library; source Tests/Guest/network-tap.sh'
fi
# shellcheck disable=SC2153
run() { timeout 280 "$NOVM" run --kernel cloud "$@"; }
refused() {
  expect_refusal "$1" run "${@:2}" -- true
  ! ip link show t0 2>/dev/null || fail "a tap is left of: $*"
}

ip link set lo up
ip link add br0 type bridge 2>/dev/null || skip 'no bridges here'
ip address add 10.77.0.1/24 dev br0
ip link set br0 up
cd "$TEST"
head -c 3000000 /dev/urandom >file
sum=$(sha256sum <file)
python3 - >/dev/null 2>&1 <<'END' &
import http.server
class Server(http.server.SimpleHTTPRequestHandler):
    """Gives files, and takes them as `upload`."""
    def do_PUT(self):
        with open('upload', 'wb') as file: file.write(self.rfile.read(int(self.headers['Content-Length'])))
        self.send_response(201)
        self.end_headers()
http.server.ThreadingHTTPServer(('10.77.0.1', 8000), Server).serve_forever()
END
server=$!
cat >udhcpd.conf <<END
start 10.77.0.100
end 10.77.0.110
interface br0
lease_file $TEST/leases
pidfile $TEST/udhcpd.pid
option subnet 255.255.255.0
option router 10.77.0.1
option dns 10.77.0.53 10.77.0.55 10.77.0.56
option domain example.test
option lease 3600
END
: >leases
busybox udhcpd -f udhcpd.conf >udhcpd.log 2>&1 &
dhcp=$!
trap 'kill $server $dhcp' EXIT

# Two pairs of queues. What goes through is whole, and the tap is gone afterwards.
# shellcheck disable=SC2016 # for the shell in there
run --cpus 2 --nic tap=t0,bridge=br0,mac=02:00:00:00:00:02,ip=10.77.0.2/24,ip=fd77::2/64,gateway=10.77.0.1,mtu=1400,queues=2 \
  -- sh -euc '
    cat /sys/class/net/eth0/address /sys/class/net/eth0/mtu
    ls -d /sys/class/net/eth0/queues/rx-* | wc -l
    ip -brief address show eth0 | tr -s " " "\n" | grep -E "^(10|fd77)"
    ip route show default | cut -d" " -f 1-5
    curl -s http://10.77.0.1:8000/file | tee /tmp/file | sha256sum
    curl -s -T /tmp/file http://10.77.0.1:8000/upload' >output
expected=$'02:00:00:00:00:02\n1400\n2\n10.77.0.2/24\nfd77::2/64\ndefault via 10.77.0.1 dev eth0\n'$sum
[[ $(<output) == "$expected" ]] || fail "the guest saw $(<output)"
[[ $(sha256sum <upload) == "$sum" ]] || fail 'what the guest sent came damaged'
! ip link show t0 2>/dev/null || fail 'the tap is still there'

# What passes a card can be read by others, whenever the capture ends.
run --detach --name watched --nic tap=t0,bridge=br0,ip=10.77.0.2/24 -- sleep 1000 >/dev/null
"$NOVM" capture watched --output capture &
capture=$!
has_begun() { [[ -s capture ]]; }
eventually 20 has_begun
expect_output "$sum" "$NOVM" exec watched -- sh -c 'curl -s http://10.77.0.1:8000/file | sha256sum'
# As from a terminal's Ctrl-C; of a background process the shell ignores SIGINT.
kill -TERM "$capture"
wait "$capture" || true
tcpdump -nr capture >packets 2>errors || fail "tcpdump: $(<errors)"
! grep -q 'truncated' errors || fail "cut off: $(<errors)"
grep -q 'IP 10.77.0.2.[0-9]* > 10.77.0.1.8000: Flags' packets || fail "nothing of what was sent: $(head packets)"
bytes=$(sed -n 's/.*IP 10.77.0.1.8000 > .* length \([0-9]*\).*/\1/p' packets | awk '{ sum += $1 } END { print sum }')
((bytes >= 3000000)) || fail "$bytes bytes of 3000000 were seen to pass"
[[ $("$NOVM" capture watched 1 2>&1 | cat) == *'watched has no network card 1'* ]] || fail 'a card that is not there'
"$NOVM" rm --force watched >/dev/null

# Two cards on a PCI bus, in a kernel with all its drivers, each with queues for two processors.
# shellcheck disable=SC2016
run --kernel generic --transport pci --cpus 2 --nic tap=t0,bridge=br0,ip=10.77.0.2/24,queues=2 \
  --nic tap=t1,bridge=br0,ip=10.77.0.3/24,queues=2 -- sh -euc '
    # Each card answers for its own address only.
    echo 1 >/proc/sys/net/ipv4/conf/all/arp_ignore
    for card in eth0 eth1; do
      ls -d /sys/class/net/$card/queues/rx-* | wc -l
      curl -s --interface $card http://10.77.0.1:8000/file | sha256sum
    done' >output
[[ $(<output) == $'2\n'"$sum"$'\n2\n'"$sum" ]] || fail "two cards on a bus: $(<output)"

# By DHCP, two machines with each other, one of them by a tap without a name. The tree keeps its resolv.conf. Name servers
# that a card is given come before those that another one learns, each once, three at most.
mkdir write
mkfifo in
# shellcheck disable=SC2016
run --write write --nic bridge=br0 --nic tap=t2,ip=none,dns=10.77.0.54,dns=10.77.0.55 -- sh -euc '
  cat /etc/resolv.conf
  ip -4 -brief address show eth0 | tr -s " " | cut -d" " -f 3
  ip route show default | cut -d" " -f 1-5
  cd /tmp
  echo from one machine to another >hello
  python3 -m http.server 80 2>/dev/null & server=$!
  read -r _
  kill $server' <in >first &
first=$!
exec 8>in
gone() { ! kill -0 "$first" 2>/dev/null; }
ready() { grep -q default first || gone; }
eventually 150 ready
address=$(sed -n 5p first)
[[ $(head -n 4 first | tr '\n' ' ') == 'search example.test nameserver 10.77.0.54 nameserver 10.77.0.55 nameserver 10.77.0.53 ' ]] ||
  fail "resolv.conf: $(<first)"
[[ $address == 10.77.0.1??/24 ]] || fail "no address by DHCP: $(<first)"
[[ $(tail -n 1 first) == 'default via 10.77.0.1 dev eth0' ]] || fail "no route by DHCP: $(<first)"
expect_output 'from one machine to another' run --nic tap=t0,bridge=br0,ip=10.77.0.3/24 -- \
  curl -s --retry 5 --retry-connrefused "http://${address%/*}/hello"
# A driver that goes and comes in a loop, while the other end speaks to it.
# shellcheck disable=SC2016
expect_output "$sum" run --nic tap=t0,bridge=br0,ip=10.77.0.4/24 -- sh -euc '
  device=$(basename "$(readlink /sys/class/net/eth0/device)")
  for i in 1 2 3 4 5 6; do
    echo "$device" >/sys/bus/virtio/drivers/virtio_net/unbind
    echo "$device" >/sys/bus/virtio/drivers/virtio_net/bind
  done
  ip link set eth0 up
  ip address add 10.77.0.4/24 dev eth0
  curl -s --retry 5 --retry-connrefused http://10.77.0.1:8000/file | sha256sum'
echo >&8
exec 8>&-
wait "$first" || fail 'the first machine failed'
[[ ! -e write/etc/resolv.conf ]] || fail 'resolv.conf was written to the tree'

# A guest that speaks by another's addresses: nobody hears it, unless it may.
python3 - >heard 2>&1 <<'PYTHON' &
import socket
server = socket.socket(type=socket.SOCK_DGRAM)
server.bind(('10.77.0.1', 9999))
while True: print(server.recvfrom(100), flush=True)
PYTHON
listener=$!
trap 'kill $server $dhcp $listener' EXIT
cat >forge.py <<'PYTHON'
import socket, struct, sys

def checksum(data):
    total = sum(struct.unpack(f'>{len(data) // 2}H', data))
    while total >> 16: total = (total & 65535) + (total >> 16)
    return ~total & 65535

card = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
card.bind(('eth0', 0))
own, host = card.getsockname()[4], bytes.fromhex(sys.argv[1].replace(':', ''))
for source, sender in [('10.77.0.66', own), ('10.77.0.8', bytes.fromhex('020000000099'))]:
    udp = struct.pack('>HHHH', 1, 9999, 14, 0) + b'forged'
    ip = struct.pack('>BBHHHBBH', 0x45, 0, 34, 1, 0, 64, 17, 0) + socket.inet_aton(source) + socket.inet_aton('10.77.0.1')
    ip = ip[:10] + struct.pack('>H', checksum(ip)) + ip[12:]
    for _ in range(5): card.send(host + sender + b'\x08\0' + ip + udp)
arp = struct.pack('>HHBBH', 1, 0x800, 6, 4, 1) + own + socket.inet_aton('10.77.0.66') + bytes(6) + socket.inet_aton('10.77.0.1')
for _ in range(5): card.send(b'\xff' * 6 + own + b'\x08\x06' + arp)
PYTHON
# One that is told does not change with the bridge's ports.
bridge=02:00:00:00:00:fe
ip link set br0 address "$bridge"
for filter in on off; do
  run --read '/srv=>.' --nic "tap=t0,bridge=br0,ip=10.77.0.8/24,filter=$filter" -- \
    python3 /srv/forge.py "$bridge" || fail "forge.py: $?"
  if [[ $filter == on ]]; then
    [[ ! -s heard ]] || fail "this was heard: $(<heard)"
    [[ -z $(ip neigh show 10.77.0.66) ]] || fail "this was believed: $(ip neigh show 10.77.0.66)"
  fi
done
grep -q forged heard || fail 'nothing is heard without the filter either'

# Rates: 3 MB at 1 MiB in a second, each way, but for what may pass at once: in 2.7 seconds, and not in many more.
# shellcheck disable=SC2016
run --nic tap=t0,bridge=br0,ip=10.77.0.6/24,rate=1M,burst=100K -- sh -euc '
  curl -s -o /tmp/file -w "%{size_download} %{time_total}\n" http://10.77.0.1:8000/file
  curl -s -o /dev/null -H Expect: -T /tmp/file -w "%{size_upload} %{time_total}\n" http://10.77.0.1:8000/upload' >output
awk '$1 == 3000000 && $2 >= 2.6 && $2 <= 4.5 { kept++ } END { exit kept != 2 }' output ||
  fail "3000000 bytes at 1 MiB a second: $(<output)"

# A tap that root made for somebody who may not make any; and kill -9.
ip tuntap add dev t1 mode tap user tester
ip link set t1 master br0 up
mkdir -m 777 "$TEST/tester"
chmod 755 "$TEST"
tester() {
  setpriv --reuid=tester --regid="$(id -g tester)" --groups="$(stat -c %g /dev/kvm)" env HOME="$TEST/tester" NOVM_ROOT="$TEST/tester/novm" "$@"
}
if [[ -r /dev/kvm ]] && tester test -w /dev/kvm; then
  expect_output "$sum" tester timeout 280 "$NOVM" run --kernel cloud --nic tap=t1,ip=10.77.0.5/24 -- \
    sh -c 'curl -s http://10.77.0.1:8000/file | sha256sum'
  ip link show t1 >/dev/null || fail 'a tap of root is gone'
  tester "$NOVM" run --kernel cloud --nic tap=t0 -- true 2>errors && fail 'a tap without CAP_NET_ADMIN'
  grep -q CAP_NET_ADMIN errors || fail "$(<errors)"
fi
# A tap that somebody removes: said, and the machine lives.
mkfifo to
# shellcheck disable=SC2016 # for the shell in there
run --nic tap=t0,bridge=br0,ip=10.77.0.7/24 -- sh -c 'echo up; read -r _; cat /sys/class/net/eth0/carrier' <to >output 2>errors &
novm=$!
exec 8>to
is_up() { grep -q up output; }
eventually 60 is_up
ip link delete t0
is_said() { [[ -s errors ]]; }
eventually 20 is_said
echo >&8
exec 8>&-
wait "$novm" || fail "the machine did not live: $(<errors)"
[[ $(<output) == $'up\n0' ]] || fail "the link is still up: $(<output)"
[[ $(<errors) == *'network card 0: the tap t0 is gone; the machine goes on with the cable pulled' && $(wc -l <errors) == 1 ]] ||
  fail "said: $(<errors)"
is_there() { ip link show t0 >/dev/null 2>&1; }
is_gone() { ! is_there; }
for victim in novm novmm; do
  "$NOVM" run --kernel cloud --nic tap=t0,bridge=br0,ip=none -- sleep 100 2>/dev/null &
  novm=$!
  eventually 60 is_there
  if [[ $victim == novm ]]; then kill -9 "$novm"; else pkill -9 -P "$novm"; fi
  eventually 20 is_gone
done

refused 'no such bridge; make it' --nic tap=t0,bridge=br9,ip=none
refused 'but it is no bridge' --nic tap=t0,bridge=lo,ip=none
refused 'is there and is no tap' --nic tap=br0,ip=none
refused "ip=10.77.0.2 is neither ADDRESS/LENGTH" --nic tap=t0,ip=10.77.0.2
refused 'two cards have mac=02:00:00:00:00:01' --nic tap=t0,mac=02:00:00:00:00:01 --nic tap=t2,mac=02:00:00:00:00:01
refused "'80:' is not [ADDRESS:]HOST:GUEST" --publish 80:
# More than fits on the kernel's command line.
refused 'of them for --nic; give it fewer of ip=' --nic "tap=t0,ip=none$(printf ',dns=fd77:1:2:3:4:5:6:%x' {4096..4196})"
