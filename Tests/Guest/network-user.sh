# --net user: passt, without privileges. Downloads from the host's loopback where that is asked for, and no way there else;
# ports that lead into the guest, to its card; and what is said when passt dies or is not there.
#: as tester
#: also tester/pci
#: timeout 600
command -v passt >/dev/null || skip 'passt is not installed'
# shellcheck disable=SC2153
run() { timeout 280 "$NOVM" run --kernel "$KERNEL" --transport "$TRANSPORT" "$@"; }

cd "$TEST"
head -c 3000000 /dev/urandom >file
sum=$(sha256sum <file)
python3 -m http.server --bind 127.0.0.1 8077 >/dev/null 2>&1 &
server=$!
trap 'kill $server' EXIT

# Without being asked to, nothing leads to the host's loopback: not the gateway, nor frames that are for 127.0.0.1 itself.
cat >loopback.py <<'PYTHON'
import fcntl, socket, struct, sys
name = b'eth0'
card = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x800))
card.bind(('eth0', 0))
own = card.getsockname()[4]

def checksum(data):
    total = sum(struct.unpack(f'!{len(data) // 2}H', data))
    while total >> 16: total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff

for address in sys.argv[1:]:
    source, target = socket.inet_aton('10.0.2.15'), socket.inet_aton(address)
    packet = struct.pack('!HHHH', 1234, 8076, 13, 0) + b'hello'
    header = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + len(packet), 1, 0, 64, 17, 0, source, target)
    header = header[:10] + struct.pack('!H', checksum(header)) + header[12:]
    card.send(b'\xff' * 6 + own + b'\x08\0' + header + packet)
card.settimeout(3)
try:
    while True:
        frame = card.recv(2000)
        if frame[23] == 17 and b'answer' in frame: print('answered from', socket.inet_ntoa(frame[26:30]), flush=True)
except TimeoutError: print('silence')
PYTHON
python3 - <<'PYTHON' &
import socket
names = socket.socket(type=socket.SOCK_DGRAM)
names.bind(('127.0.0.1', 8076))
while True:
    question, sender = names.recvfrom(2000)
    names.sendto(b'answer', sender)
PYTHON
names=$!
trap 'kill $server $names' EXIT
run --net user --read '/srv=>.' -- sh -c '
  curl -s -m 5 http://10.0.2.2:8077/file; echo $?
  python3 /srv/loopback.py 127.0.0.1 0.0.0.0 10.0.2.2' >output
# curl(1): 7 for a connection that is refused, 28 for silence.
seen=$(tr '\n' ' ' <output)
[[ $seen =~ ^(7|28)\ silence\ $ ]] || fail "the host's loopback is reached: $(<output)"

mkfifo in
# A server that speaks first is heard by a client that says nothing, whatever passt is here.
cat >banner.py <<'PYTHON'
import socket
with socket.create_server(('', 25)) as server:
    while True:
        with server.accept()[0] as client: client.sendall(b'220 ready\n')
PYTHON
# shellcheck disable=SC2016 # for the shell in there
"$NOVM" run --kernel "$KERNEL" --transport "$TRANSPORT" --net user,loopback -p 8078:80 \
  --publish 127.0.0.1:8025:25 --publish 8024:24 --read '/srv=>.' -- sh -euc '
  cat /etc/resolv.conf
  ip -4 -brief address show eth0 | tr -s " " | cut -d" " -f 3
  curl -s http://10.0.2.2:8077/file | sha256sum
  cd /tmp
  echo from the guest >hello
  python3 -m http.server 80 2>/dev/null & server=$!
  python3 /srv/banner.py & banner=$!
  python3 -m http.server --bind 127.0.0.1 24 2>/dev/null & local=$!
  read -r _
  kill $server $banner $local
  # Without passt the cable is pulled, and the machine lives.
  cat /sys/class/net/eth0/carrier' <in >output 2>errors &
novm=$!
exec 8>in
answers() { [[ $(curl -s -m 5 http://127.0.0.1:8078/hello) == 'from the guest' ]] || ! kill -0 "$novm"; }
eventually 150 answers
expected=$'nameserver 10.0.2.3\n10.0.2.15/24\n'$sum
[[ $(<output) == "$expected" ]] || fail "the guest saw $(<output) $(<errors)"
expect_output 'from the guest' curl -s -m 5 'http://[::1]:8078/hello'
# By the card, so what is on the guest's loopback alone is not reached, and no other address of the host's leads there.
! curl -s -m 5 http://127.0.0.1:8024/hello || fail "a published port leads to the guest's loopback"
! curl -s -m 5 http://127.0.0.2:8078/hello || fail 'a published port is on every address'
grep -q "^novm: 127.0.0.1:8078 and \[::1\]:8078 lead to the machine's port 80$" errors || fail "not told: $(<errors)"
greets() { [[ $(python3 -c "import socket
print(socket.create_connection(('127.0.0.1', 8025), 5).recv(100).decode())" 2>/dev/null) == '220 ready' ]]; }
eventually 60 greets
pkill -9 -P "$novm" passt
reported() { grep -q 'passt: ended by signal 9' errors; }
eventually 20 reported
echo >&8
exec 8>&-
wait "$novm" || fail "the machine did not live: $(<errors)"
[[ $(tail -n 1 output) == 0 ]] || fail "the link is still up: $(<output)"
! pgrep -u "$(id -u)" -x 'passt(.avx2)?' || fail 'passt is still there'

# Nothing is said of a passt that ends with its machine.
run --net user -- true 2>errors || fail "status $?: $(<errors)"
[[ ! -s errors ]] || fail "said: $(<errors)"

# One line each.
expect_refusal 'port 8077 of 127.0.0.1 of this host' run --net user --publish 127.0.0.1:8077:80 -- true
expect_refusal 'apt install passt' timeout 100 env PATH="$TEST" "$NOVM" run --kernel cloud --net user -- true
! pgrep -u "$(id -u)" -x 'passt(.avx2)?' || fail 'passt is still there'
