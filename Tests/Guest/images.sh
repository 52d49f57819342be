# Container images, as others' tools make them (umoci, skopeo): loaded in each form, and machines of them that run what their
# configuration says.
#: as root
#: also tester
#: timeout 700
cd "$TEST"

# Two layers: a busybox with a user, then a file more and one less.
umoci init --layout layout
umoci new --image layout:app
bundle() { umoci unpack --rootless --image layout:app "$1" >/dev/null 2>&1 && cd "$1/rootfs"; }
(
  bundle one
  mkdir bin etc srv tmp
  cp /bin/busybox bin/
  for name in sh cat ls id env pwd; do ln -s busybox "bin/$name"; done
  printf 'root:x:0:0::/:/bin/sh\napp:x:1234:1234::/srv:/bin/sh\n' >etc/passwd
  printf 'root:x:0:\napp:x:1234:\n' >etc/group
  echo gone >srv/gone
)
umoci repack --image layout:app one >/dev/null 2>&1
(bundle two && rm srv/gone && echo kept >srv/kept)
umoci repack --image layout:app two >/dev/null 2>&1
umoci config --image layout:app --config.entrypoint /bin/sh --config.entrypoint -c \
  --config.cmd 'echo "$GREETING from $(pwd): $(ls)"; id -un' --config.env PATH=/bin --config.env GREETING=hello \
  --config.user app --config.workingdir /srv
skopeo --insecure-policy copy --quiet oci:layout:app docker-archive:saved.tar:example.org/team/app:1

expect_output example.org/team/app:1 bash -c '"$NOVM" load <saved.tar'
id=$("$NOVM" images --quiet)
# The same image by another way: nothing is stored twice.
expect_output layout:1 "$NOVM" load --input layout --name layout:1
tar --create --file - -C layout . | gzip >layout.tar.gz
expect_output layout:1 "$NOVM" load --input layout.tar.gz --name layout:1
expect_output "$id" "$NOVM" images --quiet
expect_output '' "$NOVM" pack ls --quiet

run() { "$NOVM" run --kernel "$KERNEL" --transport "$TRANSPORT" "$@"; }
# All that it says, then what is said in its place.
expect_output $'hello from /srv: kept\napp' run --image example.org/team/app:1
expect_output $'bye from /: bin\nroot' run --image "$id" --env GREETING=bye --user root --cwd / -- \
  'echo "$GREETING from $(pwd): $(ls -d bin)"; id -un'

expect_refusal '127.0.0.1:1' run --image 127.0.0.1:1/nosuch
expect_refusal "no image's name" run --image Nosuch:
"$NOVM" create --kernel "$KERNEL" --name box --image layout:1 -- 'echo started; exec /bin/busybox sleep 1000' >/dev/null
expect_output app "$NOVM" exec --user app box -- id -un
status=0
"$NOVM" rmi --force "$id" 2>errors || status=$?
grep -q 'in use by the machine box' errors || status=0
((status == 125)) || fail "status $status: $(<errors)"
# What novm writes it takes again, and others do, too.
"$NOVM" save example.org/team/app:1 >again.tar
skopeo --insecure-policy copy --quiet oci-archive:again.tar:1 oci:again:app
skopeo --insecure-policy copy --quiet docker-archive:again.tar:example.org/team/app:1 oci:again:docker
"$NOVM" load --quiet --input again.tar --name again:1 >first
expect_output $'hello from /srv: kept\napp' run --image again:1
"$NOVM" save --compress zstd --output again2/ again:1
umoci stat --image again2:1 >/dev/null
expect_output "$(<first)" "$NOVM" load --quiet --input again2

# What a machine wrote becomes an image.
"$NOVM" exec box -- sh -c 'echo more >/srv/more; rm /srv/kept; ln /srv/more /srv/link'
"$NOVM" stop box >/dev/null
"$NOVM" commit --image --message 'with more' box two:1 >/dev/null
"$NOVM" history two:1 | grep 'novm commit' >/dev/null || fail "$("$NOVM" history two:1)"
expect_output $'hello from /srv: link\nmore\napp' run --image two:1
"$NOVM" save --output two.tar two:1
skopeo --insecure-policy copy --quiet docker-archive:two.tar:two:1 oci:two:1
umoci unpack --rootless --image two:1 two-unpacked >/dev/null 2>&1
[[ $(<two-unpacked/rootfs/srv/link) == more && ! -e two-unpacked/rootfs/srv/kept ]] || fail 'umoci sees something else'

