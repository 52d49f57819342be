# What --allow and --net user,closed let through: a hostile guest with frames of its own making, and curl, git, apt and a QUIC client on
# both sides of the list, which is changed while a machine runs. The host's network is a test's own: 10.77.0.5 is granted by its name, 10.77.0.6 by nothing.
#: as tester
#: timeout 600
command -v passt >/dev/null || skip 'passt is not installed'
for tool in openssl git curl gtlsclient; do command -v "$tool" >/dev/null || skip "$tool is not installed"; done
network() {
  local host
  for host in 1 5 6; do ip address add "10.77.0.$host/24" dev eth0; done
  ip route add default via 10.77.0.2
}
in_users_network egress network

cd "$TEST"
mkdir -p web/.git srv
echo 'from the host' >web/hello
git init -q --bare web/repository
git -C web/repository update-server-info
mkdir -p tiny/DEBIAN web/apt
printf 'Package: tiny\nVersion: 1\nArchitecture: all\nMaintainer: Nobody <nobody@example.org>\nDescription: nothing\n' >tiny/DEBIAN/control
dpkg-deb --root-owner-group --build tiny web/apt/tiny.deb >/dev/null
{
  cat tiny/DEBIAN/control
  echo "Filename: ./tiny.deb"
  echo "Size: $(stat -c %s web/apt/tiny.deb)"
  echo "SHA256: $(sha256sum web/apt/tiny.deb | cut -d' ' -f1)"
} >web/apt/Packages
openssl req -x509 -newkey rsa:2048 -nodes -keyout key -out certificate -days 2 -subj /CN=allowed.test 2>/dev/null
# Notes who comes to 10.77.0.6, by streams and datagrams, and who asks for which name.
python3 - <<'PYTHON' >servers 2>&1 &
import functools, http.server, socket, ssl, threading

# Web servers ask what they are called.
socket.getfqdn = lambda name='': name
reached, asked = open('reached', 'a', buffering=1), open('asked', 'a', buffering=1)
ADDRESSES = {'allowed.test': b'\x0a\x4d\0\x05', 'evil.test': b'\x0a\x4d\0\x05', 'other.test': b'\x0a\x4d\0\x06'}

def names():
    server = socket.socket(type=socket.SOCK_DGRAM)
    server.bind(('127.0.0.53', 53))
    while True:
        question, sender = server.recvfrom(512)
        labels, at = [], 12
        while question[at]:
            labels.append(question[at + 1:at + 1 + question[at]].decode())
            at += 1 + question[at]
        name, end = '.'.join(labels).lower(), at + 5
        print(name, file=asked)
        address = ADDRESSES.get(name) if question[end - 4:end - 2] == b'\0\x01' else None
        record = b'\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04' + address if address else b''
        server.sendto(question[:2] + b'\x81\x80\0\1' + (b'\0\1' if record else b'\0\0') + b'\0\0\0\0' +
                      question[12:end] + record, sender)

def datagrams(address, port):
    server = socket.socket(type=socket.SOCK_DGRAM)
    server.bind((address, port))
    while True: print('datagram', port, server.recvfrom(2000), file=reached)

def streams(address, port):
    server = socket.create_server((address, port))
    while True: print('stream', port, server.accept()[1], file=reached)

def web(address, port, context=None):
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory='web')
    server = http.server.ThreadingHTTPServer((address, port), handler)
    if context: server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()

context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain('certificate', 'key')
jobs = [(names,), (web, '10.77.0.5', 80), (web, '10.77.0.5', 443, context), (web, '10.77.0.5', 8080)]
jobs += [(datagrams, '10.77.0.6', port) for port in (53, 67, 443, 9999)] + [(datagrams, '10.77.0.5', 9999)]
jobs += [(streams, '10.77.0.6', port) for port in (53, 80, 443, 853)]
threads = [threading.Thread(target=job[0], args=job[1:]) for job in jobs]
for thread in threads: thread.start()
PYTHON
servers=$!
/usr/sbin/gtlsserver -q -d web 10.77.0.5 8443 key certificate >/dev/null 2>&1 &
quic=$!
trap 'kill $servers $quic' EXIT

cat >srv/raw.py <<'PYTHON'
# Frames as no kernel sends them, to 10.77.0.6 and to everybody.
import os, socket, struct

card = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
card.bind(('eth0', 0))
own = card.getsockname()[4]
gateway = bytes.fromhex('ffffffffffff')
neighbours = [line.split() for line in open('/proc/net/arp').readlines()[1:]]
router = bytes.fromhex(neighbours[0][3].replace(':', '')) if neighbours else gateway
TARGET, SELF = socket.inet_aton('10.77.0.6'), socket.inet_aton('10.0.2.15')

