# Files between the host and a machine, and what a machine says of itself.
#: as root
#: also tester
#: timeout 600

"$NOVM" create --kernel cloud --name box >/dev/null

# Both ways, as it was.
mkdir -p "$TEST/tree/sub"
head -c 3000000 /dev/urandom >"$TEST/tree/sub/big"
printf 'text\n' >"$TEST/tree/a b"
chmod 750 "$TEST/tree/sub"
touch -d '2001-02-03 04:05:06.789' "$TEST/tree/sub/big"
ln -s /etc/../nowhere "$TEST/tree/link"
"$NOVM" cp "$TEST/tree" box:/tmp
"$NOVM" cp box:/tmp/tree "$TEST/back"
diff -r --no-dereference "$TEST/tree" "$TEST/back" || fail 'it came back another'
[[ $(stat -c '%a' "$TEST/back/sub") == 750 ]] || fail "permissions: $(stat -c '%a' "$TEST/back/sub")"
[[ $(stat -c '%y' "$TEST/back/sub/big") == *04:05:06.789* ]] || fail "time: $(stat -c '%y' "$TEST/back/sub/big")"
expect_output 'root 2001' "$NOVM" exec box -- sh -c 'stat -c "%U %y" /tmp/tree/sub/big | cut -c1-9'

# Into a directory, onto a file, the content alone.
"$NOVM" exec box -- mkdir /tmp/dir
"$NOVM" cp "$TEST/tree/a b" box:/tmp/dir
"$NOVM" cp "$TEST/tree/sub/." box:/tmp/dir
expect_output $'a b\nbig' "$NOVM" exec box -- ls /tmp/dir
"$NOVM" cp "$TEST/tree/a b" box:/tmp/dir/big
expect_output text "$NOVM" exec box -- cat /tmp/dir/big
expect_status 125 "$NOVM" cp "$TEST/tree/a b" box:/tmp/missing/
expect_status 125 "$NOVM" cp box:/no/such "$TEST/x"
[[ ! -e $TEST/x ]] || fail 'a file that is not there was copied'
expect_status 125 "$NOVM" cp "$TEST/tree" box:/tmp/dir/big

# What is mounted in the guest is seen too, and the kernel's own files.
"$NOVM" cp box:/proc/sys/kernel/osrelease "$TEST/release"
[[ $(<"$TEST/release") == "$("$NOVM" exec box -- uname -r)" ]] || fail "release: $(<"$TEST/release")"

# Archives.
"$NOVM" cp box:/tmp/tree - | tar -x -C "$TEST" --transform 's/^tree/unpacked/'
diff -r --no-dereference "$TEST/tree" "$TEST/unpacked" || fail 'the archive has something else'
tar -c --sort=name -C "$TEST" tree | "$NOVM" cp -a - box:/tmp/archive
expect_output "$(sha256sum <"$TEST/tree/sub/big")" "$NOVM" exec box -- sh -c 'sha256sum </tmp/archive/tree/sub/big'
expect_output "$(stat -c '%u' "$TEST/tree")" "$NOVM" exec box -- stat -c '%u' /tmp/archive/tree

# A hostile guest's links lead nowhere on the host.
mkdir "$TEST/outside" "$TEST/in"
ln -s "$TEST/outside" "$TEST/in/evil"
"$NOVM" exec box -- sh -c 'mkdir -p /tmp/h/evil && echo out >/tmp/h/evil/file'
expect_status 125 "$NOVM" cp box:/tmp/h/. "$TEST/in"
[[ -z $(ls "$TEST/outside") ]] || fail 'written outside'
expect_status 125 "$NOVM" cp box:/dev/null "$TEST/null"

# Commands by themselves; their statuses.
"$NOVM" exec -d box -- sh -c 'echo lost; sleep 300; exit 1'
"$NOVM" top box >"$TEST/top"
grep -q 'sleep 300$' "$TEST/top" || fail "no sleep: $(<"$TEST/top")"
grep -q 'kthreadd' "$TEST/top" && fail 'the kernel has threads there'
expect_status 127 "$NOVM" exec -d box -- /no/such
expect_status 127 "$NOVM" exec box -- /no/such
expect_status 126 "$NOVM" exec box -- /etc/passwd

"$NOVM" stats --no-stream box >"$TEST/stats"
grep -Eq '^box +running +[0-9]+ % +[0-9.]+M +[0-9.]+M of [0-9.]+[MG] +' "$TEST/stats" || fail "stats: $(<"$TEST/stats")"
# The command that runs there is a stream, and the guest knows its files.
grep -Eq ' [1-9][0-9]* +[1-9][0-9]*$' "$TEST/stats" || fail "stats: $(<"$TEST/stats")"
"$NOVM" rm --force box