# The rest of what an image says: a volume, ports, how it ends, labels; and how it fares.
umoci config --image layout:app --tag full --config.volume /srv --config.exposedports 8080/tcp --config.exposedports 53/udp \
  --config.stopsignal SIGUSR1 --config.label team=web --config.label kind=a \
  --config.cmd 'trap "echo stopped; exit 7" USR1; while true; do /bin/busybox sleep 0.2; done'
skopeo --insecure-policy copy --quiet oci:layout:full docker-archive:full.tar:full:1
expect_output full:1 "$NOVM" load --input full.tar
"$NOVM" create --kernel "$KERNEL" --transport "$TRANSPORT" --name web --image full:1 --publish-all --label kind=b \
  --health-cmd '[ -e /srv/kept ]' --health-interval 1s --health-retries 1 >/dev/null 2>&1
show() { "$NOVM" ls --all --filter label=team=web --filter label=kind=b --format "$1"; }
[[ $(show '{{.Name}} {{.Ports}}') =~ ^web\ [0-9]+:53/udp,\ [0-9]+:8080$ ]] || fail "$(show '{{.Name}} {{.Ports}}')"
await() {
  for _ in {1..150}; do [[ $(show '{{.Status}}') == "$1" ]] && return; sleep 0.2; done
  fail "$(show '{{.Status}}'), not $1: $("$NOVM" inspect web)"
}
await 'running (healthy)'
"$NOVM" exec web -- sh -c 'rm /srv/kept; echo own >/srv/own'
await 'running (unhealthy)'
"$NOVM" stop web >/dev/null
await 'exited (7)'
expect_output stopped "$NOVM" logs web
changes=$("$NOVM" diff web) || fail "status $? of: novm diff web"
[[ $changes != */srv* ]] || fail "$changes"
# The volume is the machine's, until that goes.
"$NOVM" start web 2>/dev/null
expect_output own "$NOVM" exec web -- ls /srv
"$NOVM" rm --force web >/dev/null
expect_output $'7\nkept' run --rm --image full:1 --env A=7 --volume /srv -- 'echo $A; ls /srv'

# As many layers as Docker's images have.
python3 - <<'END'
import hashlib, io, json, tarfile
def tar(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode='w') as archive:
        for name, data in files:
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), 0o755
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()
layers = [tar([(f'd/{i}', b'%d\n' % i), ('d/same', b'%d\n' % i)] + ([('d/.wh.5', b'')] if i == 100 else [])
              + ([('bin/busybox', open('/bin/busybox', 'rb').read())] if i == 0 else [])) for i in range(127)]
diffs = ['sha256:' + hashlib.sha256(data).hexdigest() for data in layers]
config = json.dumps({'architecture': 'amd64', 'os': 'linux', 'rootfs': {'type': 'layers', 'diff_ids': diffs}}).encode()
with open('many.tar', 'wb') as file:
    names = [f'{i}.tar' for i in range(127)]
    saved = json.dumps([{'Config': 'config', 'RepoTags': ['many:1'], 'Layers': names}]).encode()
    file.write(tar([('manifest.json', saved), ('config', config)] + list(zip(names, layers))))
END
expect_output many:1 "$NOVM" load --input many.tar
expect_output $'127\n126\n0' run --image many:1 -- /bin/busybox sh -c \
  'cd /bin; ./busybox ls /d | ./busybox wc -l; ./busybox cat /d/same /d/0'
"$NOVM" rmi --force many:1 full:1 two:1 again:1 >/dev/null

expect_output 'untagged: layout:1' "$NOVM" rmi layout:1
"$NOVM" start box && "$NOVM" rm --force box >/dev/null
expect_output $'untagged: example.org/team/app:1\nremoved: '"$("$NOVM" image inspect "$id" | sed -n 's/.*"id" : "\(.*\)",/\1/p')" \
  "$NOVM" rmi "$id"
expect_output '' bash -c '"$NOVM" images --quiet; ls "$NOVM_ROOT/packs/packs"'
