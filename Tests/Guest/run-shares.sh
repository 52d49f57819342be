# --share, --volume and --hide: what goes through at once, what is kept, what is not shown.
#: as root
#: also tester/pci
#: timeout 600
run() { "$NOVM" run --kernel "$KERNEL" --transport "$TRANSPORT" "$@"; }

mkdir -p "$TEST/share/sub" "$TEST/read"
echo host >"$TEST/share/file"
echo secret >"$TEST/read/secret"
echo open >"$TEST/read/open"

# Changes of the guest's are the host's.
run --share "/s=>$TEST/share" -- sh -c 'cat /s/file; echo guest >/s/file; mkdir /s/new; rmdir /s/sub' >"$TEST/out"
[[ $(cat "$TEST/out") == host ]] || fail "the guest read $(cat "$TEST/out")"
expect_output guest cat "$TEST/share/file"
[[ -d $TEST/share/new && ! -e $TEST/share/sub ]] || fail 'directories did not go through'

# Changes of the host's are the guest's, while it runs.
mkfifo "$TEST/in"
run --share "/s=>$TEST/share:cache=none" -- sh -c '
  cat /s/file; read x; cat /s/file /s/later; read x; test ! -e /s/later && echo gone' <"$TEST/in" >"$TEST/out" &
machine=$!
exec 9>"$TEST/in"
until grep -q guest "$TEST/out"; do sleep 0.2; kill -0 "$machine" || fail 'the machine ended'; done
echo changed by the host >"$TEST/share/file"
echo later >"$TEST/share/later"
echo >&9
until grep -q later "$TEST/out"; do sleep 0.2; kill -0 "$machine" || fail 'the machine ended'; done
rm "$TEST/share/later"
echo >&9
exec 9>&-
wait "$machine" || fail 'the machine failed'
[[ $(cat "$TEST/out") == $'guest\nchanged by the host\nlater\ngone' ]] || fail "the guest saw $(cat "$TEST/out")"

# Such a share is a file system of its own; one that the guest has to itself, or that another lies in, is part of the tree.
mkdir "$TEST/share/inner" "$TEST/own"
run --share "/s=>$TEST/share" --share "/t/u/v=>$TEST/share" --share "/own=>$TEST/own:cache=always" -- sh -c '
  test "$(stat -c %d /)" != "$(stat -c %d /s)" && test "$(stat -c %d /)" = "$(stat -c %d /own)" &&
  test "$(stat -c %d /s)" != "$(stat -c %d /t/u/v)" && test "$(cat /t/u/v/file)" = "$(cat /s/file)" &&
  echo both >/t/u/v/both && sleep 1.5 && cat /s/both' >"$TEST/out" || fail "shares as devices: $(cat "$TEST/out")"
expect_output both cat "$TEST/out"
expect_output 'own' run --share "/s=>$TEST/share" --share "/s/inner=>$TEST/own" -- sh -c 'echo own >/s/inner/f; cat /s/inner/f'
expect_output own cat "$TEST/own/f"
rm -r "$TEST/share/both" "$TEST/share/inner"

# For reading only.
expect_output 'changed by the host' run --share "/s=>$TEST/share:ro" -- sh -c 'cat /s/file; ! echo x 2>/dev/null >/s/file'
expect_output 'changed by the host' cat "$TEST/share/file"
run --share "/s=>$TEST/share:ro,cache=always" -- sh -c '
  ! (: >>/s/file) && ! touch /s/x && ! mkdir /s/x && grep -q " /s virtiofs ro" /proc/mounts' 2>/dev/null ||
  fail 'a share for reading can be opened for writing'

# Single files: with --confine off the host's editor puts another file in the place of one, and the guest has it; what the guest writes
# the host has; a place need not be there, and nothing is made for it.
mkdir "$TEST/conf" "$TEST/wrote"
echo 'nameserver 192.0.2.1' >"$TEST/conf/resolv"
echo '192.0.2.7 novm far' >"$TEST/conf/hosts"
echo first >"$TEST/conf/app"
ln -s app "$TEST/conf/link"
(cd "$TEST/conf" && run --confine off --write "$TEST/wrote" --share '/etc/resolv.conf=>resolv' -v ./hosts:/etc/hosts:ro --read '/etc/app.read=>./app' \
  -v "$TEST/conf/link:/etc/new.d/app" -v "$TEST/conf/app:/run/secrets/app:ro" -- sh -c '
  cat /etc/resolv.conf /etc/app.read; grep -c far /etc/hosts; cat /run/secrets/app
  ! (: >>/etc/hosts) 2>/dev/null && ! (: >>/run/secrets/app) 2>/dev/null && ! rm /etc/resolv.conf 2>/dev/null && echo fixed
  read x; cat /etc/new.d/app /run/secrets/app; echo guest >/etc/new.d/app; echo read >/etc/app.read' <"$TEST/in" >"$TEST/out") &
machine=$!
exec 9>"$TEST/in"
until grep -q fixed "$TEST/out"; do sleep 0.2; kill -0 "$machine" || fail "the machine ended: $(cat "$TEST/out")"; done
echo second >"$TEST/conf/.app.swp"
mv "$TEST/conf/.app.swp" "$TEST/conf/app"
sleep 1.2
echo >&9
exec 9>&-
wait "$machine" || fail 'the machine failed'
expect_output $'nameserver 192.0.2.1\nfirst\n1\nfirst\nfixed\nsecond\nsecond' cat "$TEST/out"
expect_output guest cat "$TEST/conf/app"
expect_output './etc/app.read' sh -c "cd '$TEST/wrote' && find . -type f ! -name '.novm*' | sort"
# Otherwise it is the file that was there, and written through.
run --share "/etc/app=>$TEST/conf/app" -- sh -c 'cat /etc/app; echo again >/etc/app; read x; cat /etc/app' <"$TEST/in" >"$TEST/out" &
machine=$!
exec 9>"$TEST/in"
until grep -q again "$TEST/conf/app"; do sleep 0.2; kill -0 "$machine" || fail "the machine ended: $(cat "$TEST/out")"; done
echo third >"$TEST/conf/.app.swp"
mv "$TEST/conf/.app.swp" "$TEST/conf/app"
sleep 1.2
echo >&9
exec 9>&-
wait "$machine" || fail 'the machine failed'
expect_output $'guest\nagain' cat "$TEST/out"
expect_output third run --net none --share "/s=>$TEST/share" --share "/s/file=>$TEST/conf/app" -- cat /s/file
expect_output 'changed by the host' cat "$TEST/share/file"

# A volume is there again, and for one at a time.
run --volume 'v=>/srv/v' -- sh -c 'echo kept >/srv/v/file'
expect_output kept run --volume 'v=>/srv/v' -- cat /srv/v/file
[[ -e $NOVM_ROOT/volumes/v/tree/file ]] || fail 'the volume is not where it should be'

# Hidden paths.
expect_output open run --read "/data=>$TEST/read" --hide /data/secret -- sh -c 'ls /data; test ! -e /data/secret'
