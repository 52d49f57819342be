# --read and --write: what the guest sees of the host, and where its writes go.
#: as root tester
#: timeout 1800
run() { "$NOVM" run --kernel cloud "$@"; }

mkdir -p "$TEST/one/sub" "$TEST/two" "$TEST/out" "$TEST/root changes" "$TEST/tree/bin"
echo first >"$TEST/one/file"
echo second >"$TEST/two/file"
echo deep >"$TEST/one/sub/deep"
odd=$TEST/$'odd \xff=>name'
mkdir "$odd"
echo odd >"$odd/file"

# Layers merge, later ones win; a mount point need not exist.
expect_output $'second\ndeep' run --read "/data/here=>$TEST/one" --read "/data/here=>$TEST/two" -- \
  sh -c 'cat /data/here/file /data/here/sub/deep'
expect_output odd run --read "/odd=>$odd" -- cat /odd/file

# Writes without --write are gone, and change nothing.
run --read "/data=>$TEST/one" -- sh -c 'echo changed >/data/file; rm -r /data/sub; echo x >/tmp/x; mkdir -p /var/tmp/y'
expect_output first cat "$TEST/one/file"
expect_output deep cat "$TEST/one/sub/deep"
[[ ! -e /var/tmp/y ]] || fail 'the machine wrote to the host'

# Writes with --write are there.
run --read "/data=>$TEST/one" --write "/data=>$TEST/out" -- sh -c 'echo changed >/data/file; echo new >/data/new'
expect_output changed cat "$TEST/out/file"
expect_output new cat "$TEST/out/new"
expect_output first cat "$TEST/one/file"
run --write "$TEST/root changes" -- sh -c 'echo here >/srv/kept'
expect_output here cat "$TEST/root changes/srv/kept"
expect_output here run --write "$TEST/root changes" -- cat /srv/kept
[[ ! -e /srv/kept ]] || fail 'the machine wrote to the host'

# A tree of its own, with one static program.
cp /bin/busybox "$TEST/tree/bin/"
expect_output bin run --read "$TEST/tree" -- /bin/busybox sh -c '/bin/busybox ls / | /bin/busybox grep -v -e dev -e proc -e sys -e tmp -e run -e lib'
[[ $(ls -A "$TEST/tree") == bin ]] || fail "the machine wrote to its tree: $(ls -A "$TEST/tree")"

# Paths relative to here.
cd "$TEST"
expect_output first run --read '/data=>one' -- cat /data/file
[[ -z $(ls "$NOVM_ROOT/machines") ]] || fail "left behind: $(ls "$NOVM_ROOT/machines")"