def checksum(data):
    data += b'\0' * (len(data) & 1)
    total = sum(struct.unpack(f'>{len(data) // 2}H', data))
    while total >> 16: total = (total & 65535) + (total >> 16)
    return ~total & 65535

def ip(kind, payload, source=SELF, target=TARGET, fragment=0, options=b''):
    header = struct.pack('>BBHHHBBH', 0x45 + len(options) // 4, 0, 20 + len(options) + len(payload), 1, fragment, 64,
                         kind, 0) + source + target + options
    return header[:10] + struct.pack('>H', checksum(header)) + header[12:] + payload

def udp(port, data=b'secret'): return struct.pack('>HHHH', 1234, port, 8 + len(data), 0) + data

def send(payload, kind=0x0800, source=own, target=router):
    card.send((target + source + struct.pack('>H', kind) + payload).ljust(60, b'\0'))

for port in (53, 67, 443, 9999):
    for target in (router, gateway, bytes.fromhex('01005e0000fb')):
        send(ip(17, udp(port)), target=target)
        send(ip(17, udp(port), source=socket.inet_aton('10.0.2.99')), target=target)
        send(ip(17, udp(port)), source=bytes.fromhex('020000000099'), target=target)
        send(ip(17, udp(port), options=b'\x01\x01\x01\x01'), target=target)
        send(ip(17, udp(port), target=socket.inet_aton('224.0.0.251')), target=target)
        send(ip(17, udp(port), fragment=0x2000), target=target)
        send(ip(17, udp(port)[:8], fragment=0x2000), target=target)
        send(ip(17, udp(port)[8:], fragment=1), target=target)
send(ip(1, struct.pack('>BBHHH', 8, 0, checksum(struct.pack('>BBHHH', 8, 0, 0, 1, 1)), 1, 1)))
send(bytes.fromhex('6000000000083a') + os.urandom(60), kind=0x86dd)
send(os.urandom(60), kind=0x88cc)
send(os.urandom(60), kind=0x8100)
for _ in range(3000): send(os.urandom(64), kind=int.from_bytes(os.urandom(2), 'big'))
for _ in range(3000): send(ip(os.urandom(1)[0], os.urandom(40)))
PYTHON

# shellcheck disable=SC2016 # for the shell in there
cat >srv/guest.sh <<'GUEST'
# says NAME COMMAND...: its status, without what it prints.
says() { name=$1; shift; status=0; timeout 40 "$@" >/dev/null 2>/tmp/errors || status=$?; echo "$name $status"; }
get=(curl -s -m 30)
echo "page $("${get[@]}" http://allowed.test/hello)"
echo "secure $("${get[@]}" -k https://allowed.test/hello)"
says clone git clone -q http://allowed.test/repository /tmp/clone
for host in allowed other; do
  echo "deb [trusted=yes] http://$host.test/apt ./" >"/tmp/$host"
  mkdir -p "/tmp/apt-$host/cache/archives/partial"
  apt=(-o Dir::Etc::SourceList="/tmp/$host" -o Dir::Etc::SourceParts=- -o Dir::State="/tmp/apt-$host" -o APT::Sandbox::User=root
    -o Dir::Cache="/tmp/apt-$host/cache" -o APT::Update::Error-Mode=any -o Acquire::Retries=0)
  says "apt-$host" apt-get "${apt[@]}" update
  cd /tmp
  says "package-$host" apt-get "${apt[@]}" download tiny
done
says port "${get[@]}" http://allowed.test:8080/hello
says name "${get[@]}" http://other.test/hello
says address "${get[@]}" http://10.77.0.6/
says called "${get[@]}" -k --connect-to evil.test:443:allowed.test:443 https://evil.test/hello
says nameless "${get[@]}" -k https://10.77.0.5/hello
says resolver python3 -c 'import socket; socket.create_connection(("10.77.0.6", 53), 10)'
python3 - <<'PYTHON'
import socket
for port in (53, 443, 9999):
    for address in ('10.77.0.6', '10.77.0.5'):
        try: socket.socket(type=socket.SOCK_DGRAM).sendto(b'secret', (address, port))
        except OSError: pass
PYTHON
python3 /srv/raw.py || echo "raw $?"
echo "after $("${get[@]}" http://allowed.test/hello)"
GUEST
"$NOVM" run --kernel "$KERNEL" --net user --allow allowed.test:80 --allow allowed.test:443/tcp --share '/srv=>./srv:ro' -- \
  bash /srv/guest.sh >output 2>errors || fail "status $?: $(<errors)"
