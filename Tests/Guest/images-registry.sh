# Images from a real registry, Debian's docker-registry on loopback: plain, with TLS, with users. What skopeo pushed there comes as it
# is; what is there already is not fetched again.
#: outside
#: timeout 300
command -v docker-registry >/dev/null || skip 'needs docker-registry'
[[ -x ${NOVM:=$PWD/.build/novm/bin/novm} ]] || skip 'nothing is built; run: make build'
# On a disk, where files can have attributes.
checkout=$PWD
work=$(mktemp -d /var/tmp/novm-registry.XXXXXX)
export NOVM_ROOT=$work/store HOME=$work/home
mkdir "$HOME"
servers=()
trap 'kill "${servers[@]}" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work" || exit

# serve PORT LINE...: a registry, with more lines of configuration.
serve() {
  local port=$1
  {
    printf 'version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n'
    printf 'storage: {filesystem: {rootdirectory: %s}, delete: {enabled: true}}\n' "$work/registry"
    printf '%s\n' "${@:2}"
  } >"registry-$port.yml"
  docker-registry serve "registry-$port.yml" >"registry-$port.log" 2>&1 &
  servers+=($!)
  for _ in {1..100}; do
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && return
    sleep 0.1
  done
  fail "no registry: $(<"registry-$port.log")"
}
port=$((20000 + RANDOM % 10000))
serve $port "http: {addr: '127.0.0.1:$port'}"
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost \
  -keyout key.pem -out cert.pem 2>/dev/null
htpasswd -Bbn me secret >users
tls=$((port + 1))
serve $tls "http: {addr: '127.0.0.1:$tls', tls: {certificate: $work/cert.pem, key: $work/key.pem}}" \
  "auth: {htpasswd: {realm: here, path: $work/users}}"

umoci init --layout layout
umoci new --image layout:app
umoci unpack --rootless --image layout:app one >/dev/null 2>&1
mkdir one/rootfs/bin
cp /bin/busybox one/rootfs/bin/
head -c 5000000 /dev/urandom >one/rootfs/noise
umoci repack --image layout:app one >/dev/null 2>&1
umoci unpack --rootless --image layout:app two >/dev/null 2>&1
rm two/rootfs/noise
echo above >two/rootfs/above
umoci repack --image layout:app two >/dev/null 2>&1
umoci config --image layout:app --config.cmd /bin/busybox
skopeo --insecure-policy copy --quiet --dest-tls-verify=false oci:layout:app "docker://127.0.0.1:$port/team/app:1"
skopeo --insecure-policy copy --quiet --dest-tls-verify=false --format v2s2 oci:layout:app "docker://127.0.0.1:$port/team/app:docker"

"$NOVM" pull "127.0.0.1:$port/team/app:1" >output 2>errors || fail "$(<errors)"
[[ $(<output) == "127.0.0.1:$port/team/app:1" && $(wc -l <errors) == 2 ]] || fail "$(cat output errors)"
id=$(skopeo inspect --tls-verify=false --raw "docker://127.0.0.1:$port/team/app:1" | sed 's/.*"config":[^}]*"digest":"\([^"]*\)".*/\1/')
[[ $("$NOVM" pull --quiet "127.0.0.1:$port/team/app:1") == "$id" ]] || fail 'another image'
# The same layers, described as Docker does.
"$NOVM" pull "127.0.0.1:$port/team/app:docker" 2>errors >output || fail "$(<errors)"
[[ $(grep -c 'is here' errors) == 2 ]] || fail "fetched again: $(<errors)"
# A digest in place of a tag.
digest=$(skopeo inspect --tls-verify=false --format '{{.Digest}}' "docker://127.0.0.1:$port/team/app:1")
"$NOVM" pull --quiet "127.0.0.1:$port/team/app@$digest" >/dev/null

# By the library, in a store of its own.
library=$(dirname "$NOVM")/../lib/libnovm.so.1
if [[ -f $library ]]; then
  NOVM_ROOT=$work/library NOVM_LIBRARY=$library PYTHONPATH=$checkout/Bindings/Python PYTHONDONTWRITEBYTECODE=1 \
    /usr/bin/python3 - "127.0.0.1:$port/team/app:1" "$id" <<'END' || fail 'the library'
