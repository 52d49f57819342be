# --net user: passt, without privileges. Downloads from the host's loopback, ports that lead into the guest, and what is
# said when passt dies or is not there.
#: as tester
#: timeout 600
command -v passt >/dev/null || skip 'passt is not installed'
# shellcheck disable=SC2153
run() { timeout 280 "$NOVM" run --kernel cloud "$@"; }

cd "$TEST"
head -c 3000000 /dev/urandom >file
sum=$(sha256sum <file)
python3 -m http.server --bind 127.0.0.1 8077 >/dev/null 2>&1 &
server=$!
trap 'kill $server' EXIT

mkfifo in
# shellcheck disable=SC2016 # for the shell in there
"$NOVM" run --kernel cloud --net user --publish 127.0.0.1:8078:80 -- sh -euc '
  cat /etc/resolv.conf
  ip -4 -brief address show eth0 | tr -s " " | cut -d" " -f 3
  curl -s http://10.0.2.2:8077/file | sha256sum
  cd /tmp
  echo from the guest >hello
  python3 -m http.server 80 2>/dev/null & server=$!
  read -r _
  kill $server
  # Without passt the cable is pulled, and the machine lives.
  cat /sys/class/net/eth0/carrier' <in >output 2>errors &
novm=$!
exec 8>in
answers() { [[ $(curl -s -m 5 http://127.0.0.1:8078/hello) == 'from the guest' ]] || ! kill -0 "$novm"; }
eventually 150 answers
expected=$'nameserver 10.0.2.3\n10.0.2.15/24\n'$sum
[[ $(<output) == "$expected" ]] || fail "the guest saw $(<output) $(<errors)"
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
expect_refusal '--net user: passt: ' run --net user --publish 127.0.0.1:8077:80 -- true
grep -q 8077 "$TEST/errors" || fail "which port? $(<"$TEST/errors")"
expect_refusal 'apt install passt' timeout 100 env PATH="$TEST" "$NOVM" run --kernel cloud --net user -- true
! pgrep -u "$(id -u)" -x 'passt(.avx2)?' || fail 'passt is still there'
