# --read and --write: what the guest sees of the host, and where its writes go.
#: as tester/pci
#: also root
#: timeout 400
run() { "$NOVM" run --kernel "$KERNEL" --transport "$TRANSPORT" "$@"; }

mkdir -p "$TEST/one/sub" "$TEST/two" "$TEST/out" "$TEST/over it" "$TEST/root changes" "$TEST/tree/bin"
echo first >"$TEST/one/file"
echo second >"$TEST/two/file"
echo deep >"$TEST/one/sub/deep"
odd=$TEST/$'odd \xff=>name'
mkdir "$odd"
echo odd >"$odd/file"

# Layers merge, later ones win, a mount point need not exist, and names are bytes. Writes without --write change nothing.
expect_output $'second\ndeep\nodd\nchanged' run --read "/data/here=>$TEST/one" --read "/data/here=>$TEST/two" \
  --read $'/odd \xfe=>'"$odd" -- sh -c 'cat /data/here/file /data/here/sub/deep "$0"/file
    echo changed >/data/here/file; cat /data/here/file; rm -r /data/here/sub; echo x >/tmp/x; mkdir -p /var/tmp/y' \
  $'/odd \xfe'
expect_output first cat "$TEST/one/file"
expect_output second cat "$TEST/two/file"
expect_output deep cat "$TEST/one/sub/deep"
[[ ! -e /var/tmp/y ]] || fail 'the machine wrote to the host'

# Writes with --write are there, the next time too. Host paths may be relative.
run --read "/data=>$TEST/one" --write "/data=>$TEST/out" --write "$TEST/root changes" -- \
  sh -c 'echo changed >/data/file; echo new >/data/new; echo here >/srv/kept'
expect_output changed cat "$TEST/out/file"
expect_output new cat "$TEST/out/new"
expect_output first cat "$TEST/one/file"
expect_output here cat "$TEST/root changes/srv/kept"
[[ ! -e /srv/kept ]] || fail 'the machine wrote to the host'
cd "$TEST"
expect_output $'here\nfirst' run --write 'root changes' --read '/data=>one' -- cat /srv/kept /data/file

# What one machine writes to, no other does at the same time.
mkfifo hold
run --write out -- sh -c 'echo up; read -r _' <hold >first &
first=$!
exec 9>hold
up() { grep -q up first; }
eventually 60 up
status=0
run --write out -- true 2>errors || status=$?
[[ $status == 125 && $(<errors) == *'out: another machine writes to it'* ]] || fail "two at once: $status, $(<errors)"
echo >&9
exec 9>&-
wait "$first" || fail "the first of two ended with $?"

# Writes to an overlayfs, as a container's directories are: removed names stay removed, and a directory that is made anew has
# nothing of the one below.
if ((EUID == 0)); then
  mkdir -p below above work over
  mount -t overlay overlay -o lowerdir=below,upperdir=above,workdir=work over
  mkdir over/out
  run --read '/data=>one' --write '/data=>over/out' -- sh -c 'rm /data/file; rm -r /data/sub; mkdir /data/sub'
  expect_output $'sub\n0' run --read '/data=>one' --write '/data=>over/out' -- sh -c 'ls -A /data; ls -A /data/sub | wc -l'
  umount over
fi

# What root's guest makes where the host's users come is its own alone: set-id bits, capabilities and devices.
if ((EUID == 0)); then
  mkdir -m 755 "$TEST/public" "$TEST/public/write" "$TEST/public/share"
  chmod 755 "$TEST"
  make='cp /usr/bin/id w/tool; chmod 4755 w/tool; mknod -m 644 w/zero c 1 5; stat -c "%a %F" w/tool w/zero
    head -c 1 w/zero | wc -c; setpriv --reuid=65534 --clear-groups w/tool -u'
  for map in "--write=/srv/w=>$TEST/public/write" "--share=/srv/w=>$TEST/public/share"; do
    expect_output $'4755 regular file\n644 character special file\n1\n0' run --cwd /srv "$map" -- sh -c "$make"
    where=${map#*=>}
    [[ $(stat -c '%a %F' "$where/tool" "$where/zero") == $'1755 regular file\n1644 regular empty file' ]] ||
      fail "on the host: $(stat -c '%n %a %F' "$where"/*)"
  done
  run --cwd /srv --share "/srv/w=>$TEST/public/share:suid,dev" -- sh -c 'chmod 4755 w/tool; rm w/zero; mknod w/zero c 1 5'
  [[ -u $TEST/public/share/tool && -c $TEST/public/share/zero ]] || fail 'what :suid,dev says is not so'
fi

# The caller's files are the guest's root's, whatever shows them: git takes the caller's repository for its own. And a user of the guest
# can remove and rename its own symlink where only the owner may.
if ((EUID != 0)); then
  git init --quiet repository
  echo text >repository/file
  for map in '' "--read=$PWD/repository=>$PWD/repository" "--write=$PWD/repository=>$TEST/repository" \
    "--share=$PWD/repository=>$PWD/repository"; do
    expect_output $'?? file\n0 0' run ${map:+"$map"} --cwd "$PWD/repository" -- sh -c 'git status --short; stat -c "%u %g" file'
  done
  expect_output $'65534\nnone' run -- setpriv --reuid=65534 --clear-groups sh -c 'cd /var/tmp && ln -s /x link.$$ &&
    stat -c %u link.$$ && mv link.$$ other.$$ && ln -sfn /y other.$$ && rm other.$$ && ls *.$$ 2>/dev/null || echo none'
fi

# An overlayfs in the guest, with its upper layer in the tree: what it removes and replaces is so for it, and not for us.
overlay='mount -t overlay none -o lowerdir=lower,upperdir=upper,workdir=work over'
expect_output $'kept made\nnew\nkept made\nnew\nlower upper' run --write "/srv=>$TEST/over it" --cwd /srv -- sh -c "
  mkdir lower lower/made upper work over; touch lower/gone lower/kept lower/made/below
  $overlay && rm over/gone && rm -r over/made && mkdir over/made && touch over/made/new
  echo \$(ls over) && ls over/made && umount over && $overlay && echo \$(ls over) && ls over/made && umount over
  rmdir over && rm -r work && echo \$(ls)"

# A tree of its own, with one static program.
cp /bin/busybox tree/bin/
expect_output bin run --read tree -- /bin/busybox sh -c '/bin/busybox ls / | /bin/busybox grep -v -e dev -e proc -e sys -e tmp -e run -e lib'
[[ $(ls -A tree) == bin ]] || fail "the machine wrote to its tree: $(ls -A tree)"
[[ -z $(ls "$NOVM_ROOT/machines") ]] || fail "left behind: $(ls "$NOVM_ROOT/machines")"