cat output errors
expected='page from the host
secure from the host
clone 0
apt-allowed 0
package-allowed 0
apt-other 100
package-other 100
port 7
name 6
address 7
called 35
nameless 35
resolver 1
after from the host'
[[ $(<output) == "$expected" ]] || fail "the guest saw $(<output); $(<errors)"
[[ ! -s reached ]] || fail "this left: $(<reached)"
! grep -vx 'allowed.test' asked || fail 'other names were asked for'
for refused in 'the name other.test' '10.77.0.6:80/tcp' '10.77.0.5:8080/tcp' 'a server called evil.test' '10.77.0.6:53/tcp'; do
  grep -qF "does not reach $refused" errors || fail "nothing is said of $refused: $(<errors)"
done

# The list is empty, and open but for what is taken away.
expect_output '6 7' "$NOVM" run --kernel "$KERNEL" --net user,closed -- sh -c '
  curl -s -m 30 http://allowed.test/ || a=$?; curl -s -m 30 http://10.77.0.5/ || echo $a $?' 2>/dev/null
expect_output 'from the host 7' "$NOVM" run --kernel "$KERNEL" --net user --deny 10.77.0.6 -- sh -c '
  echo $(curl -s -m 30 http://10.77.0.5/hello) $(curl -s -m 30 http://10.77.0.6/ || echo $?)' 2>/dev/null
# QUIC, whose names are not looked for, with a real client.
for words in '' '--allow ech'; do
  # shellcheck disable=SC2086,SC2016
  "$NOVM" run --kernel "$KERNEL" --net user --allow allowed.test:8443 $words -- sh -c '
    cd /tmp
    timeout 60 gtlsclient -q --exit-on-all-streams-close --handshake-timeout=9s --timeout=9s --download=/tmp \
      allowed.test 8443 https://allowed.test:8443/hello >/dev/null 2>&1
    cat hello || echo none' >output 2>errors || fail "status $?: $(<errors)"
  if [[ $words ]]; then
    [[ $(<output) == 'from the host' ]] || fail "QUIC where it is allowed: $(<output) $(<errors)"
  else
    [[ $(<output) == none ]] || fail "QUIC where it is not: $(<output)"
    grep -qF 'a server whose name is hidden at 10.77.0.5:8443' errors || fail "nothing is said of QUIC: $(<errors)"
  fi
done

# The list changes under a machine that runs, and is what it has become for the next one. Connections to what is not on it any more end.
"$NOVM" run --detach --name listed --kernel "$KERNEL" --net user,closed -- sleep 1000 >/dev/null
get() { "$NOVM" exec listed -- curl -s -m 30 http://allowed.test/hello; }
expect_status 6 get
expect_output '' "$NOVM" update listed --allow allowed.test:80 --allow 192.0.2.0/24
expect_output 'from the host' get
mkfifo in
"$NOVM" exec -i listed -- python3 -c '
import socket
server = socket.create_connection(("allowed.test", 80), 60)
server.sendall(b"GET /hello HTTP/1.0\r\n")
print("up", flush=True)
input()
try:
    server.sendall(b"\r\n")
    print(server.recv(100))
except OSError as error: print(type(error).__name__)' <in >held &
held=$!
exec 7>in
is_up() { grep -q up held; }
eventually 60 is_up
expect_output '' "$NOVM" update listed --remove allowed.test:80
echo >&7
exec 7>&-
wait "$held" || fail "the connection: $?"
[[ $(<held) == $'up\nConnectionResetError' ]] || fail "what is not granted any more went on: $(<held)"
expect_status 6 get
grants=$("$NOVM" inspect --grants listed)
[[ $grants == *$'network\tonly what is allowed\nallow\t192.0.2.0/24' ]] || fail "the list is now: $grants"
grep -q '^20.* network card 0 does not reach the name allowed.test$' <("$NOVM" logs --network listed) ||
  fail "the log: $("$NOVM" logs --network listed)"
expect_refusal 'not on the list' "$NOVM" update listed --remove allowed.test:80
expect_refusal "--allow: '10.0.0.0/33'" "$NOVM" update listed --allow 10.0.0.0/33
"$NOVM" rm --force listed >/dev/null
[[ ! -s reached ]] || fail "this left: $(<reached)"
expect_refusal "--allow: '10.0.0.0/33'" "$NOVM" run --net user --allow 10.0.0.0/33 -- true
expect_refusal 'give --net user' "$NOVM" run --allow example.org -- true
