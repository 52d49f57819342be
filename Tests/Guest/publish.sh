# --publish without a network: streams, datagrams and Unix sockets that lead into a guest by its vsock.
#: as root
#: also tester/pci
#: timeout 400
command -v curl >/dev/null || skip 'curl is not installed'
command -v python3 >/dev/null || skip 'python3 is not installed'
cd "$TEST"
head -c 3000000 /dev/urandom >file
cat >server.py <<'PYTHON'
import os, socket, threading
from http.server import HTTPServer, SimpleHTTPRequestHandler

web = HTTPServer(('127.0.0.1', 80), SimpleHTTPRequestHandler)
threading.Thread(target=web.serve_forever, daemon=True).start()
lines = socket.socket(socket.AF_UNIX)
lines.bind('/run/lines')
lines.listen()
names = socket.socket(type=socket.SOCK_DGRAM)
names.bind(('127.0.0.1', 53))

def answer():
    while True:
        question, sender = names.recvfrom(65536)
        names.sendto(question[::-1], sender)

threading.Thread(target=answer, daemon=True).start()
print('up', flush=True)
while True:
    stream, _ = lines.accept()
    text = b''
    while more := stream.recv(65536): text += more
    stream.sendall(b'%d bytes\n' % len(text))
    stream.close()
PYTHON
"$NOVM" run -d --kernel "$KERNEL" --transport "$TRANSPORT" --name server --read '/srv=>.' --cwd /srv --publish 127.0.0.1:8091:80 \
  --publish 127.0.0.1:8053:53/udp --publish ./lines:/run/lines --publish 127.0.0.1:8092:9 -- python3 server.py
up() { "$NOVM" logs server | grep up >/dev/null; }
eventually 60 up
expect_output lo "$NOVM" exec server -- ls /sys/class/net

[[ $(curl -sf -m 60 http://127.0.0.1:8091/file | sha256sum) == $(sha256sum <file) ]] || fail 'the file is another'
for _ in 1 2 3 4; do curl -sf -m 60 -o /dev/null http://127.0.0.1:8091/server.py & done
for job in $(jobs -p); do wait "$job" || fail 'four at a time are too many'; done
status=0
curl -s -m 60 http://127.0.0.1:8092/ || status=$?
# curl(1): 52 for nothing, 56 for a reset.
[[ $status == 52 || $status == 56 ]] || fail "a port that nobody listens at: curl ended with $status"

python3 - <<'PYTHON'
import socket
stream = socket.socket(socket.AF_UNIX)
stream.connect('lines')
stream.sendall(b'x' * 1000000)
stream.shutdown(socket.SHUT_WR)
assert stream.recv(100) == b'1000000 bytes\n'
for size in 1, 1000, 60000:
    datagram = socket.socket(type=socket.SOCK_DGRAM)
    datagram.settimeout(30)
    datagram.connect(('127.0.0.1', 8053))
    datagram.send(b'a' * size + b'z')
    assert datagram.recv(65536) == b'z' + b'a' * size
PYTHON

# Taken, and nobody is harmed.
status=0
"$NOVM" run --kernel "$KERNEL" --transport "$TRANSPORT" --publish 127.0.0.1:8091:80 -- true 2>errors || status=$?
grep -q 'cannot listen on port 8091 of 127.0.0.1 of this host: Address already in use' errors || status=0
((status == 125)) || fail "status $status: $(<errors)"
status=0
"$NOVM" run --kernel "$KERNEL" --transport "$TRANSPORT" --publish ./file:80 -- true 2>errors || status=$?
[[ $status == 125 && $(stat -c %s file) == 3000000 ]] || fail "a file in the way: status $status, $(<errors)"

"$NOVM" stop server
[[ ! -e lines ]] || fail 'the socket is still there'
! curl -s -m 5 http://127.0.0.1:8091/ || fail 'the port still leads somewhere'
"$NOVM" rm server
