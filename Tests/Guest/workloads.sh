# What people do all day, in a machine on what it writes and, where the host's own is needed, on a share: git, npm, pip, cargo, make, SQLite,
# sudo, rsync, apt-get; and as root buildah and podman in the machine, by overlayfs with its upper layer in the tree. What is not installed is left out.
#: as root tester
#: long
#: timeout 1800
# What the distribution has, and not what somebody has in his home directory.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
run() { "$NOVM" run --kernel "$KERNEL" --memory 2G --cpus 2 "$@"; }

mkdir "$TEST/writes" "$TEST/work"
chmod 755 "$TEST" "$TEST/writes" "$TEST/work"

cat >"$TEST/work/day.sh" <<'END'
set -e
export HOME=/srv/w/home GIT_CONFIG_GLOBAL=/srv/w/gitconfig
mkdir -p /srv/w/home
cd /srv/w
has() { command -v "$1" >/dev/null; }
git config --global user.name n
git config --global user.email n@example.org
git init -q project
cd project
seq 1000 >file
git add .
git commit -qm first
cd ..
git clone -q project copy
cd copy
echo more >>file
test "$(git status --short)" = ' M file'
git commit -qam second
git push -q origin HEAD:other
git -C ../project merge -q other
git -C ../project fsck --full 2>/dev/null
echo git
cd /srv/w
if has npm; then
  mkdir -p dependency site
  cd dependency
  echo '{"name":"dependency","version":"1.0.0","main":"index.js"}' >package.json
  echo 'module.exports = 42' >index.js
  npm pack --silent --offline >/dev/null
  cd ../site
  echo '{"name":"site","version":"1.0.0","dependencies":{"dependency":"file:../dependency/dependency-1.0.0.tgz"}}' >package.json
  npm install --silent --offline --no-audit --no-fund
  rm -r node_modules
  npm ci --silent --offline --no-audit --no-fund
  node -e 'process.exit(require("dependency") === 42 ? 0 : 1)'
  echo npm
  cd /srv/w
fi
if /usr/bin/python3 -m pip --version >/dev/null 2>&1; then
  /usr/bin/python3 - <<'PYTHON'
import zipfile
with zipfile.ZipFile('one-1.0-py3-none-any.whl', 'w') as wheel:
    wheel.writestr('one.py', 'value = 1\n')
    wheel.writestr('one-1.0.dist-info/METADATA', 'Metadata-Version: 2.1\nName: one\nVersion: 1.0\n')
    wheel.writestr('one-1.0.dist-info/WHEEL', 'Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n')
    wheel.writestr('one-1.0.dist-info/RECORD', '')
PYTHON
  /usr/bin/python3 -m pip install --quiet --no-index --no-warn-script-location --target site-packages ./one-1.0-py3-none-any.whl 2>/dev/null
  PYTHONPATH=site-packages /usr/bin/python3 -c 'import one; assert one.value == 1'
  echo pip
fi
if cargo --version >/dev/null 2>&1; then
  cargo new --quiet --vcs none hello
  cd hello
  cargo build --quiet --offline
  test "$(target/debug/hello)" = 'Hello, world!'
  echo cargo
  cd /srv/w
fi
mkdir -p many
cd many
for n in $(seq 40); do printf '#include <stdio.h>\nint f%d(void) { return %d; }\n' "$n" "$n" >"f$n.c"; done
printf 'all: $(patsubst %%.c,%%.o,$(wildcard *.c))\n\tld -r -o all $^\n' >Makefile
make -s -j4
test -s all
echo make
cd /srv/w
if has sqlite3; then
  sqlite3 db 'pragma journal_mode=wal; create table t(a); begin;' >/dev/null
  for n in $(seq 50); do echo "insert into t values($n);"; done | sqlite3 db
  test "$(sqlite3 db 'select sum(a) from t; pragma integrity_check;' | tr '\n' ' ')" = '1275 ok '
  echo sqlite
fi
if has sudo && test -r /etc/sudoers; then
  test "$(sudo -u nobody id -un)" = nobody
  echo sudo
fi
if has rsync; then
  rsync -a project/ mirror/
  diff -r project mirror
  echo rsync
fi
mkdir -p package/DEBIAN package/usr/share/novm-test repository
printf 'Package: novm-test\nVersion: 1\nArchitecture: all\nMaintainer: n <n@example.org>\nDescription: a test\n' >package/DEBIAN/control
echo installed >package/usr/share/novm-test/file
dpkg-deb --root-owner-group --build package repository/novm-test_1_all.deb >/dev/null
(cd repository && dpkg-scanpackages . >Packages 2>/dev/null)
echo 'deb [trusted=yes] file:/srv/w/repository ./' >/srv/w/sources.list
apt="apt-get -qq -o Dir::Etc::sourcelist=/srv/w/sources.list -o Dir::Etc::sourceparts=/dev/null -o APT::Sandbox::User=root"
$apt update
DEBIAN_FRONTEND=noninteractive $apt install -y novm-test >/dev/null
cat /usr/share/novm-test/file
END

# The words that it says, one for each that is installed.
expected=git
command -v npm >/dev/null && expected+=' npm'
/usr/bin/python3 -m pip --version >/dev/null 2>&1 && expected+=' pip'
cargo --version >/dev/null 2>&1 && expected+=' cargo'
expected+=' make'
command -v sqlite3 >/dev/null && expected+=' sqlite'
command -v sudo >/dev/null && test -r /etc/sudoers && expected+=' sudo'
command -v rsync >/dev/null && expected+=' rsync'
run --env PATH --write "/srv/w=>$TEST/writes" --read "/srv/day=>$TEST/work" -- bash /srv/day/day.sh >"$TEST/out" 2>"$TEST/errors" ||
  fail "the day ended: $(tail -n 5 "$TEST/out" "$TEST/errors")"
expect_output "$expected installed" sh -c "echo \$(cat '$TEST/out')"

# Containers in the machine.
if ((EUID == 0)) && command -v buildah >/dev/null && command -v podman >/dev/null; then
  cat >"$TEST/work/containers.sh" <<'END'
set -e
export TMPDIR=/srv/w/tmp
mkdir -p $TMPDIR /srv/w/file
storage="--root /srv/w/storage --runroot /run/storage --storage-driver overlay"
container=$(buildah $storage from scratch)
buildah $storage copy --quiet "$container" /bin/busybox /bin/busybox >/dev/null
buildah $storage copy --quiet "$container" /bin/busybox /bin/sh >/dev/null
buildah $storage config --cmd '/bin/sh -c "echo built"' "$container"
buildah $storage commit --quiet "$container" localhost/small >/dev/null
printf 'FROM localhost/small\nRUN ["/bin/sh", "-c", "echo layer >/layer"]\n' >/srv/w/file/Containerfile
buildah $storage build --quiet --isolation chroot --pull=never -t localhost/larger /srv/w/file >/dev/null
podman $storage info --format '{{.Store.GraphDriverName}}'
podman $storage run --rm --network none --cgroups disabled localhost/larger /bin/sh -c \
  'read -r word </layer; echo "$word"; echo x >/y; /bin/busybox rm /layer'
END
  run --write "/srv/w=>$TEST/writes" --read "/srv/day=>$TEST/work" -- bash /srv/day/containers.sh >"$TEST/out" 2>"$TEST/errors" ||
    fail "containers in the machine: $(tail -n 5 "$TEST/out" "$TEST/errors")"
  expect_output 'overlay layer' sh -c "echo \$(cat '$TEST/out')"
fi
