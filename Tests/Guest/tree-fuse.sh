# The tree on this machine's own kernel, by /dev/fuse: behaviours and programs, for each way to serve it.
#: outside
#: timeout 900
#: long
[[ $(id -u) == 0 && -e /dev/fuse ]] || skip 'needs root and /dev/fuse'
swift build --configuration release --static-swift-stdlib --product treemount --quiet
treemount=$(swift build --configuration release --static-swift-stdlib --show-bin-path)/treemount

mounted() {
  rm -rf "$TEST/upper" "$TEST/shared" && mkdir -p "$TEST/lower/s" "$TEST/upper" "$TEST/shared" "$TEST/mount"
  # Few descriptors, so that what is open has to make room.
  (ulimit -n 256 && exec "$treemount" "$TEST/mount" --read "$TEST/lower" --write "$TEST/upper" "$@") &
  local server=$! status=0
  until mountpoint -q "$TEST/mount"; do sleep 0.1; done
  chmod 755 "$TEST" "$TEST/mount" "$TEST/mount/s"
  mkdir "$TEST/mount/s/t"
  "${action[@]}" "$TEST/mount/s/t" || status=$?
  umount -l "$TEST/mount"
  wait "$server"
  return "$status"
}

action=(python3 Tests/tree/behaviours.py)
mounted || fail 'behaviours'
mounted --recorded || fail 'behaviours with recorded owners'
mounted --no-writeback --opens || fail 'behaviours, told of opens'
for caching in none auto always; do
  TREE_CACHE=$caching mounted --share "/s=>$TEST/shared" --cache "$caching" || fail "behaviours of a share, cache=$caching"
done
programs=(sqlite git fio tar compiler stress)
# Only `make test-full` has it installed.
[[ -z $(compgen -G '/usr/lib/postgresql/*/bin/initdb') ]] || programs+=(postgres)
action=(programs_in)
programs_in() { Tests/tree/programs.sh "$1" "${programs[@]}"; }
mounted || fail 'programs'
