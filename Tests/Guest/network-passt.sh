# --net user where the host's network is a test's own, with no way out: names by a resolver on the host's loopback, IPv6
# to a server of the host's, and ports that passt leads in if it is new enough.
#: as tester
#: timeout 400
command -v passt >/dev/null || skip 'passt is not installed'
network() {
  ip address add 10.77.0.1/24 dev eth0
  ip address add fd77::1/64 dev eth0 nodad
  ip address add fd77::5/64 dev eth0 nodad
  ip route add default via 10.77.0.2
  ip route add default via fd77::2
}
in_users_network network-passt network

cd "$TEST"
echo 'from the host' >hello
python3 - >servers 2>&1 <<'PYTHON' &
import http.server, socket, threading

class Server(http.server.HTTPServer):
    address_family = socket.AF_INET6

names = socket.socket(type=socket.SOCK_DGRAM)
names.bind(('127.0.0.53', 53))

def answer():
    """Tells everybody's address of IPv4, and that there is none of IPv6 (RFC 1035, 4)."""
    while True:
        question, sender = names.recvfrom(512)
        end = question.index(0, 12) + 5
        record = b'\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\x0a\x4d\0\x07' if question[end - 4:end - 2] == b'\0\x01' else b''
        counts = b'\0\x01' + (b'\0\x01' if record else b'\0\0') + b'\0\0\0\0'
        names.sendto(question[:2] + b'\x81\x80' + counts + question[12:end] + record, sender)

threading.Thread(target=answer, daemon=True).start()
Server(('fd77::5', 8086), http.server.SimpleHTTPRequestHandler).serve_forever()
PYTHON
servers=$!
trap 'kill $servers' EXIT

# One that says it is new: ports are its own. Old as it is, it needs its loopback for datagrams.
mkdir bin
# shellcheck disable=SC2016 # for the shell in there
{
  echo '#!/bin/sh'
  echo 'if [ "$1" = --version ]; then echo passt 2024_09_06.6b38f07; exit; fi'
  printf 'echo "$@" >%q\nexec %q "$@"\n' "$TEST/arguments" "$(command -v passt)"
} >bin/passt
chmod +x bin/passt
cat >guest.py <<'PYTHON'
import socket, subprocess, threading
from http.server import HTTPServer, SimpleHTTPRequestHandler

def output(*command): return subprocess.run(command, stdout=subprocess.PIPE).stdout.decode()

print(output('getent', 'ahostsv4', 'name.example').split(' ')[0].strip(), flush=True)
print(output('curl', '-s', '-m', '60', '--retry', '5', '--retry-all-errors', 'http://[fd77::5]:8086/hello').strip(), flush=True)
datagrams = socket.socket(type=socket.SOCK_DGRAM)
datagrams.bind(('0.0.0.0', 53))
web = HTTPServer(('10.0.2.15', 80), SimpleHTTPRequestHandler)
threading.Thread(target=web.serve_forever, daemon=True).start()
print('up', flush=True)
while True:
    question, sender = datagrams.recvfrom(65536)
    datagrams.sendto(question[::-1], sender)
PYTHON
PATH=$TEST/bin:$PATH "$NOVM" run --detach --name server --kernel cloud --net user,loopback --read '/srv=>.' --cwd /srv \
  --publish 127.0.0.1:8078:80 --publish 127.0.0.1:8053:53/udp -- python3 guest.py >/dev/null
said() { "$NOVM" logs server | grep "$1" >/dev/null; }
eventually 120 said up
[[ $("$NOVM" logs server) == $'10.77.0.7\nfrom the host\nup' ]] || fail "the guest saw $("$NOVM" logs server)"
grep -q -- '--tcp-ports 127.0.0.1/8078:80' arguments || fail "passt was told $(<arguments)"
# At the card's address, where nothing but passt leads to.
expect_output 'from the host' curl -s -m 30 http://127.0.0.1:8078/hello
python3 - <<'PYTHON' || fail 'no datagram came back'
import socket
datagram = socket.socket(type=socket.SOCK_DGRAM)
datagram.settimeout(30)
datagram.connect(('127.0.0.1', 8053))
datagram.send(b'a question')
assert datagram.recv(100) == b'noitseuq a'
PYTHON
# A port that is taken is passt's to tell.
PATH=$TEST/bin:$PATH expect_refusal '--net user: passt: ' "$NOVM" run --kernel cloud --net user --publish 127.0.0.1:8078:81 -- true
grep -q 8078 "$TEST/errors" || fail "which port? $(<"$TEST/errors")"
"$NOVM" rm --force server >/dev/null
