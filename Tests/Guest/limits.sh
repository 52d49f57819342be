# What a machine's writes, and its monitor, may take of the host: --write-limit, --cgroup, --run-as.
#: as root tester/pci
#: timeout 400
run() { "$NOVM" run --kernel "$KERNEL" --transport "$TRANSPORT" "$@"; }

mkdir "$TEST/writes"
group=()
user=()
if [[ $(id -u) == 0 ]]; then
  user=(--run-as 70000-70001)
  if [[ -e /sys/fs/cgroup/cgroup.controllers ]]; then
    group=(--cgroup "auto,slack=200M")
    # A disk, for the host may have none.
    truncate -s 1M "$TEST/disk"
    modprobe loop 2>/dev/null || true
    if disk=$(losetup --find --show "$TEST/disk" 2>"$TEST/losetup"); then
      trap 'losetup --detach "$disk"' EXIT
      group=(--cgroup "auto,slack=200M,io=50M")
    else
      echo "$(<"$TEST/losetup"): nothing of io="
    fi
    # What one that was killed has left.
    mkdir -p /sys/fs/cgroup/novm/novm-left
  else
    echo 'no cgroup file system of version 2: nothing of --cgroup'
  fi
fi
# shellcheck disable=SC2016 # for the shell in there
run --write "$TEST/writes" --write-limit 8M,files=60 "${group[@]}" "${user[@]}" --memory 256 -- sh -ec '
  df -k / | tail -n 1
  dd if=/dev/zero of=/large bs=64k count=1000 conv=fsync 2>/dev/null && exit 3
  echo "after: $(stat -c %s /large)"
  rm /large
  dd if=/dev/zero of=/small bs=64k count=64 conv=fsync 2>/dev/null || exit 4
  truncate -s 1G /sparse
  i=0
  while mkdir /d$i 2>/dev/null; do i=$((i + 1)); test $i -lt 100 || exit 5; done
  echo "directories: $i"
  rmdir /d0 && mkdir /again
  # For whoever looks from outside.
  touch -m /small && sleep 3' >"$TEST/output" &
machine=$!
if ((${#group[@]})); then
  seen=
  for ((i = 0; i < 600; i++)); do
    seen=$(cat /sys/fs/cgroup/novm/novm-*/memory.max 2>/dev/null) || true
    members=$(cat /sys/fs/cgroup/novm/novm-*/cgroup.procs 2>/dev/null | wc -l) || true
    [[ -z $seen || $members == 0 ]] || break
    sleep 0.1
  done
  [[ $seen == $(((256 + 200) << 20)) ]] || fail "memory.max: '$seen'"
  [[ $(cat /sys/fs/cgroup/novm/novm-*/cpu.max) == '200000 100000' ]] || fail "$(cat /sys/fs/cgroup/novm/novm-*/cpu.max)"
  transfers=$(cat /sys/fs/cgroup/novm/novm-*/io.max 2>/dev/null) || true
  [[ -z $disk || $transfers == *"$(lsblk -ndo MAJ:MIN "$disk" | tr -d ' ') rbps=52428800 wbps=52428800"* ]] ||
    fail "io.max: '$transfers'"
fi
if ((${#user[@]})); then
  # Once it is confined it is another user's, and the first process of its own, which sees no others. What keeps its sockets is that
  # user's, too.
  is_first() {
    local status
    while read -r status; do
      if grep -Eqs '^NSpid:.*[0-9][[:space:]]+1$' "$status"; then return 0; fi
    done < <(grep -ls '^Uid:.*70000' /proc/[0-9]*/status)
    return 1
  }
  eventually 60 is_first
fi
wait "$machine" || fail "status $?: $(<"$TEST/output")"
read -r _ total _ < <(head -n 1 "$TEST/output")
((total == 8192)) || fail "df: $(<"$TEST/output")"
grep -q '^directories: [45]' "$TEST/output" || fail "$(<"$TEST/output")"
((($(du -sk "$TEST/writes" | cut -f 1)) < 9000)) || fail "$(du -sk "$TEST/writes")"
if ((${#group[@]})); then
  [[ -z $(ls -d /sys/fs/cgroup/novm/novm-* 2>/dev/null) ]] || fail "left: $(ls -d /sys/fs/cgroup/novm/novm-*)"
  # More than it may have: the machine ends, with a word of why.
  run --cgroup auto --memory 256 --prefault -- sleep 1000 2>"$TEST/errors" &
  machine=$!
  # Its memory alone keeps within the limit, which is at least 16 MiB more: so another one is set.
  populated() { (($(cat /sys/fs/cgroup/novm/novm-*/memory.current 2>/dev/null || echo 0) > 256 << 20)); }
  eventually 60 populated
  for limit in /sys/fs/cgroup/novm/novm-*/memory.max; do echo 64M >"$limit" || true; done
  status=0
  wait "$machine" || status=$?
  [[ $status == 125 && $(<"$TEST/errors") == *"more memory than --cgroup"* ]] || fail "status $status: $(<"$TEST/errors")"
elif [[ -e /sys/fs/cgroup/cgroup.controllers ]]; then
  expect_refusal 'not yours to divide' run --cgroup auto -- true
fi
if ((${#user[@]})); then
  [[ -z $(find "$TEST/writes" ! -uid 0) ]] || fail "not root's: $(find "$TEST/writes" ! -uid 0 | head -n 3)"
else
  expect_refusal 'only root' run --run-as 70000 -- true
fi
expect_refusal 'no control group of version 2' run --cgroup "$TEST/writes" -- true
expect_refusal 'not with --dax' run --write-limit 8M --dax auto -- true
expect_refusal 'is no limit' run --write-limit 8 -- true
expect_refusal 'give auto or a directory' run --cgroup here -- true
expect_refusal 'give UID' run --run-as root -- true
