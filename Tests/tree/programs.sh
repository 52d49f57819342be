#!/bin/bash
# Programs that ask much of a file system, in DIRECTORY: programs.sh DIRECTORY [NAME...].
# Prints `ok` and a name for each; ends at the first that fails, or is not installed.
set -euo pipefail
directory=$1
shift
here=$(cd "$(dirname "$0")" && pwd)
cd "$directory"

has() { command -v "$1" >/dev/null; }
need() { has "$1" || { echo "$1 is not installed" && exit 1; }; }

# Two writers of one database, and its own check afterwards.
try_sqlite() {
  need sqlite3
  sqlite3 d.db 'pragma journal_mode=wal; create table t(a integer primary key, b blob);' >/dev/null
  for _ in 1 2; do
    for _ in {1..10}; do
      echo '.timeout 20000' "
        begin immediate; insert into t(b) select randomblob(2000) from generate_series(1, 50); commit;" | tr '\n' ' ' |
        sed 's/20000 /20000\n/' | sqlite3 d.db || exit 1
    done &
  done
  wait
  [[ $(sqlite3 d.db 'pragma integrity_check; select count(*) from t;') == $'ok\n1000' ]]
  sqlite3 d.db 'pragma journal_mode=delete; delete from t where a % 2; vacuum;' >/dev/null
  [[ $(sqlite3 d.db 'pragma integrity_check; select count(*) from t;') == $'ok\n500' ]]
}

try_git() {
  need git
  export HOME=$PWD GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
  git init -q repository
  cd repository
  local number
  for number in {1..120}; do
    mkdir -p "d$((number % 7))"
    echo "$number" >"d$((number % 7))/f$number"
  done
  git add . && git commit -qm one
  sed -i s/1/2/ d*/f*1 && git commit -qam two
  git mv d1 moved && git commit -qm three
  git gc -q
  git fsck --strict
  git clone -q . ../copy
  cd ../copy
  [[ -z $(git status --porcelain) ]]
  git checkout -q HEAD~2
  [[ $(find . -path ./.git -prune -o -type f -print | wc -l) == 120 ]]
}

# Random blocks, written in several ways and read back.
try_fio() {
  need fio
  local engine
  for engine in psync mmap libaio; do
    fio --name="$engine" --rw=randwrite --bsrange=4k-64k --size=16m --filename="$engine" --ioengine="$engine" \
      --verify=crc32c --do_verify=1 --verify_fatal=1 --fsync=64 \
      "$([[ $engine == libaio ]] && echo --direct=1 || echo --direct=0)" >fio.log || { cat fio.log && return 1; }
  done
}

try_tar() {
  mkdir from && cp -a "$here/../../Sources" from/
  (cd from && find . -type f -exec sha256sum {} + | sort) >sums
  tar cf archive -C from .
  mkdir to && tar xf archive -C to
  (cd to && sha256sum --quiet -c ../sums)
  cp -al to linked && rm -rf to
  (cd linked && sha256sum --quiet -c ../sums)
  rm -rf linked from
  [[ ! -e linked ]]
}

try_compiler() {
  need gcc
  local number
  for number in {1..8}; do
    printf '#include <stdio.h>\n#include <stdlib.h>\nint f%d(int x) { return printf("") + x + %d; }\n' "$number" "$number"
  done | awk '/stdio/ { n++ } { print >("m" n ".c") }'
  { for number in {1..8}; do echo "int f$number(int);"; done
    echo 'int main(void) { int s = 0;'
    for number in {1..8}; do echo "s += f$number(0);"; done
    echo 'return s; }'; } >main.c
  { printf 'all: p\np:'; printf ' m%d.o' {1..8}; printf ' main.o\n\tgcc -o $@ $^\n'; } >Makefile
  if has make; then make -s -j2; else for number in m{1..8} main; do gcc -c "$number.c"; done && gcc -o p ./*.o; fi
  local status=0
  ./p || status=$?
  [[ $status == 36 ]]
  ! has make || [[ $(make -q && echo current) == current ]]
}

# A database server that is killed in the middle of its work, and comes up again with all that it promised.
try_postgres() {
  local bin as=()
  # The newest version; Debian does not have them on PATH.
  bin=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
  [[ -x $bin/initdb ]] || { echo 'PostgreSQL is not installed' && exit 1; }
  if [[ $(id -u) == 0 ]]; then
    as=(setpriv --reuid=postgres --regid=postgres --clear-groups)
  fi
  mkdir p && { [[ $(id -u) != 0 ]] || chown postgres p; }
  cd p
  local start=("${as[@]}" "$bin/pg_ctl" -D data -w -s -o "-k $PWD -h '' -c max_wal_size=64MB" -l "$PWD/log" start)
  local sql=("${as[@]}" "$bin/psql" -h "$PWD" -d postgres -qAt -v ON_ERROR_STOP=1)
  "${as[@]}" "$bin/initdb" -D data -A trust >/dev/null
  "${start[@]}"
  "${sql[@]}" -c 'create table t(a serial primary key, b text)'
  local number committed=0
  for number in {1..20}; do
    "${sql[@]}" -c "insert into t(b) select repeat(md5(i::text), 20) from generate_series(1, 100) i"
    committed=$((committed + 100))
  done
  kill -9 "$(head -n 1 data/postmaster.pid)"
  # Its children see that it has gone. Its number may stay taken, where nobody waits for it.
  sleep 2
  rm data/postmaster.pid
  "${start[@]}"
  [[ $("${sql[@]}" -c 'select count(*) from t') == "$committed" ]]
  "${sql[@]}" -c 'vacuum full t' -c 'reindex table t'
  "${as[@]}" "$bin/pg_ctl" -D data -w -s stop
  "${as[@]}" "$bin/pg_checksums" -D data --enable >/dev/null
  "${as[@]}" "$bin/pg_checksums" -D data --check >/dev/null
}

# Each of stress-ng's stressors of files, by two processes and with what they check. One that is told to end by the time takes
# thousands of names away first (link, symlink), which takes STRESS_LIMIT seconds and more on a slow machine.
try_stress() {
  need stress-ng
  local name status failed=()
  for name in access aio aiol chattr chdir chmod chown copy-file dentry dir dirdeep dirmany dup fallocate fcntl fiemap \
    file-ioctl filename flock fpunch fsize fstat getdent handle hdd inode-flags inotify io iomix lease link locka lockf \
    lockofd mknod mmap msync open readahead rename revio seek sendfile splice symlink sync-file touch utime verity xattr; do
    status=0
    timeout "${STRESS_LIMIT:-120}" stress-ng --"$name" 2 -t "${STRESS_TIME:-1s}" --temp-path "$PWD" --verify \
      >"$name.log" 2>&1 || status=$?
    case $status in
      0) ;;
      124) failed+=("$name (too slow)") ;;
      *)
        grep -E 'fail|error' "$name.log" | head -n 3 || true
        failed+=("$name")
        ;;
    esac
    rm "$name.log"
  done
  ((!${#failed[@]})) || { echo "failed: ${failed[*]}" && return 1; }
  [[ -z $(ls -A) ]]
}

(($#)) || set -- sqlite git fio tar compiler postgres stress
for name; do
  mkdir "$directory/$name"
  chmod 755 "$directory/$name"
  # Not in a condition, where a failure would go unnoticed.
  set +e
  (set -euo pipefail && cd "$directory/$name" && "try_$name")
  status=$?
  set -e
  ((!status)) || { echo "not ok $name" && exit 1; }
  echo "ok $name"
done
