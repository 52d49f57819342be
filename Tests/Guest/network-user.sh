# --net user: passt, without privileges. Downloads from the host's loopback, ports that lead into the guest, and what is
# said when passt dies or is not there.
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

mkfifo in
# A server that speaks first is heard by a client that says nothing, whatever passt is here.
cat >banner.py <<'PYTHON'
import socket
with socket.create_server(('', 25)) as server:
    while True:
        with server.accept()[0] as client: client.sendall(b'220 ready\n')
PYTHON
# shellcheck disable=SC2016 # for the shell in there
"$NOVM" run --kernel "$KERNEL" --transport "$TRANSPORT" --net user --publish 127.0.0.1:8078:80 \
  --publish 127.0.0.1:8025:25 --read '/srv=>.' -- sh -euc '
  cat /etc/resolv.conf
  ip -4 -brief address show eth0 | tr -s " " | cut -d" " -f 3
  curl -s http://10.0.2.2:8077/file | sha256sum
  cd /tmp
  echo from the guest >hello
  python3 -m http.server 80 2>/dev/null & server=$!
  python3 /srv/banner.py & banner=$!
  read -r _
  kill $server $banner
  # Without passt the cable is pulled, and the machine lives.
  cat /sys/class/net/eth0/carrier' <in >output 2>errors &
novm=$!
exec 8>in
answers() { [[ $(curl -s -m 5 http://127.0.0.1:8078/hello) == 'from the guest' ]] || ! kill -0 "$novm"; }
eventually 150 answers
expected=$'nameserver 10.0.2.3\n10.0.2.15/24\n'$sum
[[ $(<output) == "$expected" ]] || fail "the guest saw $(<output) $(<errors)"
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