import sys, novm
with novm.Store() as store:
    lines = []
    image = store.pull(sys.argv[1], progress=lines.append)
    assert (image.id, image.names, image.layers) == (sys.argv[2], (sys.argv[1],), 2), image
    assert store.images() == [image] and len(lines) >= 2, lines
    assert store.pull(sys.argv[1]) == image
    try: store.pull(sys.argv[1] + "0")
    except novm.MissingError as error: assert "no such image" in str(error), error
    else: raise AssertionError("an image that is not there")
    store.remove_image(sys.argv[1])
    assert store.images() == []
END
fi

# What is pushed others take. What came from this registry is there by its digests, in another repository too.
"$NOVM" push "127.0.0.1:$port/team/app:1" "127.0.0.1:$port/other/app:1" 2>errors >output || fail "$(<errors)"
[[ $(grep -c 'there, from team/app' errors) == 2 ]] || fail "$(cat output errors)"
digest=$(skopeo inspect --tls-verify=false --format '{{.Digest}}' "docker://127.0.0.1:$port/other/app:1")
[[ $(<output) == "127.0.0.1:$port/other/app:1@$digest" ]] || fail "$(<output), not $digest"
[[ $("$NOVM" pull --quiet "127.0.0.1:$port/other/app:1") == "$id" ]] || fail 'another image came back'
# An image of novm's own making: more than one piece, and layers that nobody has.
head -c 40000000 /dev/urandom >one/rootfs/noise
tar --create --file one.tar -C one/rootfs .
"$NOVM" import one.tar localhost/one:1 >/dev/null
"$NOVM" push localhost/one:1 "127.0.0.1:$port/new/one:1" 2>errors >/dev/null || fail "$(<errors)"
skopeo --insecure-policy copy --quiet --src-tls-verify=false "docker://127.0.0.1:$port/new/one:1" oci:pulled:one
umoci unpack --rootless --image pulled:one pulled-one >/dev/null 2>&1
cmp one/rootfs/noise pulled-one/rootfs/noise || fail 'another file'
"$NOVM" push --quiet localhost/one:1 "127.0.0.1:$port/new/one:1" >first
"$NOVM" push localhost/one:1 "127.0.0.1:$port/new/one:2" 2>errors >output || fail "$(<errors)"
[[ $(<errors) == *': there' && $(<output) == *"@$(<first)" ]] || fail "$(cat first output errors)"

# TLS: by the authority that certs.d names, which without it is not believed for another name than loopback's.
mkdir -p "$HOME/.config/containers/certs.d/localhost:$tls"
"$NOVM" pull "localhost:$tls/team/app:1" 2>errors && fail 'pulled without a user'
grep -q "novm login localhost:$tls" errors || fail "$(<errors)"
cp cert.pem "$HOME/.config/containers/certs.d/localhost:$tls/ca.crt"
printf wrong | "$NOVM" login --username me --password-stdin "localhost:$tls" 2>errors && fail 'a wrong password was kept'
grep -q 'not the right one' errors || fail "$(<errors)"
printf secret | "$NOVM" login --username me --password-stdin "localhost:$tls" >output
[[ $(<output) == "kept in $HOME/.config/containers/auth.json" && $(stat -c %a "$HOME/.config/containers/auth.json") == 600 ]] ||
  fail "$(<output)"
"$NOVM" pull --quiet "localhost:$tls/team/app:1" >/dev/null
"$NOVM" push --quiet localhost/one:1 "localhost:$tls/own/one:1" >/dev/null
# What is kept serves skopeo, too.
skopeo inspect --tls-verify=false --authfile "$HOME/.config/containers/auth.json" "docker://localhost:$tls/team/app:1" >/dev/null
"$NOVM" logout "localhost:$tls"
# Another's certificate.
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=other -keyout other.key -out other.pem 2>/dev/null
cp other.pem "$HOME/.config/containers/certs.d/localhost:$tls/ca.crt"
"$NOVM" pull "localhost:$tls/team/app:2" 2>errors && fail 'believed'
grep -q 'certs.d' errors || fail "$(<errors)"

# As the registry is taken away.
kill "${servers[0]}"
"$NOVM" prune --images --force >/dev/null
"$NOVM" pull "127.0.0.1:$port/team/app:1" 2>errors && fail 'pulled from nobody'
[[ $(wc -l <errors) == 1 ]] || fail "$(<errors)"
[[ -z $(ls "$NOVM_ROOT/packs/packs")$(ls "$NOVM_ROOT/packs/new") ]] || fail 'layers are left'
