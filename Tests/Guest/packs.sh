# Packs as layers of machines: what the guest sees of them, and what it cannot do to them.
#: as root
#: also tester
#: timeout 400
run() { "$NOVM" run --kernel cloud "$@"; }
pack() { "$NOVM" pack "$@"; }

mkdir -p "$TEST/source/bin" "$TEST/source/secret" "$TEST/out"
cd "$TEST"
echo 'echo from the pack' >source/bin/hello
chmod 755 source/bin/hello
cp -p source/bin/hello source/bin/again
chmod 600 source/secret
odd=$'odd \xff name'
echo odd >"source/$odd"
ln -s bin/hello source/link
mkfifo source/pipe
pack create tools source >/dev/null

# What an archive says of owners, set-id bits and devices holds in the guest, whoever imported it.
python3 - <<'END'
import io, tarfile
with tarfile.open('system.tar', 'w') as tar:
    def add(name, data=b'', **fields):
        info = tarfile.TarInfo(name)
        info.size = len(data)
        for field, value in fields.items(): setattr(info, field, value)
        tar.addfile(info, io.BytesIO(data))
    add('su', b'x', uid=0, gid=7, mode=0o4755)
    add('mail', b'x', uid=1234, gid=8, mode=0o640)
    add('null', type=tarfile.CHRTYPE, devmajor=1, devminor=3, mode=0o666)
    add('passwd', b'root:x:0:0:root:/:/bin/sh\n', mode=0o644)
END
digest=$(sha256sum system.tar | cut -d ' ' -f 1)
pack import --digest "sha256:$digest" system.tar >/dev/null

expect_output $'from the pack\nodd\n1 1\n0:7 4755 1234:8 640 0:0 666 1:3\nwritten' \
  run --pack 'tools=>/opt/tools' --pack 'system=>/opt/system' -- sh -c 'cd /opt/tools && sh bin/hello && cat "$0"
    stat -c %h bin/hello bin/again | tr "\n" " " | sed "s/ $/\n/"
    [ $(stat -c %i bin/hello) != $(stat -c %i bin/again) ] || echo one inode
    cd ../system && echo $(stat -c "%u:%g %a" su mail null) $(stat -c %t:%T null)
    echo written >null && echo written' "$odd"

# A change of one file is no change of what shares its place on the disk; and the pack stays as it was.
expect_output $'changed\necho from the pack' run --pack 'tools=>/opt' --write "/=>$TEST/out" -- \
  sh -c 'echo changed >/opt/bin/hello; cat /opt/bin/hello /opt/bin/again; rm /opt/pipe'
expect_output $'system: as made\ntools: as made' pack verify

# What the machine wrote is a pack in its turn, over the first one.
pack create changes out/opt >/dev/null
expect_output $'changed\necho from the pack\ngone' run --pack 'tools=>/opt' --pack 'changes=>/opt' -- \
  sh -c 'cat /opt/bin/hello /opt/bin/again; [ -e /opt/pipe ] || echo gone'
pack export --layer changes layer.tar.gz >/dev/null
tar tzf layer.tar.gz | grep -x .wh.pipe >/dev/null || fail "$(tar tzf layer.tar.gz)"

# A pack for / stands in for the host's.
mkdir root
cp /bin/busybox root/
pack create root root >/dev/null
expect_output yes run --pack root -- /busybox sh -c '[ ! -e /usr ] && /busybox echo yes'

# One in use stays.
"$NOVM" run --kernel cloud --pack 'tools=>/opt' -- sh -c 'echo ready; sleep 100' >output </dev/null &
machine=$!
eventually 100 grep -q ready output
expect_status 125 pack rm tools 2>errors || cat errors
grep -q 'in use' errors || fail "$(<errors)"
kill -KILL "$machine"
removed() { pack rm tools 2>errors; }
eventually 20 removed
expect_status 125 run --pack tools -- true 2>errors || cat errors
grep -q 'no pack tools' errors || fail "$(<errors)"
