# Container images, as others' tools make them (umoci, skopeo): loaded in each form, and machines of them that run what their
# configuration says.
#: as root
#: also tester
#: timeout 400
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
expect_output 'untagged: layout:1' "$NOVM" rmi layout:1
"$NOVM" stop box >/dev/null && "$NOVM" start box && "$NOVM" rm --force box >/dev/null
expect_output $'untagged: example.org/team/app:1\nremoved: '"$("$NOVM" image inspect "$id" | sed -n 's/.*"id" : "\(.*\)",/\1/p')" \
  "$NOVM" rmi "$id"
expect_output '' bash -c '"$NOVM" images --quiet; ls "$NOVM_ROOT/packs/packs"'
